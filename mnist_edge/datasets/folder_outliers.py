"""Pictures of no class that lie apart from their data set."""

from collections.abc import Sequence
from pathlib import Path

from mnist_edge.datasets.base import Dataset, Outliers
from mnist_edge.datasets.folder_layout import TRAINING, Skipped, list_pictures
from mnist_edge.datasets.folder_pictures import (
    count_steps,
    describe_errors,
    list_errors,
    look_through,
    quiet_decoders,
    read_pictures,
)
from mnist_edge.datasets.folder_shape import check_memory
from mnist_edge.datasets.folder_splits import digest_outliers, split_files
from mnist_edge.errors import DataError
from mnist_edge.fingerprint import SplitDigest
from mnist_edge.preprocess.formats import NAMES
from mnist_edge.types import Progress


def load_outliers(
    path: Path, data: Dataset, progress: Progress | None = None
) -> tuple[Outliers, SplitDigest]:
    """All pictures of a folder as images of no class for a data set, split by each one's hash, and
    their fingerprint. DataError where there are fewer than two, one is of a class, or one cannot be
    read."""
    try:
        path = path.expanduser()
        if not path.is_dir():
            raise DataError(f"there is no folder {path}: name one with pictures of no class")
        found = list_pictures(path, Skipped())
    except (OSError, RuntimeError) as error:  # no permission; ~name of nobody
        raise DataError(f"cannot read the folder {path}: {error}") from error
    if len(found.paths) < 2:
        raise DataError(
            f"{path} holds fewer than two pictures ({NAMES}): add some, or name another folder"
        )
    if in_class := _first_in_class(found.paths, data):
        raise DataError(
            f"{in_class} is of a class of {data.name}, and cannot be of no class as well: name a "
            "folder of other pictures"
        )
    shape, fit = data.shape, data.fit
    check_memory(len(data.train) + len(data.test) + len(found.paths), shape)
    step = count_steps(f"looking through {path}", len(found.paths), progress)
    read = count_steps(f"reading {path}", len(found.paths), progress)
    with quiet_decoders():
        files = look_through(found, step)
        parts = [read_pictures(part, [shape], fit, read) for part in split_files({TRAINING: files})]
    if errors := list_errors(parts):
        raise DataError(describe_errors(errors, len(files)))
    return Outliers(*(part.images[shape] for part in parts)), digest_outliers(parts)


def _first_in_class(paths: Sequence[Path], data: Dataset) -> Path | None:
    """The first of some pictures that a data set has in a class, by its file."""
    own = {
        Path(part.source).resolve() / name for part in data.parts or [data] for name in part.names
    }
    return next((path for path in paths if path.resolve() in own), None)
