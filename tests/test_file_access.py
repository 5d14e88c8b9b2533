"""Paths of every kind: a regular file is read, all else is one line, and nothing waits."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mnist_edge.errors import FileError
from mnist_edge.file_access import Kind, is_file, is_folder, kind, open_file, read_bytes

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs pipes, sockets and links")


def file(path: Path) -> None:
    path.write_bytes(b"abc")


def link(path: Path) -> None:
    file(path.with_suffix(".target"))
    path.symlink_to(path.with_suffix(".target"))


def dangling(path: Path) -> None:
    path.symlink_to("gone")


def loop(path: Path) -> Path:
    path.symlink_to(path.name)
    return path


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        here = Path.cwd()
        os.chdir(path.parent)  # the names of sockets are short
        one.bind(path.name)
        os.chdir(here)


KINDS: dict[str, tuple[Callable[[Path], None], str, str | None]] = {
    "file": (file, "FILE", None),
    "link": (link, "FILE", None),
    "nothing": (lambda path: None, "MISSING", "there is no such file"),
    "dangling": (dangling, "MISSING", "there is no such file"),
    "folder": (Path.mkdir, "FOLDER", "is a folder, not a file"),
    "pipe": (os.mkfifo, "PIPE", "is a pipe, not a file"),
    "socket": (bound_socket, "SOCKET", "is a socket, not a file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "DEVICE", "is a device, not a file"),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_a_path_names(name: str, tmp_path: Path) -> None:
    make, told, reason = KINDS[name]
    path = tmp_path / name
    make(path)
    for given in (path, str(path)):
        assert kind(given) is Kind[told]
        assert (is_file(given), is_folder(given)) == (told == "FILE", told == "FOLDER")
        if reason is None:
            assert read_bytes(given, 3) == b"abc"
            continue
        for read in (open_file, lambda path: read_bytes(path, 9)):
            with pytest.raises(FileError) as caught:
                read(given)
            assert str(caught.value) == f"{path}: {reason}"
            assert (caught.value.path, caught.value.reason) == (str(path), reason)


def test_below_a_file_there_is_nothing(tmp_path: Path) -> None:
    file(tmp_path / "x")
    assert kind(tmp_path / "x" / "y") is Kind.MISSING
    assert kind("null\0byte") is Kind.MISSING


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: folder / ("n" * 300), "cannot be read: file name too long"),
        (lambda folder: folder / ("n/" * 3000), "cannot be read: file name too long"),
        (
            lambda folder: loop(folder / "round"),
            "cannot be read: too many levels of symbolic links",
        ),
    ],
    ids=["name", "path", "loop"],
)
def test_paths_of_which_the_system_tells_nothing(
    make: Callable[[Path], Path], reason: str, tmp_path: Path
) -> None:
    path = make(tmp_path)
    for ask in (kind, is_file, is_folder, open_file, lambda path: read_bytes(path, 1)):
        with pytest.raises(FileError) as caught:
            ask(path)
        assert caught.value.reason == reason


AS_NOBODY = """
import os, sys
from mnist_edge.errors import FileError
from mnist_edge.file_access import is_file, read_bytes
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for ask in (is_file, lambda path: read_bytes(path, 9)):
    for path in sys.argv[1:]:
        try:
            print(ask(path))
        except FileError as error:
            print(error.reason)
"""


@pytest.fixture
def for_all() -> Iterator[Path]:
    """A folder that any user may look into, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_without_permission_it_is_one_line(for_all: Path) -> None:
    """Of a closed folder nothing is told; a closed file is there, and cannot be read."""
    closed, private = for_all / "closed", for_all / "private"
    closed.mkdir()
    file(closed / "inside")
    file(private)
    private.chmod(0)
    closed.chmod(0)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, closed / "inside", private],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    closed.chmod(0o700)
    assert done.stdout.splitlines() == ["permission denied", "True", *2 * ["permission denied"]]


def test_no_more_is_read_than_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, 50 << 30)  # a hole
    with pytest.raises(FileError, match=r"large: holds more than 1 MB$"):
        read_bytes(path, 1_000_000)
    os.truncate(path, 1_000_000)
    assert len(read_bytes(path, 1_000_000)) == 1_000_000


def test_a_file_that_becomes_a_pipe_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "x", os.open
    file(path)

    def swapping(name: Path, flags: int) -> int:
        path.unlink()
        os.mkfifo(path)
        return real(name, flags)

    monkeypatch.setattr(os, "open", swapping)
    with pytest.raises(FileError, match="is a pipe, not a file"):
        read_bytes(path, 9)
