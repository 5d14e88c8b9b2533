"""Writing files so that nobody ever sees half of one."""

import contextlib
import hashlib
import os
import secrets
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from mnist_edge.errors import EdgeError

_PART, _OLD_S = ".mnist-edge-*.part", 24 * 3600.0


def write_atomically(path: Path, content: bytes | str, durable: bool = True) -> None:
    """Write `content` beside `path`, which a person named, and rename it into place.

    A reader sees the old file or the whole new one; an interrupted or failed write leaves the
    old one untouched, and so does a power cut, unless `durable` is given up for speed. The file
    keeps its mode and, where the system lets it, its owner. A pipe, a device or a link to one,
    such as /dev/stdout, is written to as it is; a link to a file is followed. Raises EdgeError
    when the place cannot be written, or its folder is missing.
    """
    _write({path: content}, durable, follow=True)


def write_together(contents: Mapping[Path, bytes | str], durable: bool = True) -> None:
    """Write files of this tool's own names, all or none, each as `write_atomically` does, but
    for links: they are replaced, for in a stranger's folder they may lead anywhere.

    All are written beside their places before the first is renamed; where one cannot be renamed,
    those before it are put back. Missing folders are made. Raises EdgeError.
    """
    for folder in {path.parent for path in contents}:
        make_folder(folder)
    _write(contents, durable, follow=False)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where they are missing. EdgeError when that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file's content goes: into `part`, which is then renamed to `target`; without a part
    into what is there. `former` is what was there."""

    target: Path
    part: Path | None
    former: os.stat_result | None


def _write(contents: Mapping[Path, bytes | str], durable: bool, follow: bool) -> None:
    places: dict[Path, _Place] = {}
    before: dict[Path, bytes | None] = {}
    path = Path()
    try:
        for path, content in contents.items():
            places[path] = place = _place(path, follow)
            data = content.encode() if isinstance(content, str) else content
            if place.part is None:
                _write_into(path, data)
            else:
                _write_through(place.part, data, durable, place.former)
        for path in contents:
            place = places[path]
            if place.part is None:
                continue
            keeps = place.former is not None and len(contents) > 1
            content_before = place.target.read_bytes() if keeps else None
            place.part.replace(place.target)
            before[place.target] = content_before
    except OSError as error:
        _put_back(before)
        raise _cannot_write(path, error) from error
    finally:
        for place in places.values():
            with contextlib.suppress(OSError):
                if place.part is not None:
                    place.part.unlink()
    for folder in {path.parent for path in before}:
        if durable:
            _sync(folder)
        remove_stale_parts(folder)


def _cannot_write(path: Path, error: OSError) -> EdgeError:
    if isinstance(error, FileNotFoundError) and not os.path.lexists(path.parent):
        return EdgeError(f"cannot write {path}: there is no folder {path.parent}: make it first")
    return EdgeError(
        f"cannot write {path}: {error.strerror or error}. Free some space or choose another place"
    )


def _place(path: Path, follow: bool) -> _Place:
    """OSError where the system does not tell what is there: links in a circle, no permission."""
    try:
        former = path.stat()
    except FileNotFoundError:
        former = None
    target = Path(os.path.realpath(path)) if follow else path
    if former and (not stat.S_ISREG(former.st_mode) or own_stream(former)):
        return _Place(target, None, former)
    if former and not os.path.lexists(target):  # removed, and open: /proc/self/fd/7
        return _Place(target, None, former)
    # A name of its own for each write: of two at once, neither writes into the other's file.
    part = target.parent / _PART.replace("*", secrets.token_hex(6))
    return _Place(target, part, former)


def own_stream(found: os.stat_result) -> TextIO | None:
    """This process's stdout or stderr, where it is what was found: a redirect's file that was
    opened again would be written over by what follows on the stream."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # a stream without a file
            if os.path.samestat(os.fstat(stream.fileno()), found):
                return stream
    return None


def _write_into(path: Path, data: bytes) -> None:
    stream = own_stream(path.stat())
    if stream is None:
        path.write_bytes(data)
        return
    stream.flush()
    stream.buffer.write(data)
    stream.buffer.flush()


def _write_through(path: Path, data: bytes, durable: bool, former: os.stat_result | None) -> None:
    """A new file, whose mode and owner are those of a `former` one: nobody may read it before."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, 0o600 if former else 0o666), "wb") as file:
        file.write(data)
        if former and hasattr(os, "fchmod"):
            with contextlib.suppress(OSError):
                os.fchown(file.fileno(), former.st_uid, former.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(former.st_mode))
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


def remove_stale_parts(folder: Path, older_than_s: float = _OLD_S) -> None:
    """Remove what writers left that were killed: parts so old that nobody is writing them.

    Whoever has locked a folder that nobody else writes into need not wait for that.
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
def lock_folder(folder: Path, busy: str | None = None) -> Iterator[None]:
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
