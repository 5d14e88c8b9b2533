"""What a network read in pictures: the answers, digit by digit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge.classifier import Classifier
from mnist_edge.picture.view import Box

UNSURE = "?"

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Guess:
    """A class, and how probable the network finds it, 0..1."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Digit:
    """One answer: what the network saw, uint8 (28, 28), and what it took it for.

    `label` is that of the first guess, or `?` where its probability is below the threshold.
    `second` is None for a network that knows one class only. `probabilities` are those of all
    classes, in their order. `box` is (left, top, right, bottom) in pixels of the upright picture,
    where several digits were looked for.
    """

    image: Grey
    label: str
    first: Guess
    second: Guess | None
    probabilities: Sequence[float]
    box: Box | None = None

    @property
    def sure(self) -> bool:
        return self.label != UNSURE


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found in a picture before the network is asked: rows of images and their boxes.

    `blank` is a page without any ink, of which a network may be sure and cannot be right.
    """

    rows: Sequence[Sequence[tuple[Grey, Box | None]]]
    note: str | None = None
    blank: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one picture: rows of digits, or the `error` for which there are none.

    A picture of one digit has one row of one digit. `note` is what a person should know of how
    the picture was read, such as that it is the first of an animation.
    """

    file: str
    rows: Sequence[Sequence[Digit]] = ()
    note: str | None = None
    error: str | None = None

    @property
    def digits(self) -> list[Digit]:
        return [digit for row in self.rows for digit in row]

    @property
    def sure(self) -> bool:
        """Whether there is something, and every digit of it is told."""
        return bool(self.digits) and all(digit.sure for digit in self.digits)


Answer = tuple[str, Guess, Guess | None, list[float]]
"""The label, the first and the second guess, the probabilities of all classes."""


def ask(model: Classifier, images: NDArray[np.uint8], threshold: float) -> Iterator[Answer]:
    """What the network takes images uint8 (N, 28, 28) for."""
    classes = model.classes
    # Six decimals say all there is to say, and are written twice as fast as all of them.
    probabilities = model.predict(images).probabilities.astype(np.float64).round(6)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    for row, places in zip(probabilities.tolist(), best.tolist(), strict=True):
        first, *others = [Guess(classes[at], row[at]) for at in places]
        label = first.label if first.probability >= threshold else UNSURE
        yield label, first, others[0] if others else None, row
