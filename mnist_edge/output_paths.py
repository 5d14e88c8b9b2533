"""Where a command will write, looked at before its work: minutes are lost for no typing error."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from mnist_edge.errors import EdgeError, UsageError
from mnist_edge.files import own_stream


def check_files(outputs: Mapping[str, Path | None], inputs: Iterable[Path] = ()) -> None:
    """EdgeError for a file, by its option, that could not be written; UsageError for one that is
    given twice, or that is one of the `inputs`, or lies in one that is a folder, and so would be
    lost.

    None are options that were not given. A pipe or a device takes any number of outputs.
    """
    inputs = [path for path in inputs if os.path.lexists(path)]
    taken: dict[str, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        place = os.path.realpath(path)
        former = _status(option, path)
        if former and own_stream(former):
            continue
        if former and not stat.S_ISREG(former.st_mode):
            _check_other(option, path, former)
            continue
        for read in inputs:
            _check_input(option, path, former, read)
        if place in taken:
            raise UsageError(f"{taken[place]} and {option} are the same file, {path}: name two")
        taken[place] = option
        _check_parent(option, path, Path(place).parent)


def check_folder(option: str, folder: Path | None) -> None:
    """EdgeError where a folder, by its option, cannot be written into, or cannot be made."""
    if folder is None:
        return
    above = folder
    while _status(option, above) is None and above != above.parent:
        above = above.parent
    if not above.is_dir():
        raise EdgeError(f"{option} is a folder, and {above} is a file: choose another place")
    _try(option, folder, above)


def _status(option: str, path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except (NotADirectoryError, ValueError):  # a file, or a null byte, among its folders
        return None
    except OSError as error:
        raise _refused(option, path, error) from error


def _check_other(option: str, path: Path, former: os.stat_result) -> None:
    if stat.S_ISDIR(former.st_mode):
        raise EdgeError(f"cannot write {path}, {option}: it is a folder, name a file in it")
    if stat.S_ISSOCK(former.st_mode):
        raise EdgeError(f"cannot write {path}, {option}: it is a socket, choose another place")
    if not os.access(path, os.W_OK):
        raise EdgeError(f"cannot write {path}, {option}: permission denied")


def _check_input(option: str, path: Path, former: os.stat_result | None, read: Path) -> None:
    with contextlib.suppress(OSError):
        if former and os.path.samestat(former, read.stat()):
            raise UsageError(f"{option} would be written over {path}, which is read: name another")
        if former and read.is_dir() and path.resolve().is_relative_to(read.resolve()):
            raise UsageError(f"{option} would be written over {path}, of {read}: name another")


def _check_parent(option: str, path: Path, parent: Path) -> None:
    if not parent.is_dir():
        shown = path.parent if not path.is_symlink() else parent
        raise EdgeError(f"cannot write {path}, {option}: there is no folder {shown}: make it first")
    _try(option, path, parent)


def _try(option: str, path: Path, folder: Path) -> None:
    """Write a file into a folder and remove it: permissions alone do not tell of a disk that is
    read-only, or that takes no more files."""
    part = folder / f".mnist-edge-{secrets.token_hex(6)}.part"
    try:
        part.open("xb").close()
        part.unlink()
    except OSError as error:
        raise _refused(option, path, error) from error


def _refused(option: str, path: Path, error: OSError) -> EdgeError:
    return EdgeError(
        f"cannot write {path}, {option}: {error.strerror or error}. Choose another place"
    )
