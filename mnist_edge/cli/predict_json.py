"""Readings as JSON: an object per line.

Thousands are written in a second beside the reading itself, so an object is put together of its
encoded values: that takes a third of the time that `json` takes for the whole.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import repeat
from pathlib import Path

from mnist_edge.cli.predict_formats import GRID, LINE, SINGLE, chance, number
from mnist_edge.escaping import json_text
from mnist_edge.predict import UNSURE, Digit, Reading

_DIGIT = ("label", "probability", "guess", "second", "probabilities", "saved")
_KEYS = {
    SINGLE: _DIGIT,
    LINE: ("text", "probability", "digits"),
    GRID: ("text", "probability", "rows"),
}
_NULL = "null"
_quoted = json.JSONEncoder(ensure_ascii=False).encode


class Json:
    """The same keys whatever happened; see `readings.Writer`.

    Texts have their own letters where an output of this `encoding` can write them, else escapes.
    """

    head = ""

    def __init__(
        self,
        layout: str,
        classes: Sequence[str],
        threshold: float,
        model: str,
        encoding: str = "utf-8",
    ) -> None:
        self.layout = layout
        self.encoding = encoding
        self.means = f'"threshold": {threshold!r}, "model": {self._string(model)}'
        self.labels = {label: self._string(label) for label in (*classes, UNSURE)}
        self.keys = [f"{self.labels[label]}: " for label in classes]

    def text(self, reading: Reading, saved: Sequence[Path]) -> str:
        keys = _KEYS[self.layout]
        if reading.failure is not None:
            found: Iterable[str] = repeat(_NULL, len(keys))
        elif self.layout == SINGLE:
            ((digit,),) = reading.rows
            found = self._digit(digit, *saved)
        else:
            found = self._several(reading, saved)
        file, note, error = map(self._string, (reading.file, reading.note, reading.error))
        ends = f'{self.means}, "note": {note}, "error": {error}'
        return f'{{"file": {file}, {_members(keys, found)}, {ends}}}\n'

    def _several(self, reading: Reading, saved: Sequence[Path]) -> list[str]:
        paths = iter(saved) if saved else repeat(None)
        rows = [_array([self._boxed(digit, next(paths)) for digit in row]) for row in reading.rows]
        share = chance(reading.digits)
        return [
            self._string(number(reading.rows)),
            _NULL if share is None else repr(share),
            _array(rows) if self.layout != LINE else rows[0] if rows else "[]",
        ]

    def _boxed(self, digit: Digit, saved: Path | None) -> str:
        box = _NULL if digit.box is None else repr([*digit.box])
        return f'{{{_members(_DIGIT, self._digit(digit, saved))}, "box": {box}}}'

    def _digit(self, digit: Digit, saved: Path | None = None) -> list[str]:
        second = _NULL
        if digit.second:
            label, share = self.labels[digit.second.label], digit.second.probability
            second = f'{{"label": {label}, "probability": {share!r}}}'
        shares = ", ".join(map(str.__add__, self.keys, map(repr, digit.probabilities)))
        return [
            self.labels[digit.label],
            repr(digit.first.probability),
            self.labels[digit.first.label],
            second,
            f"{{{shares}}}",
            self._string(None if saved is None else str(saved)),
        ]

    def _string(self, value: str | None) -> str:
        if value is None:
            return _NULL
        if value.isascii() and value.isprintable():
            return _quoted(value)
        return json_text(value, encoding=self.encoding)


def _members(keys: Iterable[str], values: Iterable[str]) -> str:
    return ", ".join([f'"{key}": {value}' for key, value in zip(keys, values, strict=True)])


def _array(values: Iterable[str]) -> str:
    return f"[{', '.join(values)}]"
