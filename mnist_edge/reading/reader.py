"""From sources to readings: prepared by several threads, asked of the network in batches."""

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from mnist_edge.classifier import Classifier
from mnist_edge.errors import DataError
from mnist_edge.reading.ahead import ahead
from mnist_edge.reading.answers import UNSURE, Answer, Digit, Grey, Reading, Seen, ask
from mnist_edge.reading.sources import STDIN, Source

_BATCH = 64  # images in one call of the network
_MOST_STREAMED = 512 * 2**20  # bytes

Look = Callable[[str | io.BytesIO], Seen]
"""What finds the digits of a picture: a path, or the bytes of a stream. Raises DataError."""


def read(
    model: Classifier, sources: Iterable[Source], look: Look, threads: int, threshold: float
) -> Iterator[list[Reading]]:
    """What the network reads in each source, in order; in lists, as soon as they are there.

    `threads` pictures are decoded and prepared at the same time, while the network answers those
    before. What cannot be read is a reading with an `error`. A first guess less probable than
    `threshold`, 0..1, is labelled `?`.
    """
    for batch in ahead(partial(_looked_at, look), sources, threads):
        yield _answered(model, batch, threshold)


_Looked = tuple[str, Seen | str]  # the name, and what was seen or why nothing was


def _looked_at(look: Look, source: Source) -> _Looked:
    try:
        return source.name, source.error or look(
            _Stream(source.name) if source.streams else source.name
        )
    except DataError as error:
        return source.name, str(error)


class _Stream(io.BytesIO):
    """All that standard input, a named pipe or a device gives; `name` is for messages."""

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            if name == STDIN:
                data = sys.stdin.buffer.read(_MOST_STREAMED + 1)
            else:
                with Path(name).open("rb") as file:
                    data = file.read(_MOST_STREAMED + 1)
        except OSError as error:
            raise DataError(f"{name}: {error.strerror or error}") from error
        if len(data) > _MOST_STREAMED:
            raise DataError(f"{name}: gives more than {_MOST_STREAMED >> 20} MB: no picture")
        super().__init__(data)


def _answered(model: Classifier, batch: Sequence[_Looked], threshold: float) -> list[Reading]:
    seen_ones = [seen for _, seen in batch if isinstance(seen, Seen)]
    images = [image for seen in seen_ones for row in seen.rows for image, _ in row]
    answers = _answers(model, images, threshold)

    def reading(name: str, seen: Seen | str) -> Reading:
        if isinstance(seen, str):
            return Reading(name, error=seen)
        rows = [[Digit(image, *next(answers), box) for image, box in row] for row in seen.rows]
        if seen.blank:
            rows = [[replace(digit, label=UNSURE) for digit in row] for row in rows]
        return Reading(name, rows, seen.note)

    return [reading(name, seen) for name, seen in batch]


def _answers(model: Classifier, images: Sequence[Grey], threshold: float) -> Iterator[Answer]:
    for at in range(0, len(images), _BATCH):
        yield from ask(model, np.stack(images[at : at + _BATCH]), threshold)
