"""A person's own images: one subfolder per class, any size and mode, brought to 28×28 grey."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_edge import preprocess
from mnist_edge.dataset_names import folder_dataset, public_name
from mnist_edge.datasets.base import Dataset, FolderFindings, Split
from mnist_edge.datasets.folder_layout import TEST, TRAINING, VALIDATION, Layout, scan
from mnist_edge.datasets.splits import split_digest, test_mask, validation_mask
from mnist_edge.errors import DataError
from mnist_edge.file_access import open_file
from mnist_edge.fingerprint import Fingerprint
from mnist_edge.image_shape import MNIST_SHAPE, Fit, ImageOptions, ImageShape
from mnist_edge.preprocess.formats import NAMES
from mnist_edge.types import Progress

_AS_IT_IS = ImageOptions()
_MOST_NAMED = 20  # unreadable pictures in one message
# A pixel has a colour where its channels are so far apart, and a picture where so many pixels have
# one: JPEG moves the channels of grey by a dozen.
_FAR_APART, _ENOUGH = 40, 0.01


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Pictures as read: `images` uint8 (N, H, W) or (N, H, W, 3), `labels` int64 (N,), the SHA-256
    of each file, whether it has a colour, and its size (width, height)."""

    paths: list[Path]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    digests: list[bytes]
    coloured: NDArray[np.bool_]
    sizes: list[tuple[int, int]]

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "_Pictures":
        at = np.flatnonzero(chosen)
        return _Pictures(
            [self.paths[one] for one in at],
            self.images[at],
            self.labels[at],
            [self.digests[one] for one in at],
            self.coloured[at],
            [self.sizes[one] for one in at],
        )

    def __len__(self) -> int:
        return len(self.paths)


def load(
    path: Path, progress: Progress | None = None, options: ImageOptions = _AS_IT_IS
) -> Dataset:
    """PATH/train/<class>/* beside PATH/test and, if wanted, PATH/val; or PATH/<class>/*.

    What is not there is split off by each picture's hash (see `splits`). Class names are the
    subfolders' names, sorted; pictures below a class's subfolders belong to it. Raises DataError
    for a missing folder, a class without images, pictures that cannot be read.
    """
    try:
        return _load(path.expanduser(), progress, options)
    except (OSError, RuntimeError) as error:  # no permission; ~name of nobody
        raise DataError(f"cannot read the folder {path}: {error}") from error


def _load(path: Path, progress: Progress | None, options: ImageOptions) -> Dataset:
    if not path.is_dir():
        raise DataError(f"there is no folder {path}: give folder:PATH with a subfolder per class")
    found = scan(path)
    _check_counts(found)
    shape, fit = options.apply(MNIST_SHAPE), options.fit or Fit.ZERO_PAD
    own = _read(found, shape, fit, progress)
    training, validation, test = _split(own)
    classes = found.classes
    train = np.concatenate([training.images, validation.images])
    labels = np.concatenate([training.labels, validation.labels])
    everything = [training, validation, test]
    coloured = sum(int(some.coloured.sum()) for some in everything)
    return Dataset(
        public_name(folder_dataset(path)),
        classes,
        Split(train, labels),
        Split(test.images, test.labels),
        str(path),
        held_out=np.arange(len(labels)) >= len(training),
        fingerprint=Fingerprint(
            training=split_digest(training.digests, training.labels, classes),
            validation=split_digest(validation.digests, validation.labels, classes),
            test=split_digest(test.digests, test.labels, classes),
            coloured=coloured,
        ),
        findings=_findings(path, found, everything, coloured),
        names=tuple(str(one.relative_to(path)) for some in everything for one in some.paths),
        fit=fit,
    )


def _check_counts(found: Layout) -> None:
    training = found.splits[TRAINING]
    counts = np.bincount(training.labels, minlength=len(found.classes))
    for name, count in zip(found.classes, counts, strict=True):
        if count < 2:
            raise DataError(
                f"{training.root / name} holds fewer than two pictures ({NAMES}): add some, or "
                "remove the folder"
            )
    for split in found.splits.values():
        if not split.paths:
            raise DataError(f"{split.root} holds no pictures")


