"""Several data sets as one: their images together, their classes by name, their splits as they are.

A class that one of them does not have is learned from the others.
"""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mnist_edge.dataset_names import join_names
from mnist_edge.datasets.base import Dataset, Outliers, Split, fingerprint_by_name
from mnist_edge.datasets.class_names import composed
from mnist_edge.errors import DataError
from mnist_edge.fingerprint import Fingerprint, SplitDigest
from mnist_edge.image_shape import ImageShape

_SPLITS = ("training", "validation", "test")


def join(parts: Sequence[Dataset]) -> Dataset:
    """The parts as one data set, in their order. The classes are the first one's, and behind them
    those that the others have beside. DataError for images of several shapes, and for one set
    twice.

    Its `parts` hold the same images, labelled as the whole is.
    """
    _check(parts)
    names = {composed(name): name for part in reversed(parts) for name in part.classes}
    classes = tuple(names[key] for key in dict.fromkeys(map(composed, _all_classes(parts))))
    place = {composed(name): at for at, name in enumerate(classes)}
    orders = [np.array([place[composed(one)] for one in part.classes]) for part in parts]
    train, test = (
        _concatenate([getattr(part, name) for part in parts], orders) for name in ("train", "test")
    )
    joined = Dataset(
        join_names([part.name for part in parts]),
        classes,
        train,
        test,
        ", ".join(part.source for part in parts),
        held_out=np.concatenate([part.validation_mask for part in parts]),
        fingerprint=_fingerprint(parts),
        names=_file_names(parts),
        sizes=_picture_sizes(parts),
        fit=parts[0].fit,
        outliers=_outliers(parts),
    )
    return replace(joined, parts=tuple(_views(joined, parts)))


def check_shapes(shapes: Sequence[tuple[str, ImageShape]]) -> None:
    """DataError for sets, by name and shape of their images, which do not have one shape."""
    for (one, shape), (other, others) in itertools.pairwise(shapes):
        if shape != others:
            raise DataError(
                f"{one} has images of {shape}, {other} of {others}: only sets of one shape can be "
                "joined, or folders, whose pictures are read in the shape of the set that stands "
                "beside them"
            )


def _check(parts: Sequence[Dataset]) -> None:
    check_shapes([(part.name, part.shape) for part in parts])
    for part in parts:
        if sum(part.source == one.source and part.name == one.name for one in parts) > 1:
            raise DataError(f"{part.name} stands twice in this data set: name it once")


def _all_classes(parts: Sequence[Dataset]) -> list[str]:
    return [name for part in parts for name in part.classes]


def _concatenate(splits: Sequence[Split], orders: Sequence[NDArray[np.intp]]) -> Split:
    labels = [order[split.labels] for split, order in zip(splits, orders, strict=True)]
    return Split(
        np.concatenate([split.images for split in splits]),
        np.concatenate(labels).astype(np.int64),
    )


def _views(joined: Dataset, parts: Sequence[Dataset]) -> list[Dataset]:
    """The parts on the whole's images, so that none is in memory twice."""
    views, train, test = [], 0, 0
    for part in parts:
        own = slice(train, train + len(part.train)), slice(test, test + len(part.test))
        train, test = own[0].stop, own[1].stop
        views.append(
            replace(
                part,
                classes=joined.classes,
                train=joined.train[own[0]],
                test=joined.test[own[1]],
                held_out=part.validation_mask,
            )
        )
    return views


def _fingerprint(parts: Sequence[Dataset]) -> Fingerprint | None:
    """Of the parts' own, and of the names of those whose name says it all; None where all do."""
    if all(part.fingerprint is None for part in parts):
        return None

    known = [part.fingerprint or fingerprint_by_name(part) for part in parts]
    outliers = [one.outliers for one in known if one.outliers]
    return Fingerprint(
        **{name: _combine([getattr(one, name) for one in known]) for name in _SPLITS},
        coloured=sum(one.coloured for one in known),
        outliers=_combine(outliers) if outliers else None,
    )


def _combine(digests: Sequence[SplitDigest]) -> SplitDigest:
    lines = "".join(f"{one.sha256}\n" for one in digests)
    whole = hashlib.sha256(lines.encode()).hexdigest()
    return SplitDigest(sum(one.images for one in digests), whole)


def _file_names(parts: Sequence[Dataset]) -> tuple[str, ...]:
    """Those of the training images, then of the test's; the sets that have none count theirs."""
    if not any(part.names for part in parts):
        return ()
    every = [
        part.names or [f"{at:,}" for at in range(len(part.train) + len(part.test))]
        for part in parts
    ]
    told = [[f"{part.name}/{name}" for name in own] for part, own in zip(parts, every, strict=True)]
    train = [own[: len(part.train)] for part, own in zip(parts, told, strict=True)]
    test = [own[len(part.train) :] for part, own in zip(parts, told, strict=True)]
    return tuple(name for own in (*train, *test) for name in own)


def _picture_sizes(parts: Sequence[Dataset]) -> NDArray[np.int64] | None:
    """As `_file_names`; 0×0 for the sets that have none."""
    if all(part.sizes is None for part in parts):
        return None
    every = [
        np.zeros((len(part.train) + len(part.test), 2), np.int64)
        if part.sizes is None
        else part.sizes
        for part in parts
    ]
    train = [own[: len(part.train)] for part, own in zip(parts, every, strict=True)]
    test = [own[len(part.train) :] for part, own in zip(parts, every, strict=True)]
    return np.concatenate([*train, *test])


def _outliers(parts: Sequence[Dataset]) -> Outliers | None:
    found = [part.outliers for part in parts if part.outliers]
    if not found:
        return None
    return Outliers(*(np.concatenate([getattr(one, name) for one in found]) for name in _SPLITS))


def repeat_small_parts(data: Dataset, share: float | None) -> Split:
    """The training images of a joined set, where those of smaller parts are repeated whole until
    they are `share` as many as the largest's, or more; as they are by None, and of a single set."""
    if share is None or not data.parts:
        return data.training
    training = data.training
    index = [
        np.tile(np.arange(start, start + count), times)
        for start, count, times in _repeats(data, share)
    ]
    return training[np.concatenate(index)]


def repeats(data: Dataset, share: float) -> tuple[int, ...]:
    """How many times the training images of each part of a set come in an epoch."""
    return tuple(times for _, _, times in _repeats(data, share))


def _repeats(data: Dataset, share: float) -> list[tuple[int, int, int]]:
    """Of each part where its training images begin, how many there are, and how often they come."""
    counts = [int((~part.validation_mask).sum()) for part in data.parts]
    starts = np.cumsum([0, *counts[:-1]]).tolist()
    wanted = share * max(counts)
    times = [max(1, int(np.ceil(wanted / count))) if count else 1 for count in counts]
    return list(zip(starts, counts, times, strict=True))
