"""What a check of a data set found: the values that `lab.data_check` makes and `report` words."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge.datasets.base import Split
from mnist_edge.datasets.duplicates import Duplicate
from mnist_edge.datasets.odd_sizes import SizeFindings
from mnist_edge.metrics import Accuracy, Agreement


@dataclass(frozen=True, slots=True)
class LabelError:
    """A picture, by its position, whose `label` is doubted.

    `suggestion` is the class that the network takes it for; `label_probability` and
    `suggestion_probability`, 0..1, are what it gives to both.
    """

    position: int
    label: int
    suggestion: int
    label_probability: float
    suggestion_probability: float


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The accuracy after training on a number of `images`."""

    images: int
    accuracy: Accuracy


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Its points, from the fewest images to the most, and how the answers changed with the last
    doubling."""

    points: tuple[CurvePoint, ...]
    doubling: Agreement

    @property
    def still_rises(self) -> bool:
        """Whether the last doubling gained more than chance explains."""
        return self.doubling.better > self.doubling.worse and not self.doubling.is_chance

    @property
    def at_twice(self) -> float | None:
        """The accuracy, 0..1, that twice as many images are expected to give; None where errors
        do not fall with their number."""
        counts = np.log([point.images for point in self.points])
        errors = np.array([1 - point.accuracy.value for point in self.points])
        if not errors.all():
            return None
        slope, _ = np.polyfit(counts, np.log(errors), 1)
        return 1 - float(errors[-1]) * 2.0 ** float(slope) if slope < -1e-6 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCheck:
    """What was found. Positions are those in the training, then the validation, then the test
    split: `splits` tells which, and `names` are those of the files, or as train[17].

    `label_errors` and `curve` are None where a class has too few pictures for networks to be
    trained and judged on. `few` are classes with fewer than `FEW` pictures, with how many.
    `sizes` are what the pictures' own sizes tell, None where those are not known.
    """

    data: Split
    splits: NDArray[np.str_]
    names: tuple[str, ...]
    duplicates: tuple[Duplicate, ...]
    blank: tuple[int, ...]
    sizes: SizeFindings | None
    few: dict[str, int]
    label_errors: tuple[LabelError, ...] | None
    curve: LearningCurve | None

    @property
    def leaks(self) -> tuple[Duplicate, ...]:
        """Duplicates that lie in two splits: what a network learned by heart, it is tested on."""
        return tuple(
            pair for pair in self.duplicates if self.splits[pair.first] != self.splits[pair.second]
        )

    @property
    def contradictions(self) -> tuple[Duplicate, ...]:
        """Duplicates that lie in two classes."""
        labels = self.data.labels
        return tuple(pair for pair in self.duplicates if labels[pair.first] != labels[pair.second])
