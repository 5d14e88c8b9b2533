"""Names of data sets, in options, recipes and files: `mnist`, `folder:PATH` for a person's own
images, or several of them, `mnist+folder:PATH`, for all of their images.

A + parts two names where the name of a set, or folder:, stands behind it; anywhere else behind
folder: it belongs to the path. A path that ends in +mnist is one with a / behind it.
"""

from collections.abc import Sequence
from pathlib import Path

from mnist_edge.catalogue import DATASETS
from mnist_edge.image_shape import Fit

_FOLDER, _AND = "folder:", "+"


def folder_dataset(path: Path | str) -> str:
    """The name of the data set in a folder: folder:PATH."""
    name = f"{_FOLDER}{path}"
    return name if len(parts_of(name)) == 1 else f"{name}/"


def join_names(names: Sequence[str]) -> str:
    """The name of a data set of several, in their order."""
    return _AND.join(names)


def parts_of(name: str) -> tuple[str, ...]:
    """The names that a name joins; of a single set, its own."""
    parts: list[str] = []
    for text in name.split(_AND):
        in_path = bool(parts) and parts[-1].startswith(_FOLDER)
        if in_path and not text.startswith(_FOLDER) and text not in DATASETS:
            parts[-1] += _AND + text
        else:
            parts.append(text)
    return tuple(parts)


def is_folder_dataset(name: str) -> bool:
    """Whether a name is of a folder, or of folders, and not of a published set."""
    return all(part.startswith(_FOLDER) for part in parts_of(name))


def has_folder(name: str) -> bool:
    """Whether a name is of a folder, or of several sets with one among them."""
    return any(part.startswith(_FOLDER) for part in parts_of(name))


def folder_of(name: str) -> Path | None:
    """The path in folder:PATH; None for the name of a published set, or of several sets."""
    return (
        Path(name.removeprefix(_FOLDER)) if len(parts_of(name)) == 1 and has_folder(name) else None
    )


def folders_of(name: str) -> list[Path]:
    """The paths of all folders in a name."""
    return [path for part in parts_of(name) if (path := folder_of(part)) is not None]


def with_unknown_paths(name: str) -> str:
    """A name as a person, who knows the ways to its folders, is to give it: mnist+folder:PATH."""
    return join_names([f"{_FOLDER}PATH" if has_folder(part) else part for part in parts_of(name)])


def public_name(name: str) -> str:
    """A name as a file may tell it: that of a folder without the way to it."""

    def public(part: str) -> str:
        path = folder_of(part)
        return part if path is None else folder_dataset(path.resolve().name)

    return join_names([public(part) for part in parts_of(name)])


def fit_of_version_1(name: str) -> Fit:
    """How pictures became images of a set, as checkpoints and files of before there was a choice
    do not say."""
    return Fit.ZERO_PAD if is_folder_dataset(name) else Fit.DIGIT
