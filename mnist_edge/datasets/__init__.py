"""Data sets by name: images uint8 (N, 28, 28) and labels int64 (N,), checked as they come in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_edge.datasets.splitting import digests_of, part_of, stratified
from mnist_edge.errors import DataError, DataSetNameError, MissingExtraError
from mnist_edge.fingerprint import Fingerprint, Part

__all__ = [
    "ENVIRONMENT",
    "FOLDER",
    "SIDE",
    "Dataset",
    "Findings",
    "Progress",
    "Split",
    "load",
    "load_if_here",
    "split_validation",
    "stratified",
]

SIDE = 28
ENVIRONMENT = "MNIST_EDGE_DATA"
FOLDER = "folder:"
_VALIDATION_IMAGES = 5000
_VALIDATION_SEED = 0

Progress = Callable[[str, int, int], None]
"""Called while a set is fetched or read: what is under way, units done, units in all."""


@dataclass(frozen=True, slots=True)
class Split:
    """images: uint8 (N, 28, 28), 0 = background; labels: int64 (N,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.shape[1:] != (SIDE, SIDE):
            raise DataError(
                f"images must be uint8 (N, {SIDE}, {SIDE}), "
                f"not {self.images.dtype} {self.images.shape}"
            )
        if self.labels.dtype != np.int64 or self.labels.shape != (len(self.images),):
            raise DataError(
                f"labels must be int64 ({len(self.images)},), "
                f"not {self.labels.dtype} {self.labels.shape}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Split":
        return Split(self.images[chosen], self.labels[chosen])


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in a person's folder that they should know of.

    pictures: how many were read; coloured: how many of them lose a colour; smallest, largest:
    sizes (width, height). suffixes: how many files of each suffix, in small letters, were passed
    over; loose: pictures in no class; folders: those beside the splits. cut_test: whether the test
    split was split off by hash; untested: classes without test images. in_two_splits,
    in_two_classes: pairs of files that show the network the same pixels.
    """

    pictures: int
    coloured: int
    smallest: tuple[int, int]
    largest: tuple[int, int]
    suffixes: dict[str, int]
    loose: int
    folders: tuple[str, ...]
    cut_test: bool
    untested: tuple[str, ...]
    in_two_splits: tuple[tuple[str, str], ...]
    in_two_classes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set: its name, the names of its classes, its splits, and where it lies.

    `train` are all images but the test's; `held_out`, bool (N,), tells which of them are for
    validation. `fingerprint` is None where the name says it all: of what is published with a
    SHA-256. `findings` are of a folder.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    source: str
    held_out: NDArray[np.bool_] | None = None
    fingerprint: Fingerprint | None = None
    findings: Findings | None = field(default=None, repr=False)

    @property
    def training(self) -> Split:
        """The images to train on."""
        if self.held_out is None:
            return split_validation(self.train)[0]
        return self.train[~self.held_out]

    @property
    def validation(self) -> Split:
        """The images that choose whatever is to be chosen."""
        if self.held_out is None:
            return split_validation(self.train)[1]
        return self.train[self.held_out]


def load(name: str, data_dir: Path | None = None, progress: Progress | None = None) -> Dataset:
    """The data set of a name: mnist, fashion-mnist, kmnist, qmnist, digits or folder:PATH.

    IDX sets are looked for in `data_dir`, in $MNIST_EDGE_DATA, in the user's cache, and then
    downloaded into the cache. Raises DataError, naming the file and what to do.
    """
    from mnist_edge.datasets import digits, folder, sources

    if name.startswith(FOLDER):
        return folder.load(Path(name.removeprefix(FOLDER)), progress)
    if name == "digits":
        return digits.load()
    if name in sources.SOURCES:
        place = sources.find(name, data_dir) or sources.download(name, progress)
        return sources.read(name, place)
    if name and Path(name).is_dir():
        raise DataSetNameError(f"'{name}' is a folder: name it as {FOLDER}{name}")
    known = ", ".join([*sources.SOURCES, "digits", f"{FOLDER}PATH"])
    raise DataSetNameError(f"there is no data set '{name}': choose one of {known}")


def load_if_here(name: str, data_dir: Path | None = None) -> Dataset | None:
    """The data set if it is on this machine, else None: nothing is downloaded.

    A person's own folder is never here by its name alone. Raises DataError for damaged files.
    """
    from mnist_edge.datasets import digits, sources

    if name == "digits":
        try:
            return digits.load()
        except MissingExtraError:
            return None
    place = sources.find(name, data_dir) if name in sources.SOURCES else None
    return sources.read(name, place) if place else None


def split_validation(train: Split) -> tuple[Split, Split]:
    """Cut the validation split off the training images: 5,000, or a tenth of a small set (>= 1).

    Stratified, with a fixed seed: whatever chooses anything (temperature, calibration, stopping)
    looks at these images, and never at the test split.
    """
    size = min(_VALIDATION_IMAGES, max(1, len(train) // 10))
    mask = stratified(train.labels, size, _VALIDATION_SEED)
    return train[~mask], train[mask]


def fingerprint(data: Dataset) -> Fingerprint:
    """The fingerprint of a set that nobody published a SHA-256 of, by its images."""

    def part(split: Split) -> Part:
        return part_of(digests_of(split.images), split.labels, data.classes)

    return Fingerprint(part(data.training), part(data.validation), part(data.test))
