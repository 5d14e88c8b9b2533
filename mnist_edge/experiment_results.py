"""What an experiment of `reproduce` came to, as values: the lab makes them, `report` words them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.catalogue import Cost, Experiment, Layer
from mnist_edge.errors import GateError
from mnist_edge.intervals import Ratio
from mnist_edge.metrics import Accuracy
from mnist_edge.seed_statistics import ClaimCheck, Spread


@dataclass(frozen=True, slots=True)
class ErrorCurves:
    """Of one network, in 0..1: training and test error after every epoch."""

    training: tuple[float, ...]
    test: tuple[float, ...]

    @classmethod
    def of(cls, history: Sequence[Mapping[str, Any]], tested: int) -> "ErrorCurves":
        """`tested` is the number of test images. The training error is of the batches as they
        came, augmented, as in the paper."""
        return cls(
            tuple(1 - entry["training_accuracy"] for entry in history),
            tuple(1 - entry["test_correct"] / tested for entry in history),
        )


@dataclass(frozen=True, slots=True)
class Degradation:
    """Whether the deeper network of a pair has the larger training error, and not by chance.

    `errors` are the four networks' training errors after their last epoch, in 0..1.
    """

    plain_is_worse: bool
    residual_is_worse: bool
    errors: Mapping[str, float]

    @property
    def shown(self) -> bool:
        """The degradation of plain networks, cured by skips."""
        return self.plain_is_worse and not self.residual_is_worse


@dataclass(frozen=True, slots=True)
class Timed:
    """A file's median time, and that time as a multiple of the first file's; None for the first
    itself."""

    p50_us: float
    ratio: Ratio | None

    def as_dict(self) -> dict[str, Any]:
        found = self.ratio
        ratio = found and {"value": found.value, "interval95": [found.low, found.high]}
        return {"p50_us": self.p50_us, "ratio": ratio}


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file that an experiment wrote: its accuracy, how many answers its conversion changed, its
    parameters and bytes. `values` is all that its gate found, for JSON."""

    name: str
    accuracy: Accuracy
    changed: int
    params: int
    size_bytes: int
    values: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """The files of a run, fp32 and int8. `refused` is why there is no int8 file, where there is
    none."""

    run: str
    files: tuple[ExportedFile, ...]
    refused: GateError | None = None

    def names_in(self, part: str) -> list[str]:
        """What its files are called among those of other parts."""
        return [f"{part}/{file.name}" for file in self.files]

    @property
    def int8_bytes(self) -> int | None:
        return None if self.refused else self.files[-1].size_bytes


@dataclass(frozen=True, slots=True)
class Target:
    """What a model is to reach: mean accuracy in 0..1, and, as far as there is any, how long it
    may take as a multiple of the file that it is timed against, its parameters, and the bytes of
    its int8 file."""

    accuracy: float
    time: float | None = None
    params: int | None = None
    int8_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ThreeBlock:
    """`check` is None where the claim was made of something else."""

    layers: tuple[Layer, ...]
    accuracy: Spread
    check: ClaimCheck | None
    exported: ExportedRun


@dataclass(frozen=True, slots=True)
class OneEpoch:
    """`confusions`, by the run's name, are of the test split, int64 (classes, classes), labels in
    rows; `check` as in ThreeBlock."""

    accuracy: Spread
    macro_f1: Spread
    check: ClaimCheck | None
    classes: tuple[str, ...]
    confusions: Mapping[str, NDArray[np.int64]]
    exported: ExportedRun


@dataclass(frozen=True, slots=True)
class Depth:
    """`degradation` is None until all four networks are trained."""

    errors: Mapping[str, ErrorCurves]
    degradation: Degradation | None


@dataclass(frozen=True, slots=True)
class Shortcuts:
    """By the kind of shortcut; costs are of both, all else of what is trained. `plain_params` are
    the parameters of the same network without any skip."""

    accuracies: Mapping[str, Spread]
    costs: Mapping[str, Cost]
    plain_params: int
    exported: Mapping[str, ExportedRun]
    timed: Mapping[str, Timed]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of `best`: a model, or one with a teacher. `fastest` names the faster of its files
    in the table of times."""

    model: str
    accuracy: Spread
    target: Target
    exported: ExportedRun
    taught: bool = False
    fastest: str | None = None

    @property
    def reached(self) -> bool:
        """Whether the mean accuracy is the target's or more."""
        return self.accuracy.mean >= self.target.accuracy


@dataclass(frozen=True, slots=True)
class Best:
    """Parts by their names; `teacher` is the run that taught some of them. Nothing is timed where
    no file was given to time against."""

    parts: Mapping[str, Part]
    teacher: str | None
    timed: Mapping[str, Timed]


Findings = ThreeBlock | OneEpoch | Depth | Shortcuts | Best


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A training that belongs to the experiment: how many training images and epochs it has."""

    name: str
    model: str
    images: int
    epochs: int


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that has been measured on the test split; `recipe`, `trained` and `history` as its
    checkpoint has them."""

    name: str
    part: str
    recipe: Mapping[str, Any]
    trained: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]] = field(repr=False)
    test: Accuracy
    validation: Accuracy
    duration_s: float


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """An experiment as it was asked for, its runs, and what they came to.

    `dataset` is the set's own name, `images` its counts by split. `options` are what was asked
    for, as JSON has them. `torch` and `device` are what trained it.
    """

    experiment: Experiment
    options: Mapping[str, Any]
    dataset: str
    images: Mapping[str, int]
    device: str
    torch: str
    planned: tuple[PlannedRun, ...]
    runs: tuple[FinishedRun, ...]
    findings: Findings

    @property
    def is_as_claimed(self) -> bool:
        """Whether this is what the claims or aims are of."""
        return self.experiment.is_as_claimed(self.options["dataset"], self.options["epochs"])
