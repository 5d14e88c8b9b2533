"""Readings as a person, a spreadsheet or a script takes them: whole lines for each.

Names of files and classes are what their makers called them: see `mnist_edge.escaping`.
"""

import csv
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat, zip_longest
from pathlib import Path
from typing import Any, Protocol

from mnist_edge.escaping import json_text, printable, spreadsheet_cell
from mnist_edge.predict import Digit, Reading
from mnist_edge.report import terminal_image
from mnist_edge.report.formatting import count, percent

SINGLE, LINE, GRID = "single", "line", "grid"
"""What was looked for in each picture."""


def layout_of(line: bool, grid: bool) -> str:
    """The one of these that the options mean."""
    return LINE if line else GRID if grid else SINGLE


_WIDEST_NAME = 60


class Writer(Protocol):
    """`head` comes first; `text` is what one reading becomes, whose inputs lie in `saved`."""

    @property
    def head(self) -> str: ...

    def text(self, reading: Reading, saved: Sequence[Path]) -> str: ...


def labels_text(rows: Sequence[Sequence[Digit]], separator: str = "\n") -> str:
    """The labels of rows of digits: `2026`, or `20?6` where one is not sure."""
    labels = [[digit.label for digit in row] for row in rows]
    between = "" if all(len(label) == 1 for row in labels for label in row) else " "
    return separator.join(between.join(row) for row in labels)


def joint_probability(digits: Sequence[Digit]) -> float | None:
    """The probability that all digits are as first guessed, were they independent."""
    product = 1.0
    for digit in digits:
        product *= digit.first.probability
    return product if digits else None


@dataclass(frozen=True, slots=True)
class Json:
    """An object per line, with the same keys whatever happened.

    Texts have their own letters where an output of this `encoding` can write them, else escapes.
    """

    layout: str
    classes: Sequence[str]
    threshold: float
    model: str
    encoding: str = "utf-8"
    head: str = ""

    def text(self, reading: Reading, saved: Sequence[Path]) -> str:
        failed = reading.failure is not None
        values = {
            "file": reading.file,
            **(dict.fromkeys(_KEYS[self.layout]) if failed else self._values(reading, saved)),
            "threshold": self.threshold,
            "model": self.model,
            "note": reading.note,
            "error": reading.error,
        }
        return json_text(values, encoding=self.encoding) + "\n"

    def _values(self, reading: Reading, saved: Sequence[Path]) -> dict[str, Any]:
        paths = chain(map(str, saved), repeat(None))
        if self.layout == SINGLE:
            (digit,) = reading.digits
            return self._digit(digit, next(paths))
        rows = [
            [self._digit(digit, next(paths)) | {"box": digit.box} for digit in row]
            for row in reading.rows
        ]
        shown = {
            "text": labels_text(reading.rows),
            "probability": joint_probability(reading.digits),
        }
        return shown | ({"rows": rows} if self.layout == GRID else {"digits": [*chain(*rows)]})

    def _digit(self, digit: Digit, saved: str | None) -> dict[str, Any]:
        return {
            "label": digit.label,
            "probability": digit.first.probability,
            "guess": digit.first.label,
            "second": digit.second._asdict() if digit.second else None,
            "probabilities": dict(zip(self.classes, digit.probabilities, strict=True)),
            "saved": saved,
        }


_KEYS = {
    SINGLE: ("label", "probability", "guess", "second", "probabilities", "saved"),
    LINE: ("text", "probability", "digits"),
    GRID: ("text", "probability", "rows"),
}
"""Of the answers, which are null for a picture that could not be read."""


@dataclass(frozen=True, slots=True)
class Csv:
    """RFC 4180: a header, lines that end in CR LF, quotes where they are needed. No cell is a
    formula to a spreadsheet."""

    layout: str
    threshold: float
    model: str

    @property
    def columns(self) -> Sequence[str]:
        if self.layout == SINGLE:
            return "label", "probability", "guess", "second", "second_probability"
        return "text", "probability", "digits"

    @property
    def head(self) -> str:
        return _csv(("file", *self.columns, "threshold", "note", "error", "model"))

    def text(self, reading: Reading, saved: Sequence[Path]) -> str:
        failed = reading.failure is not None
        values = [None] * len(self.columns) if failed else self._values(reading)
        about = (self.threshold, reading.note, reading.error, self.model)
        return _csv((reading.file, *values, *about))

    def _values(self, reading: Reading) -> Sequence[Any]:
        digits = reading.digits
        if self.layout != SINGLE:
            return labels_text(reading.rows), joint_probability(digits), len(digits)
        (digit,) = digits
        second = digit.second or (None, None)
        return digit.label, digit.first.probability, digit.first.label, *second


