"""Pictures from wherever they come -> pixels."""

import io
import os
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from mnist_edge.errors import DataError, FileError
from mnist_edge.file_access import open_file
from mnist_edge.preprocess.formats import PREFIX_BYTES, detect_format
from mnist_edge.preprocess.limits import (
    MAX_BYTES,
    MAX_PIPED_BYTES,
    MAX_WHOLE_BYTES,
    check_bytes,
    check_length,
)
from mnist_edge.preprocess.pixels import MAX_PIXELS, Loaded, decode, describe_error, load_image

__all__ = ["MAX_PIXELS", "Loaded", "Source", "load", "name_of"]

Source = str | Path | BinaryIO | Image.Image

_SMALL_READ, _LARGE_READ = 1 << 16, 1 << 24  # bytes


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
            return load_image(source, source.size)
        if isinstance(source, (str, Path)):
            with open_file(source, buffering=0, noun="picture") as file:
                return _decode_file(file)
        return _decode_file(source)
    except FileError as error:
        raise DataError(str(error)) from None
    except DataError as error:
        raise DataError(f"{name_of(source)}: {error}") from None
    except Exception as error:  # decoders of hostile files raise whatever they like
        raise DataError(f"{name_of(source)}: {describe_error(error)}") from error


def _decode_file(file: BinaryIO | io.RawIOBase) -> Loaded:
    # A small file is read in one call: half the time of reading a small picture is in the others.
    begins = file.tell() if file.seekable() else None
    start = file.read(_SMALL_READ)
    if not start:
        raise DataError("is empty")
    while len(start) < PREFIX_BYTES and (
        more := file.read(_SMALL_READ)
    ):  # a pipe gives what it has
        start += more
    form = detect_format(start[:PREFIX_BYTES])
    if begins == 0 and len(start) == _SMALL_READ and not form.whole:
        size = file.seek(0, os.SEEK_END)
        check_length(size, MAX_BYTES)
        file.seek(0)
        return decode(file, form, size)
    most = MAX_WHOLE_BYTES if form.whole else MAX_PIPED_BYTES
    stream = _read_all(file, start, most)
    size = stream.tell()
    check_length(size, most)
    check_bytes(form.name, stream.getvalue())
    stream.seek(0)
    if form.apart:
        from mnist_edge.preprocess.decoder_process import (
            decode_in_process,  # rare, and 10 ms to import
        )

        return decode_in_process(stream.getvalue())
    return decode(stream, form, size)


def _read_all(file: BinaryIO | io.RawIOBase, start: bytes, most: int) -> io.BytesIO:
    """What a file holds that began with `start`: all, or a little more than `most` bytes."""
    stream = io.BytesIO()
    stream.write(start)
    size = len(start)  # of a small file, only its end is left: no room is made for more
    while stream.tell() <= most and (piece := file.read(min(size, _LARGE_READ))):
        size += stream.write(piece)
    return stream
