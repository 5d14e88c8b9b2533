"""Pictures from wherever they come -> pixels."""

import io
import os
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from mnist_edge.errors import DataError, FileError
from mnist_edge.file_access import open_file
from mnist_edge.preprocess.formats import PREFIX, format_of
from mnist_edge.preprocess.limits import (
    MOST_BYTES,
    MOST_PIPED,
    MOST_WHOLE,
    check_bytes,
    check_length,
)
from mnist_edge.preprocess.pixels import MOST_PIXELS, Loaded, decoded, loaded, reason

__all__ = ["MOST_PIXELS", "Loaded", "Source", "load", "name_of"]

Source = str | Path | BinaryIO | Image.Image

_SMALL, _PIECE = 1 << 16, 1 << 24  # bytes


def name_of(source: Source) -> str:
    """What to call a picture in a message."""
    if isinstance(source, (str, Path)):
        return str(source)
    return str(getattr(source, "filename", "") or getattr(source, "name", "") or "the picture")


def load(source: Source) -> Loaded:
    """Read a picture: the path of a file, an open binary file, or a Pillow image.

    Files are of the formats in `formats.FORMATS`. Of an animation or a file of several pages the
    first is read, and the note says so. Raises DataError when it is missing, is no picture, is
    damaged or cut off, or is too large or small.
    """
    if not isinstance(source, (str, Path, Image.Image)) and not hasattr(source, "read"):
        raise TypeError(f"a picture is a path, a binary file or a Pillow image, not {source!r:.60}")
    try:
        if isinstance(source, Image.Image):
            return loaded(source, source.size)
        if isinstance(source, (str, Path)):
            with open_file(source, buffering=0, noun="picture") as file:
                return _opened(file)
        return _opened(source)
    except FileError as error:
        raise DataError(str(error)) from None
    except DataError as error:
        raise DataError(f"{name_of(source)}: {error}") from None
    except Exception as error:  # decoders of hostile files raise whatever they like
        raise DataError(f"{name_of(source)}: {reason(error)}") from error


def _opened(file: BinaryIO | io.RawIOBase) -> Loaded:
    # A small file is read in one call: half the time of reading a small picture is in the others.
    begins = file.tell() if file.seekable() else None
    start = file.read(_SMALL)
    if not start:
        raise DataError("is empty")
    while len(start) < PREFIX and (more := file.read(_SMALL)):  # a pipe gives what it has
        start += more
    form = format_of(start[:PREFIX])
    if begins == 0 and len(start) == _SMALL and not form.whole:
        size = file.seek(0, os.SEEK_END)
        check_length(size, MOST_BYTES)
        file.seek(0)
        return decoded(file, form, size)
    most = MOST_WHOLE if form.whole else MOST_PIPED
    stream = _all(file, start, most)
    size = stream.tell()
    check_length(size, most)
    check_bytes(form.name, stream.getvalue())
    stream.seek(0)
    if form.apart:
        from mnist_edge.preprocess.decoder_process import decoded_apart  # rare, and 10 ms to import

        return decoded_apart(stream.getvalue())
    return decoded(stream, form, size)


def _all(file: BinaryIO | io.RawIOBase, start: bytes, most: int) -> io.BytesIO:
    """What a file holds that began with `start`: all, or a little more than `most` bytes."""
    stream = io.BytesIO()
    stream.write(start)
    while stream.tell() <= most and (piece := file.read(_PIECE)):
        stream.write(piece)
    return stream
