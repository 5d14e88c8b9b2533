"""The IDX format of MNIST and its relatives: raw or gzipped, read with numpy."""

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.errors import DataError, FileError
from mnist_edge.file_access import open_file

# Type codes of the format's third byte; all numbers are big-endian.
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
LARGEST_FILE = 128 << 20
"""Bytes of an unpacked file. MNIST's largest has 47 MB."""


def read_bytes(path: Path) -> bytes:
    """A file's uncompressed content. DataError when it is unreadable, its gzip is damaged, or it
    is larger than any set that this tool knows."""
    try:
        with open_file(path) as file:
            zipped = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            file.seek(0)
            # A few kilobytes of gzip can be gigabytes: no more is unpacked than a set may hold.
            content = (gzip.GzipFile(fileobj=file) if zipped else file).read(LARGEST_FILE + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is truncated or damaged: delete it and fetch it again") from error
    except FileError as error:
        raise DataError(f"cannot read {error}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) > LARGEST_FILE:
        raise DataError(
            f"{path} holds more than {LARGEST_FILE >> 20} MB: put the data set's own file there"
        )
    return content


def parse(content: bytes, path: Path) -> NDArray[Any]:
    """The array in an IDX file's uncompressed content; `path` is named in errors.

    Raises DataError for a foreign file, or one whose header does not fit its size.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES:
        raise DataError(f"{path} is not an IDX file: put the data set's own file there")
    dtype, dimensions = np.dtype(_TYPES[content[2]]), content[3]
    header = 4 + 4 * dimensions
    if dimensions == 0 or len(content) < header:
        raise DataError(f"{path} is cut off in its header: delete it and fetch it again")
    shape = tuple(np.frombuffer(content, ">u4", dimensions, offset=4).tolist())
    promised, held = math.prod(shape) * dtype.itemsize, len(content) - header
    if promised != held:
        raise DataError(
            f"{path}: its header promises {promised:,} bytes of data {shape}, it holds {held:,}: "
            "delete it and fetch it again"
        )
    try:
        return np.frombuffer(content, dtype, offset=header).reshape(shape)
    except ValueError as error:  # more dimensions, or larger ones, than an array can have
        raise DataError(f"{path} is not an IDX file: put the data set's own file there") from error
