"""Where the pictures of a folder lie: its splits, its classes, and what belongs to neither."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from mnist_edge.errors import DataError
from mnist_edge.model_file.contract import LONGEST_CLASS, MOST_CLASSES
from mnist_edge.preprocess.formats import FORMATS, SUFFIXES

TRAINING, VALIDATION, TEST = "training", "validation", "test"
_NAMES = {
    **dict.fromkeys(("train", "training"), TRAINING),
    **dict.fromkeys(("val", "valid", "validation"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
OUTLIERS = "_none"
"""The name of a folder, beside the classes, of pictures that are of no class."""
# What archives and file managers leave behind, besides files that begin with a dot.
_LEFT_BEHIND = ("__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "@eadir")


@dataclass(frozen=True, slots=True)
class FolderSplit:
    """Pictures of a split, with their labels, in the order of their classes and names."""

    root: Path
    paths: list[Path]
    labels: list[int]


@dataclass(slots=True)
class Skipped:
    """What was seen and not taken: files by their suffix, pictures that lie in no class, and
    folders beside those of the splits."""

    suffixes: Counter[str] = field(default_factory=Counter)
    loose: int = 0
    folders: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Layout:
    """A folder's splits by `TRAINING`, `VALIDATION` and `TEST`: the first is always there.
    `outliers` are pictures of no class, in the same splits; those of a folder beside the splits are
    `TRAINING`."""

    classes: tuple[str, ...]
    splits: dict[str, FolderSplit]
    outliers: dict[str, FolderSplit]
    passed_over: Skipped

    def __len__(self) -> int:
        """How many pictures there are."""
        return sum(len(one.paths) for part in (self.splits, self.outliers) for one in part.values())


def scan(path: Path) -> Layout:
    """Look through a folder. DataError where it is laid out in no way that is understood."""
    passed_over = Skipped()
    roots = _split_folders(path, passed_over)
    training = roots.get(TRAINING, path)
    classes = _classes(training)
    splits = {}
    for name, root in ({TRAINING: training} | roots).items():
        if name != TRAINING:
            _check_known(root, classes)
        passed_over.loose += sum(1 for item in _visible(root) if _is_picture(item))
        splits[name] = _found(root, classes, passed_over)
    outliers = _outliers({TRAINING: training} | roots, passed_over)
    if training != path and (beside := find_outliers(path)):
        extra = list_pictures(beside, passed_over)
        paths = extra.paths + (outliers[TRAINING].paths if TRAINING in outliers else [])
        outliers[TRAINING] = FolderSplit(path, paths, [0] * len(paths))
    return Layout(classes, splits, outliers, passed_over)


def find_outliers(root: Path) -> Path | None:
    """The folder of pictures of no class in a folder."""
    named = (name for name in _all_subfolders(root) if name.casefold() == OUTLIERS)
    return next((root / name for name in named), None)


def list_pictures(folder: Path, passed_over: Skipped) -> FolderSplit:
    """All pictures in a folder and below it, without classes."""
    paths = sorted(_pictures(folder, passed_over))
    return FolderSplit(folder, paths, [0] * len(paths))


def _outliers(roots: dict[str, Path], passed_over: Skipped) -> dict[str, FolderSplit]:
    folders = {name: find_outliers(root) for name, root in roots.items()}
    found = {name: list_pictures(folder, passed_over) for name, folder in folders.items() if folder}
    return {name: split for name, split in found.items() if split.paths}


def _check_known(root: Path, classes: tuple[str, ...]) -> None:
    """DataError for a split with classes that the training split lacks."""
    strange = sorted(set(_subfolders(root)) - set(classes))
    if not strange:
        return
    as_known = {name.casefold(): name for name in classes}
    twins = [
        f"{name} ({as_known[key]})" for name in strange if (key := name.casefold()) in as_known
    ]
    advice = (
        f"names of one class differ in case: {', '.join(twins)}: rename them"
        if twins
        else "give them pictures to train on, or move them away"
    )
    raise DataError(f"{root} has classes that train lacks: {', '.join(strange)}; {advice}")


def _split_folders(path: Path, passed_over: Skipped) -> dict[str, Path]:
    """The folders of splits in a folder; none where its subfolders are the classes."""
    found: dict[str, Path] = {}
    others = []
    for folder in _subfolders(path):
        kind = _NAMES.get(folder.casefold())
        if kind is None:
            others.append(folder)
        elif kind in found:
            raise DataError(
                f"{path} has {found[kind].name} and {folder}, which mean the same split: keep one"
            )
        else:
            found[kind] = path / folder
    if not found:
        return found
    if TRAINING not in found:
        named = ", ".join(folder.name for folder in found.values())
        raise DataError(
            f"{path} has {named} but no train folder: put the folders of the classes into "
            f"{path / 'train'}"
        )
    passed_over.folders += others
    for kind, root in found.items():
        if kind != TRAINING and not any(_subfolders(root)):
            raise DataError(_flat(root))
    return found


def _flat(folder: Path) -> str:
    if any(_is_picture(item) for item in _visible(folder)):
        return (
            f"{folder} holds pictures, but no subfolder per class, so that nobody knows what they "
            "show: sort them, or move the folder away"
        )
    return f"{folder} holds no pictures"


def _classes(root: Path) -> tuple[str, ...]:
    names = _subfolders(root)
    if len(names) < 2:
        raise DataError(f"{root} needs at least two subfolders, one per class: it has {len(names)}")
    _check_case(root, names)
    if len(names) > MOST_CLASSES:
        raise DataError(f"{root} has {len(names):,} classes: {MOST_CLASSES:,} at most")
    for name in names:
        if len(name) > LONGEST_CLASS:
            raise DataError(
                f"{root} has a class whose name has {len(name)} letters ({name[:20]}…): "
                f"{LONGEST_CLASS} at most, rename it"
            )
        if not _is_text(name):
            raise DataError(f"{root} has a subfolder whose name is not UTF-8 ({name!a}): rename it")
        if splits := [one for one in _subfolders(root / name) if one.casefold() in _NAMES]:
            raise DataError(
                f"{root / name} has splits of its own ({', '.join(splits)}): put the classes into "
                f"the splits, as {Path(splits[0]) / name}"
            )
    return tuple(names)


def _check_case(root: Path, names: list[str]) -> None:
    """DataError for two classes that are one folder on Windows and macOS, and after unpacking."""
    known: dict[str, str] = {}
    for name in names:
        if twin := known.get(name.casefold()):
            raise DataError(
                f"{root} has the classes {twin} and {name}, whose names differ in case only: put "
                "them together, or rename one"
            )
        known[name.casefold()] = name


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that Python could not decode
        return False
    return True


def _found(root: Path, classes: tuple[str, ...], passed_over: Skipped) -> FolderSplit:
    paths, labels = [], []
    for label, name in enumerate(classes):
        own = sorted(_pictures(root / name, passed_over))
        paths += own
        labels += [label] * len(own)
    return FolderSplit(root, paths, labels)


def _pictures(folder: Path, passed_over: Skipped) -> Iterator[Path]:
    """The pictures in a folder and in all below it; a folder that is not there has none."""
    if not folder.is_dir():
        return
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not _is_left_behind(name)]
        for name in files:
            path = Path(parent, name)
            if _is_left_behind(name):
                continue
            if _is_picture(path):
                yield path
            else:
                passed_over.suffixes[path.suffix.lower()] += 1


def _raise(error: OSError) -> None:
    raise error


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in _suffixes() and path.is_file()


@cache
def _suffixes() -> frozenset[str]:
    """The suffixes of the formats that are read, without those whose plugin is not installed."""
    missing = (
        one.suffixes
        for one in FORMATS
        if not one.module.startswith("PIL.") and find_spec(one.module) is None
    )
    return SUFFIXES.difference(*missing)


def _subfolders(root: Path) -> list[str]:
    return [name for name in _all_subfolders(root) if name.casefold() != OUTLIERS]


def _all_subfolders(root: Path) -> list[str]:
    return sorted(item.name for item in _visible(root) if item.is_dir())


def _visible(root: Path) -> Iterator[Path]:
    return (item for item in root.iterdir() if not _is_left_behind(item.name))


def _is_left_behind(name: str) -> bool:
    # Hidden files are no pictures: macOS leaves a "._name.png" beside each one on foreign disks.
    return name.startswith(".") or name.casefold() in _LEFT_BEHIND