def _read(
    found: Layout, shape: ImageShape, fit: Fit, progress: Progress | None
) -> dict[str, _Pictures]:
    """All pictures of all splits. DataError, which names those that cannot be read."""
    total, done, errors = sum(len(split.paths) for split in found.splits.values()), 0, []
    read = {}
    for name, split in found.splits.items():
        count = len(split.paths)
        images = np.zeros((count, *shape.dims), np.uint8)
        coloured, digests, sizes = np.zeros(count, bool), [], []
        for at, path in enumerate(split.paths):
            try:
                loaded = preprocess.load(path)
                digests.append(_digest(path))
                sizes.append(loaded.size)
                coloured[at] = _has_colour(loaded.pixels)
                images[at] = preprocess.prepare_images([loaded.pixels], shape, fit)[0].image
            except DataError as error:
                errors.append(str(error))
            done += 1
            if progress:
                progress(f"reading {split.root}", done, total)
        labels = np.array(split.labels, np.int64)
        read[name] = _Pictures(split.paths, images, labels, digests, coloured, sizes)
    if errors:
        raise DataError(_unreadable(errors, total))
    return read


def _unreadable(errors: Sequence[str], total: int) -> str:
    if len(errors) == 1:
        return errors[0]
    more = len(errors) - _MOST_NAMED
    named = "; ".join(errors[:_MOST_NAMED]) + (f"; and {more:,} more" if more > 0 else "")
    return f"{len(errors):,} of {total:,} pictures cannot be read: {named}. Mend or remove them"


def _digest(path: Path) -> bytes:
    with open_file(path) as file:
        return hashlib.sha256(file.read()).digest()


def _has_colour(pixels: NDArray[np.uint8]) -> bool:
    if pixels.ndim == 2:
        return False
    apart = pixels.max(axis=2) - pixels.min(axis=2) > _FAR_APART
    return bool(apart.mean() >= _ENOUGH)


def _split(own: dict[str, _Pictures]) -> tuple[_Pictures, _Pictures, _Pictures]:
    """The training, validation and test pictures: a person's own splits, or by hash."""
    training, validation, test = own[TRAINING], own.get(VALIDATION), own.get(TEST)
    if test is None:
        mask = test_mask(training.digests, training.labels)
        training, test = training[~mask], training[mask]
    if validation is None:
        mask = validation_mask(training.digests, training.labels)
        training, validation = training[~mask], training[mask]
    return training, validation, test


def _findings(
    path: Path, found: Layout, splits: Sequence[_Pictures], coloured: int
) -> FolderFindings:
    test = splits[2]
    untested = set(range(len(found.classes))) - set(test.labels.tolist())
    sizes = [size for split in splits for size in split.sizes]
    return FolderFindings(
        pictures=sum(map(len, splits)),
        coloured=coloured,
        smallest=min(sizes, key=lambda size: size[0] * size[1]),
        largest=max(sizes, key=lambda size: size[0] * size[1]),
        suffixes=dict(sorted(found.passed_over.suffixes.items())),
        loose=found.passed_over.loose,
        folders=tuple(found.passed_over.folders),
        cut_test=TEST not in found.splits,
        untested=tuple(found.classes[label] for label in sorted(untested)),
        in_two_splits=_alike(path, splits, of_splits=True),
        in_two_classes=_alike(path, splits, of_splits=False),
    )


def _alike(path: Path, splits: Sequence[_Pictures], of_splits: bool) -> tuple[tuple[str, str], ...]:
    """Pairs of files that show the same 28×28 pixels to the network: one of training and one of
    validation or test; or two of different classes."""
    groups = defaultdict(list)
    for number, split in enumerate(splits):
        for at, image in enumerate(split.images):
            side = number if of_splits else int(split.labels[at])
            groups[image.tobytes()].append((side, str(split.paths[at].relative_to(path))))
    pairs = []
    for members in groups.values():
        first = members[0]
        pairs += [(first[1], name) for side, name in members[1:] if side != first[0]]
    return tuple(pairs)
