"""Files that are whole or not there, and their digests."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mnist_edge.errors import EdgeError
from mnist_edge.files import sha256, write_atomically


@pytest.mark.parametrize("content", [b"\0\xff bytes", "Grüße\n", b"", ""])
def test_content_arrives_and_nothing_else(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "new" / "folders" / "file"

    write_atomically(path, content)

    wanted = content.encode() if isinstance(content, str) else content
    assert path.read_bytes() == wanted
    assert list(path.parent.iterdir()) == [path]


def test_old_content_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old and longer")

    write_atomically(path, b"new")

    assert path.read_bytes() == b"new"


def test_reader_of_the_old_file_keeps_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old" * 1000)

    with path.open("rb") as reader:
        first = reader.read(3)
        write_atomically(path, b"new")
        rest = reader.read()

    assert first + rest == b"old" * 1000


def refusal(path: Path) -> str:
    with pytest.raises(EdgeError) as caught:
        write_atomically(path, b"content")
    message = str(caught.value)
    assert message.startswith(f"cannot write {path}: ")
    assert message.endswith(". Free some space or choose another place")
    return message


def test_parent_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("old")

    message = refusal(tmp_path / "taken" / "file")

    assert "File exists" in message or "Not a directory" in message
    assert (tmp_path / "taken").read_text() == "old"


def test_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    assert "Is a directory" in refusal(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("name", [".", "..", "/"])
def test_paths_without_a_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    refusal(Path(name))

    assert list(tmp_path.rglob("*")) == [tmp_path / "here"]


def test_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    # RLIMIT_FSIZE makes the operating system refuse, as it does on a full disk.
    path = tmp_path / "file"
    path.write_bytes(b"old")
    script = (
        "import resource, signal, sys\nfrom pathlib import Path\n"
        "from mnist_edge.errors import EdgeError\nfrom mnist_edge.files import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_atomically(Path(sys.argv[1]), bytes(5000))\n"
        "except EdgeError as error: print(error)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, path],
        cwd=tmp_path,
        # The limit would hold for coverage's own files too.
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == (
        f"cannot write {path}: File too large. Free some space or choose another place\n",
        "",
    )
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_interruption_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()), daemon=True)
    reader.start()

    write_atomically(path, b"content")
    reader.join(10)

    assert read == [b"content"]
    assert path.is_fifo()


def test_device_is_written_to_and_stays(tmp_path: Path) -> None:
    device = tmp_path / "null"
    device.symlink_to(os.devnull)  # were it renamed over, only this link would be lost

    write_atomically(device, b"content")

    assert device.is_symlink()
    assert device.is_char_device()


@pytest.mark.parametrize(
    ("content", "digest"),
    [  # FIPS 180-2, and the digest of nothing
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ],
)
def test_sha256_is_the_published_one(tmp_path: Path, content: bytes, digest: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    assert sha256(path) == digest
