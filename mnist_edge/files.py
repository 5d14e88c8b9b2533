"""Writing files so that nobody ever sees half of one."""

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from mnist_edge.errors import EdgeError


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write `content` beside `path` and rename it into place.

    A reader sees the old file or the whole new one; an interrupted or failed write leaves the
    old one untouched. A pipe or a device, such as /dev/stdout, is written to as it is. Raises
    EdgeError when the folder cannot be written or the disk is full.
    """
    write_together({path: content})


def write_together(contents: Mapping[Path, bytes | str]) -> None:
    """Write several files, all or none, each as `write_atomically` does.

    All are written beside their places before the first is renamed; where one cannot be renamed,
    those before it are put back. Raises EdgeError.
    """
    beside = {path: path.parent / f".{path.name}.{os.getpid()}.part" for path in contents}
    former: dict[Path, bytes | None] = {}
    path = Path()
    try:
        for path, content in contents.items():
            data = content.encode() if isinstance(content, str) else content
            if path.is_fifo() or path.is_char_device():  # renaming over it would remove it
                path.write_bytes(data)
            else:
                _write_through(beside[path], data)
        for path in [path for path in contents if beside[path].exists()]:
            before = path.read_bytes() if path.is_file() and len(contents) > 1 else None
            beside[path].replace(path)
            former[path] = before
    except OSError as error:
        _put_back(former)
        raise EdgeError(
            f"cannot write {path}: {error.strerror or error}. "
            "Free some space or choose another place"
        ) from error
    finally:
        for part in beside.values():
            with contextlib.suppress(OSError):
                part.unlink()


def _write_through(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put_back(former: Mapping[Path, bytes | None]) -> None:
    for path, content in former.items():
        with contextlib.suppress(OSError):
            path.unlink() if content is None else path.write_bytes(content)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
