"""What is looked for in a picture: nothing, one digit, a line of them, or a sheet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge import preprocess
from mnist_edge.classifier import Classifier
from mnist_edge.errors import DataError
from mnist_edge.image_shape import Fit, ImageShape
from mnist_edge.model_file.contract import Card
from mnist_edge.predict.results import ONE_IMAGE, Failure, Page
from mnist_edge.preprocess import Pixels, PreparedImage
from mnist_edge.preprocess.loading import Loaded
from mnist_edge.preprocess.several import lines
from mnist_edge.types import Grey

Detection = tuple[Page | Failure, Sequence[Pixels]]
"""A page, or why it cannot be read, and the images for the network, of its digits in turn."""

Detector = Callable[[Sequence[Loaded]], list[Detection]]
"""What makes images for a network of pictures, of each in turn."""


@dataclass(frozen=True, slots=True)
class WholePicture:
    """The picture, fitted into an image of `shape`: nothing is looked for."""

    shape: ImageShape
    fit: Fit

    def __call__(self, pictures: Sequence[Loaded]) -> list[Detection]:
        return [(_page(each.note), [self._image(each)]) for each in pictures]

    def _image(self, loaded: Loaded) -> Pixels:
        if loaded.is_ready:
            return loaded.pixels
        return preprocess.fit_image(loaded.pixels, self.shape, self.fit)


@dataclass(frozen=True, slots=True)
class SingleDigit:
    """One digit, brought into MNIST's form. `noun` is what notes call it: the classes of some
    networks of such images are no digits."""

    noun: str = "digit"

    def __call__(self, pictures: Sequence[Loaded]) -> list[Detection]:
        raw = [each.pixels for each in pictures if not each.is_ready]
        looked = iter(preprocess.prepare_images(raw))
        return [
            (ONE_IMAGE, [each.pixels]) if each.is_ready else self._detect(each, next(looked))
            for each in pictures
        ]

    def _detect(self, loaded: Loaded, found: PreparedImage) -> Detection:
        notes = [note for note in (loaded.note, found.note(self.noun)) if note]
        return _page("; ".join(notes), may_be_sure=found.digits == 1), [found.image]


def detector_of(card: Card) -> Detector:
    """What looks at pictures of one thing as a file wants them."""
    if card.fit is not Fit.DIGIT:
        return WholePicture(card.shape, card.fit)
    return SingleDigit("digit" if card.reads_digits else "character")


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


def _page(note: str | None, may_be_sure: bool = True) -> Page:
    """The page of one image."""
    if may_be_sure and not note:
        return ONE_IMAGE
    return ONE_IMAGE._replace(note=note or None, may_be_sure=may_be_sure)
