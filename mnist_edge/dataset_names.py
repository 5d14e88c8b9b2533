"""Names of data sets, in options, recipes and files: `mnist`, or `folder:PATH` for a person's own
images."""

from pathlib import Path

from mnist_edge.image_shape import Fit

_FOLDER = "folder:"


def folder_dataset(path: Path | str) -> str:
    """The name of the data set in a folder: folder:PATH."""
    return f"{_FOLDER}{path}"


def is_folder_dataset(name: str) -> bool:
    """Whether a name is of a folder, and not of a published set."""
    return name.startswith(_FOLDER)


def folder_of(name: str) -> Path | None:
    """The path in folder:PATH; None for the name of a published set."""
    return Path(name.removeprefix(_FOLDER)) if is_folder_dataset(name) else None


def public_name(name: str) -> str:
    """A name as a file may tell it: that of a folder without the way to it."""
    path = folder_of(name)
    return name if path is None else folder_dataset(path.resolve().name)


def fit_of_version_1(name: str) -> Fit:
    """How pictures became images of a set, as checkpoints and files of before there was a choice
    do not say."""
    return Fit.ZERO_PAD if is_folder_dataset(name) else Fit.DIGIT