def _csv(values: Sequence[Any]) -> str:
    paper = io.StringIO()
    shown = [spreadsheet_cell(value) if isinstance(value, str) else value for value in values]
    csv.writer(paper).writerow(shown)
    return paper.getvalue()


@dataclass(frozen=True, slots=True)
class Text:
    """A row for a person; `name_width` columns for the name. Where there is an error, no row.

    With `colours` (see `report.terminal_image`) what the network saw is drawn below, and the
    probabilities beside it or, of a wide one, under it, on a screen of `columns`. `noun` is what
    was looked for in pictures of several.
    """

    layout: str
    classes: tuple[str, ...]
    threshold: float
    name_width: int
    colours: str | None = None
    columns: int = 80
    noun: str = "digit"
    head: str = ""

    def text(self, reading: Reading, saved: Sequence[Path]) -> str:
        if reading.failure is not None:
            return ""
        name = pad(printable(reading.file), self.name_width)
        rows = {SINGLE: self._single, LINE: self._line, GRID: self._grid}[self.layout](reading)
        drawn = [line for digit in reading.digits for line in self._draw(digit)]
        return "\n".join((f"{name}  {rows}".rstrip(), *drawn)) + "\n"

    def _single(self, reading: Reading) -> str:
        (digit,) = reading.digits
        widest = max(text_width(printable(name)) for name in self.classes)
        # A guess that is not sure stands behind its question mark.
        label = printable(digit.label if digit.sure else f"{digit.label} {digit.first.label}")
        row = pad(label, widest + 2 * (self.threshold > 0 or not digit.sure))
        row += f"  {percent(digit.first.probability, 1):>7}"
        if digit.second:
            second = pad(printable(digit.second.label), widest)
            row += f"   {second}  {percent(digit.second.probability, 1):>6}"
        return row

    def _line(self, reading: Reading) -> str:
        share = joint_probability(reading.digits)
        if share is None:
            return f"no {self.noun}"
        return f"{printable(labels_text(reading.rows))}  {percent(share, 1):>7}"

    def _grid(self, reading: Reading) -> str:
        if not reading.digits:
            return f"no {self.noun}"
        sizes = f"{count(len(reading.digits), self.noun)} in {count(len(reading.rows), 'row')}"
        return "\n".join((sizes, *(f"  {printable(labels_text([row]))}" for row in reading.rows)))

    def _draw(self, digit: Digit) -> list[str]:
        if self.colours is None:
            return []
        image = terminal_image.shrink(digit.image, self.columns - _INDENT)
        pixels = terminal_image.render_image(image, self.colours)
        shares = dict(zip(map(printable, self.classes), digit.probabilities, strict=True))
        # A name, a bar and a percentage, with blanks between them, beside the pixels or below.
        below = self.columns - _INDENT - max(map(text_width, shares)) - 1 - 1 - 7
        beside = below - image.shape[1] - _GAP
        width = beside if beside >= _LEAST_BAR else below
        bars = terminal_image.render_bars(shares, min(30, width), self.colours)
        if width < _LEAST_BAR:
            lines = pixels
        elif width == below:
            lines = [*pixels, "", *bars]
        else:
            above = (len(pixels) - len(bars)) // 2
            pairs = zip_longest(pixels, [""] * above + bars, fillvalue=" " * image.shape[1])
            lines = [f"{left}{' ' * _GAP}{right}" for left, right in pairs]
        return ["", *(f"{' ' * _INDENT}{line}".rstrip() for line in lines), ""]


_INDENT, _GAP, _LEAST_BAR = 2, 3, 5  # columns of what `--show` draws


def name_width(names: Sequence[str]) -> int:
    """Columns that fit most names: those much longer than others stand out."""
    return max(
        (width for name in names if (width := text_width(printable(name))) <= _WIDEST_NAME),
        default=0,
    )


def pad(text: str, width: int) -> str:
    return text + " " * (width - text_width(text))


def text_width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)
