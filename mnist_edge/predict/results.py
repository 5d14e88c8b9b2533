"""What a network read in pictures: its answers, one for each image that a picture gave."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess import Pixels
from mnist_edge.preprocess.view import Box
from mnist_edge.types import Images

UNSURE = "?"


class ClassProbability(NamedTuple):
    """A class, and how probable the network finds it, 0..1."""

    label: str
    probability: float


class Digit(NamedTuple):
    """One answer: what the network saw, uint8 (H, W) or (H, W, 3), and what it took it for.

    `label` is that of the first guess, or `?` where its probability is below the threshold.
    `second` is None for a network that knows one class only. `probabilities` are those of all
    classes, in their order. `box` is (left, top, right, bottom) in pixels of the upright picture,
    where several digits were looked for.
    """

    image: Pixels
    label: str
    first: ClassProbability
    second: ClassProbability | None
    probabilities: Sequence[float]
    box: Box | None = None

    @property
    def sure(self) -> bool:
        return self.label != UNSURE


class Failure(NamedTuple):
    """Why nothing is read in a picture: the `reason`, which says what to do where no `remedy`
    does. `file` is its name where the reason has not said it."""

    reason: str
    remedy: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        """One line, as a person is told."""
        return ": ".join(part for part in (self.file, self.reason, self.remedy) if part)


class Page(NamedTuple):
    """What is known of a picture besides its digits: rows of their boxes.

    Where one digit was looked for, and there is none or there are several, no answer
    `may_be_sure`: the network may be, and cannot be right.
    """

    rows: Sequence[Sequence[Box | None]]
    note: str | None = None
    may_be_sure: bool = True


ONE_IMAGE = Page(((None,),))
"""The page of most pictures: there is nothing to tell."""


NOT_A_NUMBER = Failure("the model answers with what is no number")


class Answers(NamedTuple):
    """Of each picture its page, or why there is none; of all digits on the pages, in turn, the
    `images`, uint8 (N, H, W) or (N, H, W, 3), and the network's `probabilities`, float32
    (N, classes)."""

    pages: Sequence[Page | Failure]
    images: Images
    probabilities: NDArray[np.float32]


class Reading(NamedTuple):
    """What became of one picture: rows of digits, or the `failure` for which there are none.

    A picture in which nothing was looked for, or one digit, has one row of one. `note` is what a
    person should know of how the picture was read, such as that it is the first of an animation.
    """

    file: str
    rows: Sequence[Sequence[Digit]] = ()
    note: str | None = None
    failure: Failure | None = None

    @property
    def error(self) -> str | None:
        """The failure as one line; None where there is none."""
        return None if self.failure is None else str(self.failure)

    @property
    def digits(self) -> list[Digit]:
        return [digit for row in self.rows for digit in row]

    @property
    def sure(self) -> bool:
        """Whether there is something, and every digit of it is told."""
        return bool(self.digits) and all(digit.sure for digit in self.digits)


def to_readings(
    names: Sequence[str], answers: Answers, classes: Sequence[str], threshold: float
) -> list[Reading]:
    """What the network's answers to the pictures of these names say."""
    # Six decimals say all there is to say, and are written twice as fast as all of them.
    probabilities = answers.probabilities.astype(np.float64).round(6)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    rest = zip(answers.images, probabilities.tolist(), best.tolist(), strict=True)

    def digit(box: Box | None, may_be_sure: bool) -> Digit:
        image, row, places = next(rest)
        first, *others = [ClassProbability(classes[at], row[at]) for at in places]
        label = first.label if first.probability >= threshold and may_be_sure else UNSURE
        return Digit(image, label, first, others[0] if others else None, row, box)

    def reading(name: str, page: Page | Failure) -> Reading:
        if isinstance(page, Failure):
            return Reading(name, failure=page)
        rows = [[digit(box, page.may_be_sure) for box in row] for row in page.rows]
        if any(math.isnan(digit.first.probability) for row in rows for digit in row):
            return Reading(name, failure=NOT_A_NUMBER)
        return Reading(name, rows, page.note)

    return [reading(name, page) for name, page in zip(names, answers.pages, strict=True)]
