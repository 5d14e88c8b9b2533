"""The splits of a folder's pictures: a person's own, or by hash; and the digests of these."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mnist_edge.datasets.folder_layout import TEST, TRAINING, VALIDATION
from mnist_edge.datasets.folder_pictures import PictureFile, Pictures
from mnist_edge.datasets.splits import split_digest, test_mask, validation_mask
from mnist_edge.fingerprint import SplitDigest

_Files = list[PictureFile]


def split_files(own: Mapping[str, _Files]) -> tuple[_Files, _Files, _Files]:
    """The training, validation and test pictures: a person's own splits, or by hash."""
    training, validation, test = own.get(TRAINING, []), own.get(VALIDATION), own.get(TEST)
    if test is None:
        training, test = _divide(training, test_mask)
    if validation is None:
        training, validation = _divide(training, validation_mask)
    return training, validation, test


def _divide(
    files: _Files, choose: Callable[[list[bytes], NDArray[np.int64]], NDArray[np.bool_]]
) -> tuple[_Files, _Files]:
    """Those that stay, and those that are chosen."""
    labels = np.array([file.label for file in files], np.int64)
    mask = choose([file.digest for file in files], labels)
    pairs = list(zip(files, mask, strict=True))
    return [file for file, one in pairs if not one], [file for file, one in pairs if one]


def digest_splits(
    train: Pictures, test: Pictures, held_out: NDArray[np.bool_], classes: Sequence[str]
) -> dict[str, SplitDigest]:
    """Of the training, validation and test pictures: of `train`, some are `held_out`, bool (N,)."""
    every = np.ones(len(test), bool)
    return {
        TRAINING: _digest(train, ~held_out, classes),
        VALIDATION: _digest(train, held_out, classes),
        TEST: _digest(test, every, classes),
    }


def digest_outliers(parts: Sequence[Pictures]) -> SplitDigest:
    """Of pictures of no class, by the parts that are for training, validation and the test."""
    digests = [file.digest for part in parts for file in part.files]
    number = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return split_digest(digests, number, (TRAINING, VALIDATION, TEST))


def _digest(part: Pictures, chosen: NDArray[np.bool_], classes: Sequence[str]) -> SplitDigest:
    digests = [part.files[at].digest for at in np.flatnonzero(chosen)]
    return split_digest(digests, part.labels[chosen], classes)
