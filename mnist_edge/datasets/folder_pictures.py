"""The pictures of a folder: looked through for what their files say, then read as images."""

import hashlib
import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_edge import preprocess
from mnist_edge.datasets.folder_layout import FolderSplit
from mnist_edge.errors import DataError, FileError
from mnist_edge.file_access import open_file
from mnist_edge.image_shape import Fit, ImageShape
from mnist_edge.preprocess.header import Header, read_header
from mnist_edge.types import Progress

# A pixel has a colour where its channels are so far apart, and a picture where so many pixels have
# one: JPEG moves the channels of grey by a dozen.
_FAR_APART, _ENOUGH = 40, 0.01
_MOST_NAMED = 20  # unreadable pictures in one message
_LOOKED_AT = 128  # pixels along the shorter side, at least, that are looked at for colours


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture by its path, the number of its class, the SHA-256 of its file, and its header;
    None where that says nothing."""

    path: Path
    label: int
    digest: bytes
    header: Header | None

    @property
    def may_have_color(self) -> bool:
        return self.header is None or self.header.may_have_color


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures as read: `images` in each shape that was asked for, uint8 (N, H, W) or (N, H, W, 3);
    which have a colour, and which are one of several in their files, bool (N,); their sizes, int64
    (N, 2), width and height. `errors` say, by position, which could not be read, and why."""

    files: list[PictureFile]
    images: dict[ImageShape, NDArray[np.uint8]]
    colored: NDArray[np.bool_]
    of_several: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    errors: dict[int, str]

    def __len__(self) -> int:
        return len(self.files)

    @property
    def labels(self) -> NDArray[np.int64]:
        return np.array([file.label for file in self.files], np.int64)

    @property
    def is_read(self) -> NDArray[np.bool_]:
        """Which could be read, bool (N,)."""
        read = np.ones(len(self), bool)
        read[list(self.errors)] = False
        return read

    def readable(self) -> "Pictures":
        """Those that could be read."""
        if not self.errors:
            return self
        at = np.flatnonzero(self.is_read)
        return Pictures(
            [self.files[one] for one in at],
            {shape: images[at] for shape, images in self.images.items()},
            self.colored[at],
            self.of_several[at],
            self.sizes[at],
            {},
        )


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Without what Pillow writes to stderr of odd files: they are read, or named as unreadable."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


def look_through(split: FolderSplit, step: Callable[[], None]) -> list[PictureFile]:
    """What the files of a split say; `step` is called after each."""
    found = []
    for path, label in zip(split.paths, split.labels, strict=True):
        try:
            with open_file(path) as file:
                content = file.read()
        except (FileError, OSError):  # which to read it says
            content = b""
        found.append(
            PictureFile(path, label, hashlib.sha256(content).digest(), read_header(content))
        )
        step()
    return found


def read_pictures(
    files: Sequence[PictureFile], shapes: Sequence[ImageShape], fit: Fit, step: Callable[[], None]
) -> Pictures:
    """All pictures as images of all shapes; `step` is called after each."""
    count = len(files)
    read = Pictures(
        list(files),
        {shape: np.zeros((count, *shape.dims), np.uint8) for shape in shapes},
        np.zeros(count, bool),
        np.zeros(count, bool),
        np.zeros((count, 2), np.int64),
        {},
    )
    for at, file in enumerate(files):
        try:
            loaded = preprocess.load(file.path)
        except DataError as error:
            read.errors[at] = str(error)
        else:
            read.sizes[at] = loaded.size
            read.colored[at] = has_color(loaded.pixels)
            read.of_several[at] = loaded.note is not None
            for shape, images in read.images.items():
                images[at] = preprocess.prepare_images([loaded.pixels], shape, fit)[0].image
        step()
    return read


def has_color(pixels: NDArray[np.uint8]) -> bool:
    """Whether a picture, uint8 (H, W) or (H, W, 3), has a colour that is seen."""
    if pixels.ndim == 2:
        return False
    every = max(1, min(pixels.shape[:2]) // _LOOKED_AT)
    some = pixels[::every, ::every]
    apart = some.max(axis=2) - some.min(axis=2) > _FAR_APART
    return bool(apart.mean() >= _ENOUGH)


def list_errors(read: Sequence[Pictures]) -> list[tuple[Path, str]]:
    """Which pictures cannot be read, and why."""
    return sorted(
        (part.files[at].path, reason) for part in read for at, reason in part.errors.items()
    )


def describe_errors(errors: Sequence[tuple[Path, str]], total: int) -> str:
    """Those of so many pictures, in one line."""
    if len(errors) == 1:
        return errors[0][1]
    more = len(errors) - _MOST_NAMED
    named = "; ".join(reason for _, reason in errors[:_MOST_NAMED])
    named += f"; and {more:,} more" if more > 0 else ""
    return f"{len(errors):,} of {total:,} pictures cannot be read: {named}. Mend or remove them"


def count_steps(what: str, total: int, progress: Progress | None) -> Callable[[], None]:
    """What is called after each of `total` pictures."""
    count = itertools.count(1)
    return lambda: progress(what, next(count), total) if progress else None
