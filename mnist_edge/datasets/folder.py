"""A person's own images: one subfolder per class, any size and mode, brought to 28×28 grey."""

from pathlib import Path

import numpy as np

from mnist_edge import picture
from mnist_edge.datasets import FOLDER, Dataset, Progress, Split, stratified
from mnist_edge.errors import DataError

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}
_TEST_SHARE = 5  # one in five, where the person made no test split
_SEED = 0


def load(path: Path, progress: Progress | None = None) -> Dataset:
    """PATH/train/<class>/* and PATH/test/<class>/*, or PATH/<class>/* with a seeded split.

    Class names are the subfolders' names, sorted. Raises DataError for a missing folder, a
    class without images, a picture that cannot be read.
    """
    try:
        return _load(path.expanduser(), progress)
    except (OSError, RuntimeError) as error:  # no permission; ~name of nobody
        raise DataError(f"cannot read the folder {path}: {error}") from error


def _load(path: Path, progress: Progress | None) -> Dataset:
    if not path.is_dir():
        raise DataError(f"there is no folder {path}: give folder:PATH with a subfolder per class")
    has_split = (path / "train").is_dir()
    if has_split and not (path / "test").is_dir():
        raise DataError(f"{path} has a train folder but no test folder: add it, or drop both")
    root = path / "train" if has_split else path
    classes = _classes(root)
    train = _read(root, classes, progress)
    if has_split:
        if strange := sorted(set(_subfolders(path / "test")) - set(classes)):
            raise DataError(f"{path / 'test'} has classes that train lacks: {', '.join(strange)}")
        test = _read(path / "test", classes, progress)
    else:
        mask = stratified(train.labels, max(1, len(train) // _TEST_SHARE), _SEED)
        train, test = train[~mask], train[mask]
    return Dataset(FOLDER + path.resolve().name, classes, train, test, str(path))


def _subfolders(root: Path) -> list[str]:
    return sorted(
        item.name for item in root.iterdir() if item.is_dir() and not item.name.startswith(".")
    )


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    # Hidden files are no pictures: macOS leaves a "._name.png" beside each one on foreign disks.
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _classes(root: Path) -> tuple[str, ...]:
    names = _subfolders(root)
    if len(names) < 2:
        raise DataError(f"{root} needs at least two subfolders, one per class: it has {len(names)}")
    for name in names:
        if len(_pictures(root / name)) < 2:
            raise DataError(
                f"{root / name} holds fewer than two pictures "
                f"({', '.join(sorted(_SUFFIXES))}): add some, or remove the folder"
            )
    return tuple(names)


def _read(root: Path, classes: tuple[str, ...], progress: Progress | None) -> Split:
    found = [(path, at) for at, name in enumerate(classes) for path in _pictures(root / name)]
    if not found:
        raise DataError(f"{root} holds no pictures")
    images = np.empty((len(found), picture.SIDE, picture.SIDE), np.uint8)
    for at, (path, _) in enumerate(found):
        images[at] = picture.prepare(path, FOLDER)
        if progress:
            progress(f"reading {root}", at + 1, len(found))
    return Split(images, np.array([label for _, label in found], np.int64))
