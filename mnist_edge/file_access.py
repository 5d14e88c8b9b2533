"""Files that are named by a path: told apart and opened, without waiting and whatever they are.

`open` of a named pipe waits for somebody who writes, reading a device may never end, and
`Path.is_file` raises where a folder may not be looked into. Here a path is a regular file, or one
line says what it is.
"""

import errno
import os
import stat
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from mnist_edge.errors import FileError

AnyPath = str | Path
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MISSING = (errno.ENOENT, errno.ENOTDIR)


class Kind(Enum):
    """What a path names, links followed; the value is how a sentence calls it."""

    MISSING = "nothing"
    FILE = "a file"
    FOLDER = "a folder"
    PIPE = "a pipe"
    DEVICE = "a device"
    SOCKET = "a socket"


def kind(path: AnyPath) -> Kind:
    """What a path names. FileError where the system does not tell: no permission to look, a name
    that is too long, links in a circle."""
    try:
        return _kind(os.stat(path).st_mode)  # noqa: PTH116 - a Path takes longer
    except ValueError:  # a null byte
        return Kind.MISSING
    except OSError as error:
        if error.errno in _MISSING:
            return Kind.MISSING
        raise FileError(path, _reason(error)) from error


def is_file(path: AnyPath) -> bool:
    """Whether a path names a regular file; FileError as `kind`."""
    return kind(path) is Kind.FILE


def is_folder(path: AnyPath) -> bool:
    """Whether a path names a folder; FileError as `kind`."""
    return kind(path) is Kind.FOLDER


def open_file(path: AnyPath, buffering: int = -1, noun: str = "file") -> BinaryIO:
    """Open a regular file for reading bytes.

    FileError for whatever else it is or becomes meanwhile, and where it cannot be opened: never
    waits for a pipe, never reads a device. `buffering` as that of `open`; `noun` is what messages
    call it.
    """
    _refuse(
        path, kind(path), noun
    )  # before it is opened: a tape winds back, a pipe's writer is let go
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        raise FileError(path, _reason(error, noun)) from error
    try:
        _refuse(path, _kind(os.fstat(descriptor).st_mode), noun)
        return os.fdopen(descriptor, "rb", buffering)
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: AnyPath, most: int) -> bytes:
    """All bytes of a regular file, up to `most`. FileError as `open_file`, and where it holds
    more."""
    with open_file(path) as file:
        try:
            large = os.fstat(file.fileno()).st_size > most
            data = b"" if large else file.read(most + 1)
        except OSError as error:
            raise FileError(path, _reason(error)) from error
    if large or len(data) > most:
        raise FileError(path, f"holds more than {most / 1e6:,.0f} MB")
    return data


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISDIR(mode):
        return Kind.FOLDER
    if stat.S_ISFIFO(mode):
        return Kind.PIPE
    return Kind.SOCKET if stat.S_ISSOCK(mode) else Kind.DEVICE


def _refuse(path: AnyPath, found: Kind, noun: str) -> None:
    if found is Kind.MISSING:
        raise FileError(path, f"there is no such {noun}")
    if found is not Kind.FILE:
        raise FileError(path, f"is {found.value}, not a {noun}")


def _reason(error: OSError, noun: str = "file") -> str:
    if isinstance(error, FileNotFoundError):  # gone meanwhile
        return f"there is no such {noun}"
    if isinstance(error, PermissionError):
        return "permission denied"
    return f"cannot be read: {(error.strerror or str(error)).lower()}"
