"""What a data set is: a split of images and labels, and the three splits that belong together."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mnist_edge.catalogue import DATASETS
from mnist_edge.dataset_names import parts_of
from mnist_edge.datasets.detect_kind import detect_kind
from mnist_edge.datasets.splits import image_digests, split_digest, stratified_mask
from mnist_edge.errors import DataError
from mnist_edge.fingerprint import Fingerprint, SplitDigest
from mnist_edge.image_kind import ImageKind
from mnist_edge.image_shape import Fit, ImageShape

DATA_DIR_VARIABLE = "MNIST_EDGE_DATA"
_VALIDATION_IMAGES = 5000
_VALIDATION_SEED = 0


@dataclass(frozen=True, slots=True)
class Split:
    """images: uint8 (N, H, W), or (N, H, W, 3) in RGB; labels: int64 (N,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        try:
            ImageShape.of(self.images)
        except ValueError as error:
            raise DataError(str(error)) from error
        if self.labels.dtype != np.int64 or self.labels.shape != (len(self.images),):
            raise DataError(
                f"labels must be int64 ({len(self.images)},), "
                f"not {self.labels.dtype} {self.labels.shape}"
            )

    @property
    def shape(self) -> ImageShape:
        return ImageShape.of(self.images)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Split":
        return Split(self.images[chosen], self.labels[chosen])


@dataclass(frozen=True, slots=True)
class FolderFindings:
    """What was found in a person's folder that they should know of.

    pictures: how many were read; coloured: how many of them have a colour; smallest, largest:
    sizes (width, height). suffixes: how many files of each suffix, in small letters, were passed
    over; loose: pictures in no class; folders: those beside the splits. cut_test: whether the test
    split was split off by hash; untested: classes without test images. in_two_splits,
    in_two_classes: pairs of files that show the network the same pixels. of_several: how many are
    the first of several in their files, frames or pages; unreadable: files that were left out,
    where that was asked for, each with the reason.
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
    of_several: int = 0
    unreadable: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Outliers:
    """Images of no class, uint8 (N, H, W) or (N, H, W, 3) in the shape of their data set: on these
    every class is to be equally probable. `validation` is for thresholds."""

    training: NDArray[np.uint8]
    validation: NDArray[np.uint8]
    test: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.training) + len(self.validation) + len(self.test)


@dataclass(frozen=True)
class Dataset:
    """A data set: its name, the names of its classes, its three splits, and where it lies.

    `train` are all images but the test's; `held_out`, bool (N,), tells which of them are for
    validation, None where they are drawn. `fingerprint` is None where the name says it all: of
    what is published with a SHA-256. `findings` are of a folder, and so are
    `names` and `sizes`, those of its files and pictures (int64 (N, 2), width and height; 0×0 where
    that is not known): of `train`'s images, then of `test`'s. `fit` is how pictures become images
    like these. `outliers` are a person's own images of no class, which are in no
    split. `parts` are those that were joined, none for a single set. DataError for splits of two
    shapes.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    source: str
    held_out: NDArray[np.bool_] | None = None
    fingerprint: Fingerprint | None = None
    findings: FolderFindings | None = field(default=None, repr=False)
    names: tuple[str, ...] = field(default=(), repr=False)
    sizes: NDArray[np.int64] | None = field(default=None, repr=False)
    fit: Fit = Fit.DIGIT
    outliers: Outliers | None = field(default=None, repr=False)
    parts: tuple["Dataset", ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.train.shape != self.test.shape:
            raise DataError(
                f"{self.name}: the training images are {self.train.shape}, the test images "
                f"{self.test.shape}: they have to be alike"
            )

    @property
    def shape(self) -> ImageShape:
        """Of each of its images."""
        return self.train.shape

    @cached_property
    def kind(self) -> ImageKind:
        """What its images are of: as the catalogue says, else by their pixels."""
        known = DATASETS.get(parts_of(self.name)[0])
        return (known and known.kind) or detect_kind(self.train.images)

    # Each split is cut once, when it is first asked for: it copies 43 MB of MNIST's images.
    @cached_property
    def training(self) -> Split:
        """The images to train on."""
        return self.train[~self.validation_mask]

    @cached_property
    def validation(self) -> Split:
        """The images that choose whatever is to be chosen: temperature, calibration, stopping."""
        return self.train[self.validation_mask]

    @cached_property
    def validation_mask(self) -> NDArray[np.bool_]:
        """Which images of `train`, bool (N,), are for validation.

        Without `held_out` they are 5,000, or a tenth of a small set (at least 1): stratified,
        drawn with a fixed seed.
        """
        if self.held_out is not None:
            return self.held_out
        size = min(_VALIDATION_IMAGES, max(1, len(self.train) // 10))
        return stratified_mask(self.train.labels, size, _VALIDATION_SEED)


def fingerprint_by_name(data: Dataset) -> Fingerprint:
    """The fingerprint of a published set, whose name says which images it has."""
    digest = hashlib.sha256(data.name.encode(errors="surrogatepass")).hexdigest()
    training, validation, test = (
        SplitDigest(len(split), digest) for split in (data.training, data.validation, data.test)
    )
    return Fingerprint(training, validation, test)


def compute_fingerprint(data: Dataset) -> Fingerprint:
    """The fingerprint of a set that nobody published a SHA-256 of, by its images."""

    def part(split: Split) -> SplitDigest:
        return split_digest(image_digests(split.images), split.labels, data.classes)

    return Fingerprint(part(data.training), part(data.validation), part(data.test))
