"""What is looked for in a picture: one digit, a line of them, or a sheet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge import preprocess
from mnist_edge.classifier import Classifier
from mnist_edge.errors import DataError
from mnist_edge.image_shape import Fit, ImageShape
from mnist_edge.predict.results import ONE_DIGIT, Failure, Page
from mnist_edge.preprocess import PreparedImage
from mnist_edge.preprocess.loading import Loaded
from mnist_edge.preprocess.several import lines
from mnist_edge.types import Grey

Detection = tuple[Page | Failure, Sequence[Grey]]
"""A page, or why it cannot be read, and the images of its digits, uint8 (28, 28), in turn."""

Detector = Callable[[Sequence[Loaded]], list[Detection]]
"""What finds the digits of pictures, of each in turn."""


@dataclass(frozen=True, slots=True)
class SingleDigit:
    """One digit, or, where `fit` looks for none, the picture: brought into an image of `shape`."""

    shape: ImageShape
    fit: Fit

    def __call__(self, pictures: Sequence[Loaded]) -> list[Detection]:
        raw = [each.pixels for each in pictures if not each.is_ready]
        looked = iter(preprocess.prepare_images(raw, self.shape, self.fit))
        return [
            (ONE_DIGIT, [each.pixels]) if each.is_ready else _one_digit(each, next(looked))
            for each in pictures
        ]


@dataclass(frozen=True, slots=True)
class MultiDigit:
    """The digits of a number on one line, left to right, or of a sheet, row by row; the network
    tells where to cut."""

    model: Classifier
    on_one_line: bool

    def __call__(self, pictures: Sequence[Loaded]) -> list[Detection]:
        return [self._detect(each) for each in pictures]

    def _detect(self, loaded: Loaded) -> Detection:
        try:
            rows = self._rows(loaded)
        except DataError as error:
            return Failure(str(error)), []
        page = Page([[found.box for found in row] for row in rows], loaded.note)
        return page, [found.image for row in rows for found in row]

    def _rows(self, loaded: Loaded) -> list[list[lines.FoundDigit]]:
        if not self.on_one_line:
            return lines.read_grid(loaded, self._score)
        row = lines.read_line(loaded, self._score)
        return [row] if row else []

    def _score(self, images: Grey) -> NDArray[np.floating]:
        best: NDArray[np.float32] = self.model.predict(images).probabilities.max(axis=1)
        return best


def _one_digit(loaded: Loaded, found: PreparedImage) -> Detection:
    notes = [note for note in (loaded.note, found.note) if note]
    if found.digits == 1 and not notes:
        return ONE_DIGIT, [found.image]
    note = "; ".join(notes) or None
    return ONE_DIGIT._replace(note=note, one_digit=found.digits == 1), [found.image]
