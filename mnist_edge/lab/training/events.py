"""What a training tells of its steps and epochs, to whoever watches it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EpochResult:
    """One epoch: mean training `loss`, accuracy of the EMA on the validation split, speed.

    `training_accuracy` is of the network on its batches, as it was when each came. `test_correct`
    is there where a test split was given to be watched.
    """

    epoch: int  # from 1
    epochs: int
    loss: float
    training_accuracy: float
    validation_correct: int
    validation_total: int
    images_per_s: float
    duration_s: float
    test_correct: int | None = None

    @property
    def validation_accuracy(self) -> float:
        return self.validation_correct / self.validation_total


@dataclass(frozen=True, slots=True)
class StepResult:
    """Where an epoch stands, for whoever watches: loss of the last step, speed so far."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    images_per_s: float
    left_s: float


Watcher = Callable[[StepResult], None]
