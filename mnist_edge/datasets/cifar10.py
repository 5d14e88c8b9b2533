"""CIFAR-10 (Krizhevsky 2009): the publisher's binary archive, what is unpacked of it, or a folder
of pictures train/<class>/* and test/<class>/*: JPEGs have other pixels than the publisher's."""

import hashlib
import os
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from mnist_edge.catalogue import DATASETS
from mnist_edge.datasets import folder
from mnist_edge.datasets.base import DATA_DIR_VARIABLE, Dataset, Split, compute_fingerprint
from mnist_edge.datasets.download import fetch
from mnist_edge.datasets.file_names import cache_dir
from mnist_edge.errors import DataError, FileError
from mnist_edge.file_access import is_file, is_folder, open_file
from mnist_edge.image_shape import Fit, ImageOptions
from mnist_edge.types import Progress

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
SHAPE = DATASETS["cifar10"].shape
ARCHIVE, BATCHES = "cifar-10-binary.tar.gz", "cifar-10-batches-bin"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILES = ("test_batch.bin",)
IMAGES = 10_000
"""How many each file has."""
_RECORD = 1 + SHAPE.values  # bytes: the label, then all red, all green, all blue


def load(data_dir: Path | None, progress: Progress | None) -> Dataset:
    """CIFAR-10 as it is found, or downloaded into the user's cache. DataError for what is not it,
    or cannot be had."""
    return load_if_here(data_dir, progress) or _read_archive(_download(progress))


def load_if_here(data_dir: Path | None, progress: Progress | None = None) -> Dataset | None:
    """The same, but None where it is not on this machine."""
    found = _find(data_dir)
    if found is None:
        return None
    try:
        if is_file(found):
            return _read_archive(found)
        return _read_folder(found, progress) if is_folder(found / "train") else _read_batches(found)
    except FileError as error:
        raise DataError(f"cannot read {error}") from error


def find_in(place: Path) -> Path | None:
    """The archive, the folder of what is unpacked, or that of pictures: in a folder, in one of it
    that has the set's name, or the path itself."""
    try:
        if place.name == ARCHIVE and is_file(place):
            return place
        for root in (place / "cifar10", place, place / BATCHES):
            if is_file(root / ARCHIVE):
                return root / ARCHIVE
            if is_file(root / TEST_FILES[0]):
                return root
            if all(is_folder(root / split / CLASSES[0]) for split in ("train", "test")):
                return root
            if is_file(root / BATCHES / TEST_FILES[0]):
                return root / BATCHES
    except FileError as error:
        raise DataError(str(error)) from error
    return None


def _find(data_dir: Path | None) -> Path | None:
    if data_dir is not None:
        if found := find_in(data_dir):
            return found
        raise DataError(
            f"{data_dir} does not hold {ARCHIVE}, {BATCHES} or train/{CLASSES[0]}: name the folder "
            "with one of them (of the archives of CIFAR-10, only the binary version is read)"
        )
    named = os.environ.get(DATA_DIR_VARIABLE)
    if named and (found := find_in(Path(named))):
        return found
    try:
        return find_in(cache_dir())
    except DataError:  # nobody's home
        return None


def _download(progress: Progress | None) -> Path:
    target = cache_dir() / "cifar10" / ARCHIVE
    urls = [mirror + ARCHIVE for mirror in MIRRORS]
    fetch(urls, target, _check_archive, progress)
    return target


def _check_archive(path: Path) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    with open_file(path) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    if digest.hexdigest() != MD5:
        raise DataError(f"{path} is not the published {ARCHIVE}: its MD5 is not {MD5}")


def _read_archive(path: Path) -> Dataset:
    """By the names and sizes of its members; nothing is unpacked to disk."""
    try:
        _check_archive(path)
    except DataError as error:
        raise DataError(f"{error}. Delete it and fetch it again") from error

    wanted = {f"{BATCHES}/{name}": name for name in (*TRAIN_FILES, *TEST_FILES)}
    try:
        with tarfile.open(path, "r:gz") as archive:
            read = {
                wanted[one.name]: _parse(archive.extractfile(one), f"{path}: {one.name}", one.size)
                for one in archive
                if one.name in wanted and one.isreg()
            }
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path} is damaged: delete it and fetch it again") from error
    return _join(read, str(path))


def _read_batches(place: Path) -> Dataset:
    read = {}
    for name in (*TRAIN_FILES, *TEST_FILES):
        path = place / name
        if not is_file(path):
            raise DataError(f"{place} lacks {name}: put it beside the others, or delete them all")
        with open_file(path) as file:
            read[name] = _parse(file, str(path), path.stat().st_size)
    return _join(read, str(place))


def _parse(file: IO[bytes] | None, name: str, size: int) -> Split:
    """One file: DataError for one of another size, or with labels that no class has."""
    if file is None or size != IMAGES * _RECORD:
        raise DataError(
            f"{name} has {size:,} bytes, not {IMAGES * _RECORD:,}: put the publisher's own file "
            "there"
        )
    records = np.frombuffer(file.read(), np.uint8).reshape(IMAGES, _RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= len(CLASSES):
        raise DataError(f"{name} holds labels outside 0..{len(CLASSES) - 1}: it is not of this set")
    planes = records[:, 1:].reshape(IMAGES, SHAPE.channels, SHAPE.height, SHAPE.width)
    return Split(np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels)


def _join(read: dict[str, Split], source: str) -> Dataset:
    """The set, of its six files."""
    if missing := [name for name in (*TRAIN_FILES, *TEST_FILES) if name not in read]:
        raise DataError(f"{source} lacks {', '.join(missing)}: fetch it again")
    parts = [read[name] for name in TRAIN_FILES]
    train = Split(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )
    found = Dataset("cifar10", CLASSES, train, read[TEST_FILES[0]], source, fit=Fit.PAD)
    return replace(found, fingerprint=compute_fingerprint(found))


def _read_folder(place: Path, progress: Progress | None) -> Dataset:
    """The pictures of a folder, of which the publisher's are 32×32."""
    found = folder.load(place, progress, ImageOptions.of(SHAPE, Fit.PAD))
    if found.classes != CLASSES:
        raise DataError(
            f"{place} has other classes than CIFAR-10: name it as folder:{place}, or remove them"
        )
    if found.sizes is None or (found.sizes != SHAPE.width).any():
        raise DataError(
            f"{place} has pictures that are not {SHAPE.size}, as those of CIFAR-10 are: name it as "
            f"folder:{place}"
        )
    # What its validation images are, is drawn as for all published sets.
    own = replace(found, name="cifar10", held_out=None, findings=None)
    return replace(own, fingerprint=compute_fingerprint(own))
