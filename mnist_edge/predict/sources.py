"""What the PATHs of a command mean: the pictures that are to be read, in order."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from mnist_edge.image_shape import MNIST_SHAPE, Fit, ImageShape
from mnist_edge.predict import arrays
from mnist_edge.predict.results import Failure
from mnist_edge.preprocess import Pixels
from mnist_edge.preprocess.formats import SUFFIXES

STDIN = "-"
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_ARRAY = ".npy"
_CONVERTIBLE = {
    ".pdf": Failure("is a PDF", "make pictures of its pages first, as 'pdftoppm -png' does"),
    ".npz": Failure("holds several arrays", "save the one of pictures with numpy.save, as .npy"),
}
# Pillow knows these by name; few of them are pictures, and it decodes none by itself.
_NO_PICTURES = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "PDF", "WMF"}


@dataclass(frozen=True, slots=True)
class Source:
    """A picture to be read: its path, or `-` for standard input.

    `streams` is whether it can be read from its beginning to its end and once only, as standard
    input, a named pipe or a device. `failure` is why there is nothing to read, where that is known
    from the start. `image`, uint8 (H, W) or (H, W, 3), is one of an array, as the network takes it.
    """

    name: str
    streams: bool = False
    failure: Failure | None = None
    image: Pixels | None = field(default=None, repr=False, compare=False)


def find(
    paths: Sequence[str],
    recursive: bool = False,
    shape: ImageShape = MNIST_SHAPE,
    fit: Fit = Fit.DIGIT,
) -> Iterator[Source]:
    """The pictures that `paths` name, lazily; what is given twice is read twice.

    Of a folder those directly inside, or with `recursive` all below, in natural order: 2.png
    before 10.png. Hidden files, and those with a suffix of no picture, are passed over. A folder
    that holds none, or that cannot be listed, is one source with a `failure`. An array, .npy, is
    as many as it holds: digits.npy[0], digits.npy[1], …; its images are of the `shape` and `fit`
    of the network that they are for.
    """
    for path in paths:
        mode = 0 if path == STDIN else _mode(path)
        if stat.S_ISDIR(mode):
            yield from _in_folder(path, recursive)
        elif stat.S_ISREG(mode) and path.lower().endswith(_ARRAY):
            yield from _in_array(path, shape, fit)
        else:
            streams = path == STDIN or stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
            yield Source(
                path, streams, None if streams else _known_failure(path, stat.S_ISREG(mode))
            )


def count(paths: Sequence[str], shape: ImageShape = MNIST_SHAPE) -> int:
    """How many sources `find` will give without `recursive`."""
    return sum(1 for _ in find(paths, shape=shape))


def _in_array(path: str, shape: ImageShape, fit: Fit) -> Iterator[Source]:
    found = arrays.read(path, shape, fit)
    if isinstance(found, Failure):
        yield Source(path, failure=found)
    elif found.shape == shape.dims:
        yield Source(path, image=found)
    else:
        for at, image in enumerate(found):
            yield Source(f"{path}[{at}]", image=image)


def _known_failure(path: str, is_file: bool) -> Failure | None:
    """Of what is often given in a picture's place, how to make a picture of it."""
    if not is_file and _ADDRESS.match(path):
        return Failure("is an address", "download the picture, and name the file", path)
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122
    if is_file and suffix in _CONVERTIBLE:
        return _CONVERTIBLE[suffix]._replace(file=path)
    return None


def _mode(path: str) -> int:
    """The kind of a file, as stat gives it; 0 where there is none, which its reader will tell."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - a Path would not keep the name as it is
    except (OSError, ValueError):
        return 0


def _in_folder(folder: str, recursive: bool) -> Iterator[Source]:
    empty = True
    for source in _walk(folder, recursive):
        empty = False
        yield source
    if empty:
        reason = "is a folder without pictures" + " directly inside" * (not recursive)
        remedy = None if recursive else "--recursive looks below"
        yield Source(folder, failure=Failure(reason, remedy, folder))


def _walk(folder: str, recursive: bool) -> Iterator[Source]:
    waiting = [folder]  # no recursion: folders may lie deeper than Python's stack
    while waiting:
        folder = waiting.pop()
        try:
            pictures, folders = _list_folder(folder)
        except OSError as error:
            failure = Failure(f"cannot be listed: {error.strerror or error}", None, folder)
            yield Source(folder, failure=failure)
            continue
        for name in pictures:
            yield Source(os.path.join(folder, name))  # noqa: PTH118 - a million Paths
        if recursive:
            waiting += [os.path.join(folder, name) for name in reversed(folders)]  # noqa: PTH118


def _list_folder(folder: str) -> tuple[list[str], list[str]]:
    """The names of the pictures and of the folders directly inside, sorted, hidden ones left out.

    Links to folders are not followed: they may lead in circles.
    """
    pictures, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif _is_picture(entry.name) and _is_file(entry):
                pictures.append(entry.name)
    return sorted(pictures, key=_natural_key), sorted(folders, key=_natural_key)


def _is_file(entry: "os.DirEntry[str]") -> bool:
    """A file, or a link that leads nowhere or in circles: which is worth an error."""
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
    except OSError:
        return True


def _natural_key(name: str) -> tuple[str, str]:
    """By it 2 comes before 10; what is equal so stands in the order of its letters."""
    return re.sub(r"[0-9]+", lambda digits: digits[0].zfill(20), name.casefold()), name


def _is_picture(name: str) -> bool:
    """By its suffix: of a format that is read, or of another, which its reader refuses by name."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
    return suffix in SUFFIXES or suffix in _pillow_suffixes()


@cache
def _pillow_suffixes() -> frozenset[str]:
    """The suffixes of pictures that Pillow knows."""
    from PIL import Image

    Image.init()
    return frozenset(suffix for suffix, kind in Image.EXTENSION.items() if kind not in _NO_PICTURES)
