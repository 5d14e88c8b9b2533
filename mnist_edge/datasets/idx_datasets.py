"""MNIST and the sets in its format: found, read, checked, downloaded."""

import hashlib
import os
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.catalogue import DATASETS
from mnist_edge.datasets import cifar10, idx
from mnist_edge.datasets.base import DATA_DIR_VARIABLE, Dataset, Split, compute_fingerprint
from mnist_edge.datasets.download import fetch
from mnist_edge.datasets.file_names import (
    KERAS,
    cache_dir,
    existing_variants,
    find_in,
    list_names,
    unread_formats,
)
from mnist_edge.datasets.published import SOURCES, PublishedFile
from mnist_edge.errors import DataError, FileError
from mnist_edge.file_access import is_file, is_folder
from mnist_edge.types import SIDE, Progress

__all__ = ["SOURCES", "PublishedFile", "cache_dir", "download", "find", "read"]


def find(name: str, data_dir: Path | None) -> Path | None:
    """The first of the known places that holds a file of the set; None when there is none.

    The cache counts only when it holds all four: what an interrupted download left is completed.
    DataError when a place that was named is wrong, or may not be looked at.
    """
    try:
        return _find(name, data_dir)
    except FileError as error:
        raise DataError(str(error)) from error


def _find(name: str, data_dir: Path | None) -> Path | None:
    if data_dir is not None:
        if found := find_in(name, data_dir):
            return found
        raise DataError(
            f"{data_dir} does not hold {SOURCES[name].files[0].name}: "
            f"name the folder with the four files of {name}{_how_to_convert(data_dir)}"
        )
    if from_environment := os.environ.get(DATA_DIR_VARIABLE):
        place = Path(from_environment)
        if not is_folder(place) and not find_in(name, place):
            raise DataError(f"{DATA_DIR_VARIABLE} names {place}, which is not a folder")
        found = find_in(name, place)
        if found and not _holds_mnist_instead(name, found):
            return found
        if not any(find_in(other, place) for other in SOURCES) and not cifar10.find_in(place):
            _check_empty(place)
    try:
        cached = find_in(name, cache_dir())
    except DataError:  # nobody's home
        return None
    if cached and all(existing_variants(cached, file.name) for file in SOURCES[name].files):
        return cached
    return None


def _check_empty(place: Path) -> None:
    """DataError for a folder that holds something, but no set: whoever named it meant another."""
    if any(not name.startswith(".") for name in list_names(place)):
        raise DataError(
            f"{DATA_DIR_VARIABLE} names {place}, which holds none of the files of "
            f"{', '.join(SOURCES)}: name the folder that does, or unset it{_how_to_convert(place)}"
        )


def _how_to_convert(place: Path) -> str:
    if not (found := unread_formats(place)):
        return ""
    return (
        f" ({', '.join(found)} there: only IDX files and Keras' {KERAS} are read. Write each image "
        "as a picture DIR/<label>/<number>.png and name folder:DIR, or let mnist-edge download "
        "the set)"
    )


def read(name: str, place: Path) -> Dataset:
    """Read and check the four files of an IDX set. DataError says which file, and what to do."""
    source = SOURCES[name]
    if is_file(place):
        return _read_keras(name, place)
    paths = [_existing(place, file.name) for file in source.files]
    arrays = [_read(name, file, path) for file, path in zip(source.files, paths, strict=True)]
    train, test = (
        _split(arrays[at : at + 2], paths[at : at + 2], len(source.classes)) for at in (0, 2)
    )
    found = Dataset(name, source.classes, train, test, str(place), fit=DATASETS[name].fit)
    proven = all(file.sha256 for file in source.files)
    return found if proven else replace(found, fingerprint=compute_fingerprint(found))


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


def _holds_mnist_instead(name: str, place: Path) -> bool:
    """Whether the files there, which have the set's names, are those of MNIST."""
    labels = existing_variants(place, SOURCES[name].files[3].name)
    return name != "mnist" and bool(labels) and _is_mnist(idx.read_bytes(labels[0]))


def _read_keras(name: str, path: Path) -> Dataset:
    """MNIST from Keras' archive of four arrays: the same pixels, proven by the same digests."""
    files = SOURCES[name].files
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = [
                _member(archive, f"{part}_{split}.npy")
                for split in ("train", "test")
                for part in ("x", "y")
            ]
    except Exception as error:  # reading a foreign archive raises whatever it happens to spell
        raise DataError(f"{path} is not Keras' {KERAS}, or is damaged") from error
    for file, array in zip(files, arrays, strict=True):
        header = struct.pack(f">HBB{array.ndim}I", 0, 0x08, array.ndim, *array.shape)
        if hashlib.sha256(header + array.tobytes()).hexdigest() != file.sha256:
            raise DataError(f"{path} does not hold the published MNIST: fetch it again")
    paths = [path] * 2
    train, test = (_split(arrays[at : at + 2], paths, 10) for at in (0, 2))
    return Dataset(name, SOURCES[name].classes, train, test, str(path))


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[np.uint8]:
    with archive.open(name) as file:
        content = file.read(idx.LARGEST_FILE + 1)
    if len(content) > idx.LARGEST_FILE:
        raise ValueError(f"{name} is larger than any set")
    return np.asarray(np.load(BytesIO(content), allow_pickle=False), np.uint8)


def _existing(place: Path, name: str) -> Path:
    if found := existing_variants(place, name):
        return found[0]
    raise DataError(f"{place} lacks {name}: put it beside the others, or delete them all")


def _check_download(file: PublishedFile, path: Path) -> None:
    if file.md5 and hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != file.md5:
        raise DataError(f"what arrived is not the published file: its MD5 is not {file.md5}")
    try:
        _check(idx.read_bytes(path), file, path)
    except DataError as error:  # it advises to delete the file, which the caller does
        raise DataError("what arrived is not the published file: its SHA-256 differs") from error


def _check(content: bytes, file: PublishedFile, path: Path) -> None:
    if file.sha256 and hashlib.sha256(content).hexdigest() != file.sha256:
        raise DataError(
            f"{path} is not the published {file.name} (its SHA-256 differs): "
            "delete it and fetch it again"
        )


def _read(name: str, file: PublishedFile, path: Path) -> NDArray[Any]:
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
    if labels.dtype.kind not in "iu":
        raise DataError(
            f"{path} holds labels of type {labels.dtype}, not whole numbers: it is not of this set"
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
