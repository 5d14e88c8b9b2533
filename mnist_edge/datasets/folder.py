"""A person's own images: one subfolder per class, pictures of any size and mode. What the files say
of themselves is read first, and decides on splits and shape; then each picture is read once."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.dataset_names import folder_dataset, public_name
from mnist_edge.datasets.base import Dataset, FolderFindings, Outliers, Split
from mnist_edge.datasets.folder_layout import (
    TEST,
    TRAINING,
    Layout,
    scan,
)
from mnist_edge.datasets.folder_pictures import (
    Pictures,
    count_steps,
    describe_errors,
    list_errors,
    look_through,
    quiet_decoders,
    read_pictures,
)
from mnist_edge.datasets.folder_shape import check_memory, choose_shape, possible_shapes
from mnist_edge.datasets.folder_splits import digest_outliers, digest_splits, split_files
from mnist_edge.datasets.splits import image_digests
from mnist_edge.errors import DataError
from mnist_edge.fingerprint import Fingerprint
from mnist_edge.image_shape import Fit, ImageOptions, ImageShape
from mnist_edge.preprocess.formats import NAMES
from mnist_edge.types import Progress

_AS_IT_IS = ImageOptions()


def load(
    path: Path,
    progress: Progress | None = None,
    options: ImageOptions = _AS_IT_IS,
    skip_unreadable: bool = False,
) -> Dataset:
    """PATH/train/<class>/* beside PATH/test and, if wanted, PATH/val; or PATH/<class>/*.

    What is not there is split off by each picture's hash (see `splits`). Class names are the
    subfolders' names, sorted; pictures below a class's subfolders belong to it; those below
    `_none`, beside the classes, belong to none. The shape is what is asked for, or else what the
    pictures have (see `folder_shape`). Raises DataError for a missing folder, a class without
    images, pictures that cannot be read (unless these are to be skipped, and findings), or more
    than memory holds.
    """
    try:
        with quiet_decoders():
            return _load(path.expanduser(), progress, options, skip_unreadable)
    except (OSError, RuntimeError) as error:  # no permission; ~name of nobody
        raise DataError(f"cannot read the folder {path}: {error}") from error


def _load(
    path: Path, progress: Progress | None, options: ImageOptions, skip_unreadable: bool
) -> Dataset:
    if not path.is_dir():
        raise DataError(f"there is no folder {path}: give folder:PATH with a subfolder per class")
    found = scan(path)
    _check_counts(found)
    step = count_steps(f"looking through {path}", len(found), progress)
    own = {name: look_through(split, step) for name, split in found.splits.items()}
    outliers = {name: look_through(split, step) for name, split in found.outliers.items()}
    shapes = possible_shapes([file for part in own.values() for file in part], options)
    check_memory(len(found), shapes[0])
    fit = options.fit or Fit.PAD
    step = count_steps(f"reading {path}", len(found), progress)
    training, validation, test = split_files(own)
    groups = [training + validation, test, *split_files(outliers)]
    read = [read_pictures(files, shapes, fit, step) for files in groups]
    errors = list_errors(read)
    if errors and not (skip_unreadable and all(len(part) > len(part.errors) for part in read[:2])):
        raise DataError(describe_errors(errors, len(found)))
    shape = choose_shape(shapes, sum(_colored(part) for part in read[:2]), len(found))
    held_out = np.arange(len(read[0])) >= len(training)
    held_out = held_out[read[0].is_read]
    return _assemble(path, found, [part.readable() for part in read], held_out, shape, fit, errors)


def _assemble(
    path: Path,
    found: Layout,
    read: Sequence[Pictures],
    held_out: NDArray[np.bool_],
    shape: ImageShape,
    fit: Fit,
    errors: Sequence[tuple[Path, str]],
) -> Dataset:
    """The data set of the training and validation pictures, of which some are held out, the test's,
    and the three parts of those of no class."""
    train, test, *outliers = read
    classes, images = found.classes, [part.images[shape] for part in read]
    names = tuple(str(file.path.relative_to(path)) for part in read[:2] for file in part.files)
    sizes = np.concatenate([train.sizes, test.sizes])
    tested, any_outliers = set(test.labels.tolist()), any(map(len, outliers))
    findings = FolderFindings(
        pictures=len(names),
        coloured=_colored(train) + _colored(test),
        smallest=_extreme(sizes, min),
        largest=_extreme(sizes, max),
        untested=tuple(classes[label] for label in sorted(set(range(len(classes))) - tested)),
        of_several=sum(int(part.of_several.sum()) for part in read),
        unreadable=tuple((str(one.relative_to(path)), reason) for one, reason in errors),
        **_layout_findings(found),
        **_copies(train, test, shape, held_out, names),
    )
    return Dataset(
        public_name(folder_dataset(path)),
        classes,
        Split(images[0], train.labels),
        Split(images[1], test.labels),
        str(path),
        held_out=held_out,
        fingerprint=Fingerprint(
            **digest_splits(train, test, held_out, classes),
            coloured=0 if shape.is_color else findings.coloured,
            outliers=digest_outliers(outliers) if any_outliers else None,
        ),
        findings=findings,
        names=names,
        sizes=sizes,
        fit=fit,
        outliers=Outliers(*images[2:]) if any_outliers else None,
    )


def _layout_findings(found: Layout) -> dict[str, Any]:
    return {
        "suffixes": dict(sorted(found.passed_over.suffixes.items())),
        "loose": found.passed_over.loose,
        "folders": tuple(found.passed_over.folders),
        "cut_test": TEST not in found.splits,
    }


def _copies(
    train: Pictures,
    test: Pictures,
    shape: ImageShape,
    held_out: NDArray[np.bool_],
    names: Sequence[str],
) -> dict[str, Any]:
    shown = image_digests(train.images[shape]) + image_digests(test.images[shape])
    splits = np.concatenate([held_out.astype(np.int64), np.full(len(test), 2)])
    labels = np.concatenate([train.labels, test.labels])
    return {
        "in_two_splits": _alike(shown, splits, names),
        "in_two_classes": _alike(shown, labels, names),
    }


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


def _colored(part: Pictures) -> int:
    return int(part.colored.sum())


def _extreme(sizes: NDArray[np.int64], which: Callable[..., tuple[int, int]]) -> tuple[int, int]:
    pairs = [(int(width), int(height)) for width, height in sizes]
    return which(pairs, key=lambda size: size[0] * size[1])


def _alike(
    shown: Sequence[bytes], sides: NDArray[np.int64], names: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Pairs of files that show the network the same pixels, on two sides: splits, or classes."""
    groups = defaultdict(list)
    for digest, side, name in zip(shown, sides.tolist(), names, strict=True):
        groups[digest].append((side, name))
    pairs = []
    for members in groups.values():
        first = members[0]
        pairs += [(first[1], name) for side, name in members[1:] if side != first[0]]
    return tuple(pairs)
