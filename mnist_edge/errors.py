"""Every error that a user can cause. Each is one line: what is wrong, and what to do."""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class EdgeError(Exception):
    """A user's mistake or the world's: shown as one line, exit code 1. Anything else is a bug.

    Where the command line alone shows that it cannot be, it is a UsageError, exit code 2.
    """


class UsageError(EdgeError):
    """What was asked for cannot be, as the command line alone tells: exit code 2."""


class DataError(EdgeError):
    """A data set or a picture is missing, damaged, or not what it claims to be."""


class DataSetNameError(DataError, UsageError):
    """A data set was asked for by a name that none has."""


class ModelError(EdgeError):
    """An ONNX file is missing, unreadable, or does not honour the contract."""


class CheckpointError(EdgeError):
    """A training run is missing, damaged, unfinished, or of another model."""


class GateCheck(Enum):
    """What an exported file has to pass; the value is what is asked of it."""

    CONSISTENCY = "its answer to an image depends on that image alone"
    EQUALITY = "fp32: it computes what its original computes, but for rounding"
    ACCURACY_DROP = "int8: it lost no more accuracy, in percentage points, than it may"
    SATURATION = "int8: no two of its weights can saturate a sum of 16 bits"
    FLOAT_REFERENCE = "int8: it computes what the same graph computes in float"


class GateError(EdgeError):
    """An exported file did not pass a check of the gate.

    `file` is its name and `reason` what was found, as the end of a sentence that it begins.
    `found` is the value measured and `limit` the most that passes: of a logit's difference, of
    percentage points, of two weights' sum. `changed` counts the answers that changed.
    Whether anything was written is for the caller to say.
    """

    def __init__(
        self,
        file: str,
        check: GateCheck,
        reason: str,
        *,
        found: float,
        limit: float,
        changed: int = 0,
    ) -> None:
        super().__init__(f"{file} {reason}")
        self.file, self.check, self.reason = file, check, reason
        self.found, self.limit, self.changed = found, limit, changed


class GoldenError(EdgeError):
    """A file does not answer here what it answered where it was made, or that cannot be told."""


class MissingExtraError(EdgeError):
    """A command needs packages that this installation does not have."""


class FileError(EdgeError):
    """A path cannot be read: `reason` says why, as the end of a sentence that it begins."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason


def try_each(
    items: Iterable[Item], step: Callable[[Item], Result], refused: list[EdgeError]
) -> list[tuple[Item, Result]]:
    """The items that a step takes, with what it gives. What it raises for others, as errors of
    models and data, goes into `refused`; the first of these is raised where no item is left."""
    found: list[tuple[Item, Result]] = []
    for item in items:
        try:
            found.append((item, step(item)))
        except (DataError, GoldenError, ModelError) as error:
            refused.append(error)
    if refused and not found:
        raise refused[0]
    return found
