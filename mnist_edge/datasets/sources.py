"""MNIST and the sets in its format: where they come from, where they lie, how they are checked."""

import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.datasets import ENVIRONMENT, SIDE, Dataset, Progress, Split, idx
from mnist_edge.datasets.download import fetch
from mnist_edge.errors import DataError

_DIGITS = tuple("0123456789")


@dataclass(frozen=True, slots=True)
class File:
    """One file of a set, by its name as published, and a digest that proves it.

    `sha256` is of the uncompressed bytes, which do not differ between mirrors; where only the
    publisher's `md5` of the .gz is known, it checks downloads.
    """

    name: str
    sha256: str | None = None
    md5: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A set: its files in the order train images, train labels, test images, test labels."""

    files: tuple[File, File, File, File]
    mirrors: tuple[str, ...]
    classes: tuple[str, ...] = _DIGITS


# Mirrors and MD5 sums are those of torchvision.datasets.
SOURCES: dict[str, Source] = {
    "mnist": Source(
        (
            File(
                "train-images-idx3-ubyte.gz",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            File(
                "train-labels-idx1-ubyte.gz",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            File(
                "t10k-images-idx3-ubyte.gz",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            File(
                "t10k-labels-idx1-ubyte.gz",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "http://yann.lecun.com/exdb/mnist/",
        ),
    ),
    "fashion-mnist": Source(
        (
            File("train-images-idx3-ubyte.gz", md5="8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            File("train-labels-idx1-ubyte.gz", md5="25c81989df183df01b3e8a0aad5dffbe"),
            File("t10k-images-idx3-ubyte.gz", md5="bef4ecab320f06d8554ea6380940ec79"),
            File("t10k-labels-idx1-ubyte.gz", md5="bb300cfdad3c16e7a12a480ee83cd310"),
        ),
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
    "kmnist": Source(
        (
            File("train-images-idx3-ubyte.gz", md5="bdb82020997e1d708af4cf47b453dcf7"),
            File("train-labels-idx1-ubyte.gz", md5="e144d726b3acfaa3e44228e80efcd344"),
            File("t10k-images-idx3-ubyte.gz", md5="5c965bf0a639b31b8f53240b1b52f4d7"),
            File("t10k-labels-idx1-ubyte.gz", md5="7320c461ea6c1c855c0b718fb2a4b134"),
        ),
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
    "qmnist": Source(
        (
            File("qmnist-train-images-idx3-ubyte.gz", md5="ed72d4157d28c017586c42bc6afe6370"),
            File("qmnist-train-labels-idx2-int.gz", md5="0058f8dd561b90ffdd0f734c6a30e5e4"),
            File("qmnist-test-images-idx3-ubyte.gz", md5="1394631089c404de565df7b7aeaf9412"),
            File("qmnist-test-labels-idx2-int.gz", md5="5b5b05890a5e13444e108efe57b788aa"),
        ),
        ("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
    ),
}


def cache_dir() -> Path:
    """The user's cache folder for this tool, by the platform's convention."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "mnist-edge"


def find(name: str, data_dir: Path | None) -> Path | None:
    """The first of the known places that holds a file of the set; None when there is none.

    The cache counts only when it holds all four: what an interrupted download left is completed.
    DataError when a place that was named is wrong.
    """
    if data_dir is not None:
        if found := _holder(name, data_dir):
            return found
        raise DataError(
            f"{data_dir} does not hold {SOURCES[name].files[0].name}: "
            f"name the folder with the four files of {name}"
        )
    if from_environment := os.environ.get(ENVIRONMENT):
        if not Path(from_environment).is_dir():
            raise DataError(f"{ENVIRONMENT} names {from_environment}, which is not a folder")
        found = _holder(name, Path(from_environment))
        if found and not _holds_mnist_instead(name, found):
            return found
    cached = _holder(name, cache_dir())
    if cached and all(_variants(cached, file.name) for file in SOURCES[name].files):
        return cached
    return None


