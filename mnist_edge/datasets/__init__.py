"""Data sets by name: images uint8 (N, 28, 28) and labels int64 (N,), checked as they come in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_edge.errors import DataError, MissingExtraError

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
class Dataset:
    """A data set: its name, the names of its classes, its two splits, and where it lies."""

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    source: str


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
    known = ", ".join([*sources.SOURCES, "digits", f"{FOLDER}PATH"])
    raise DataError(f"there is no data set '{name}': choose one of {known}")


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


def stratified(labels: NDArray[np.int64], size: int, seed: int) -> NDArray[np.bool_]:
    """A mask, bool (N,), of `size` seeded random positions, classes in their proportions."""
    classes, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    shares = counts * size / max(1, len(labels))
    quotas = np.floor(shares).astype(int)
    # What rounding down left over goes to the classes that lost most by it.
    rest = size - quotas.sum()
    quotas[np.argsort(quotas - shares, kind="stable")[:rest]] += 1
    random = np.random.default_rng(seed)
    mask = np.zeros(len(labels), bool)
    for position in range(len(classes)):
        members = np.flatnonzero(inverse == position)
        mask[random.permutation(members)[: quotas[position]]] = True
    return mask
