"""Writing files so that nobody ever sees half of one."""

import contextlib
import hashlib
import os
from pathlib import Path

from mnist_edge.errors import EdgeError


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write `content` beside `path` and rename it into place.

    A reader sees the old file or the whole new one; an interrupted or failed write leaves the
    old one untouched. A pipe or a device, such as /dev/stdout, is written to as it is. Raises
    EdgeError when the folder cannot be written or the disk is full.
    """
    beside = path.parent / f".{path.name}.{os.getpid()}.part"
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.is_fifo() or path.is_char_device():  # renaming over it would remove it
            path.write_bytes(data)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise EdgeError(
            f"cannot write {path}: {error.strerror or error}. "
            "Free some space or choose another place"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