def read(name: str, place: Path) -> Dataset:
    """Read and check the four files of an IDX set. DataError says which file, and what to do."""
    source = SOURCES[name]
    paths = [_existing(place, file.name) for file in source.files]
    arrays = [_read(name, file, path) for file, path in zip(source.files, paths, strict=True)]
    train, test = (
        _split(arrays[at : at + 2], paths[at : at + 2], len(source.classes)) for at in (0, 2)
    )
    return Dataset(name, source.classes, train, test, str(place))


def download(name: str, progress: Progress | None) -> Path:
    """Fetch the four files of a set into the user's cache; the folder that they are in.

    DataError when no mirror gives the right files.
    """
    source, place = SOURCES[name], cache_dir() / name
    for file in source.files:
        fetch(
            [mirror + file.name for mirror in source.mirrors],
            place / file.name,
            check=partial(_check_download, file),
            progress=progress,
        )
    return place


def _holder(name: str, folder: Path) -> Path | None:
    """`folder`, or its subfolder of the set's name, whichever holds a file of the set."""
    for place in (folder / name, folder):
        for file in SOURCES[name].files:
            if _variants(place, file.name):
                return place
    return None


def _holds_mnist_instead(name: str, place: Path) -> bool:
    """Whether the files there, which have the set's names, are those of MNIST."""
    labels = _variants(place, SOURCES[name].files[3].name)
    return name != "mnist" and bool(labels) and _is_mnist(idx.read_bytes(labels[0]))


def _variants(place: Path, name: str) -> list[Path]:
    """The file as published or unpacked, where it exists."""
    return [path for path in (place / name, place / name.removesuffix(".gz")) if path.is_file()]


def _existing(place: Path, name: str) -> Path:
    if variants := _variants(place, name):
        return variants[0]
    raise DataError(f"{place} lacks {name}: put it beside the others, or delete them all")


def _check_download(file: File, path: Path) -> None:
    if file.md5 and hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != file.md5:
        raise DataError(f"what arrived is not the published file: its MD5 is not {file.md5}")
    try:
        _check(idx.read_bytes(path), file, path)
    except DataError as error:  # it advises to delete the file, which the caller does
        raise DataError("what arrived is not the published file: its SHA-256 differs") from error


def _check(content: bytes, file: File, path: Path) -> None:
    if file.sha256 and hashlib.sha256(content).hexdigest() != file.sha256:
        raise DataError(
            f"{path} is not the published {file.name} (its SHA-256 differs): "
            "delete it and fetch it again"
        )


def _read(name: str, file: File, path: Path) -> NDArray[Any]:
    content = idx.read_bytes(path)
    array = idx.parse(content, path)
    _check(content, file, path)
    if name != "mnist" and _is_mnist(content):
        raise DataError(
            f"{path} is a file of MNIST, not of {name}: put {name} into a folder of its own, "
            f"named {name}"
        )
    return array


def _is_mnist(content: bytes) -> bool:
    # The sets share their file names, and one taken for another would be quietly wrong.
    digest = hashlib.sha256(content).hexdigest()
    return any(digest == file.sha256 for file in SOURCES["mnist"].files)


def _split(arrays: Sequence[NDArray[Any]], paths: Sequence[Path], classes: int) -> Split:
    (images, labels), path = arrays, paths[1]
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE) or not len(images):
        raise DataError(
            f"{paths[0]} must hold images uint8 (N, {SIDE}, {SIDE}), it holds {images.dtype} "
            f"{images.shape}: put the data set's own file there"
        )
    if labels.ndim == 2 and labels.shape[1]:
        # QMNIST's extended labels: the class is the first of eight columns.
        labels = labels[:, 0]
    if labels.ndim != 1 or len(images) != len(labels):
        raise DataError(
            f"{path} does not belong to its images: labels {labels.shape}, images {images.shape}. "
            "Put the set's own files side by side"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"{path} holds labels outside 0..{classes - 1}: it is not of this set")
    # Copied, because what is read from a buffer is read-only, and PyTorch warns of that.
    return Split(images.copy(), labels.astype(np.int64))
