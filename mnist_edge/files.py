"""Writing files so that nobody ever sees half of one."""

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from mnist_edge.errors import EdgeError

_PART, _OLD_S = ".mnist-edge-*.part", 24 * 3600.0


def write_atomically(path: Path, content: bytes | str, durable: bool = True) -> None:
    """Write `content` beside `path` and rename it into place.

    A reader sees the old file or the whole new one; an interrupted or failed write leaves the
    old one untouched, and so does a power cut, unless `durable` is given up for speed. A pipe or a
    device, such as /dev/stdout, is written to as it is. Raises EdgeError when the folder cannot be
    written or the disk is full.
    """
    write_together({path: content}, durable)


def write_together(contents: Mapping[Path, bytes | str], durable: bool = True) -> None:
    """Write several files, all or none, each as `write_atomically` does.

    All are written beside their places before the first is renamed; where one cannot be renamed,
    those before it are put back. Raises EdgeError.
    """
    beside = {path: _beside(path) for path in contents}
    former: dict[Path, bytes | None] = {}
    path = Path()
    try:
        for path, content in contents.items():
            data = content.encode() if isinstance(content, str) else content
            if path.is_fifo() or path.is_char_device():  # renaming over it would remove it
                path.write_bytes(data)
            else:
                _write_through(beside[path], data, durable)
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
    for folder in {path.parent for path in former}:
        if durable:
            _sync(folder)
        sweep(folder)


def _beside(path: Path) -> Path:
    """A name of its own for each write: of two at once, neither writes into the other's file."""
    return path.parent / _PART.replace("*", secrets.token_hex(6))


def _write_through(path: Path, data: bytes, durable: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make the new names in a folder survive a power cut, where the system knows how."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sweep(folder: Path, older_than_s: float = _OLD_S) -> None:
    """Remove what writers left that were killed: parts so old that nobody is writing them.

    Whoever is `alone_in` a folder that nobody else writes into need not wait for that.
    """
    with contextlib.suppress(OSError):
        for part in folder.glob(_PART):
            if time.time() - part.stat().st_mtime > older_than_s:
                part.unlink()


def _put_back(former: Mapping[Path, bytes | None]) -> None:
    for path, content in former.items():
        with contextlib.suppress(OSError):
            path.unlink() if content is None else path.write_bytes(content)


@contextlib.contextmanager
def alone_in(folder: Path, busy: str | None = None) -> Iterator[None]:
    """Keep other processes and threads that ask for it out of a folder.

    Waits for its turn; with `busy`, raises EdgeError with these words in place of waiting. A
    process that is killed lets go. Where the system has no such locks (Windows, some network
    drives), nobody is kept out. A folder that is not there is made, and removed again if it stays
    empty; EdgeError when it cannot be.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _locked(folder, wait=busy is None)
    except BlockingIOError:
        raise EdgeError(str(busy)) from None
    except OSError as error:
        raise EdgeError(
            f"cannot write into {folder}: {error.strerror or error}. Choose another place"
        ) from error
    try:
        yield
    finally:
        if new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if lock is not None:
            os.close(lock)


def _locked(folder: Path, wait: bool) -> int | None:
    """A descriptor that holds a folder's lock until it is closed; None where there are no locks.

    BlockingIOError where another holds it, and nobody is to wait.
    """
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, OSError) and not isinstance(error, BlockingIOError):
            return None  # a file system without locks
        raise
    return descriptor


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
