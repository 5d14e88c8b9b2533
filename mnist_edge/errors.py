"""Every error that a user can cause. Each is one line: what is wrong, and what to do."""


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


class GateError(EdgeError):
    """An exported file does not compute what its original computes."""


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
