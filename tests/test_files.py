"""Files that are whole or not there, and their digests."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_edge.errors import EdgeError
from mnist_edge.files import lock_folder, sha256, write_atomically, write_together


@pytest.mark.parametrize("content", [b"\0\xff bytes", "Grüße\n", b"", ""])
def test_content_arrives_and_nothing_else(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "new" / "folders" / "file"

    write_together({path: content})

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


def test_a_link_in_a_folder_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    """A run may be a stranger's: its links must not lead out of it."""
    (tmp_path / "run").mkdir()
    outside, link = tmp_path / "outside", tmp_path / "run" / "checkpoint.pt"
    outside.write_bytes(b"precious")
    link.symlink_to(outside)

    write_together({link: b"new"})

    assert outside.read_bytes() == b"precious"
    assert not link.is_symlink()
    assert link.read_bytes() == b"new"


def test_a_link_that_a_person_names_is_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real, link = tmp_path / "elsewhere" / "real.json", tmp_path / "link.json"
    link.symlink_to(tmp_path / "way.json")
    (tmp_path / "way.json").symlink_to(real)

    for content in (b"new", b"newer"):  # the first time it leads nowhere
        write_atomically(link, content)

        assert (link.is_symlink(), (tmp_path / "way.json").is_symlink()) == (True, True)
        assert real.read_bytes() == content
        assert list(real.parent.iterdir()) == [real]


def test_links_in_a_circle_and_names_that_are_too_long_are_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    assert "symbolic link" in refusal(tmp_path / "loop")
    assert "name too long" in refusal(tmp_path / ("n" * 300))
    assert "name too long" in refusal(tmp_path / ("n/" * 3000))


@pytest.mark.parametrize("write", [write_atomically, lambda *file: write_together(dict([file]))])
def test_mode_is_kept_and_nobody_can_read_meanwhile(
    tmp_path: Path, write: Callable[[Path, bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "private"
    seen: list[int] = []

    def sync(descriptor: int) -> None:
        seen.extend(part.stat().st_mode & 0o777 for part in tmp_path.glob(".mnist-edge-*"))

    monkeypatch.setattr(os, "fsync", sync)
    for mode in (0o600, 0o640, 0o755):
        path.write_bytes(b"old")
        path.chmod(mode)
        write(path, b"new")
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", mode)
    assert seen == [0o600, 0o640, 0o755]


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_socket_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        refusal(Path("socket"))
        assert Path("socket").is_socket()


STDOUT = (
    "import sys\nfrom pathlib import Path\nfrom mnist_edge.files import write_atomically\n"
    "print('before')\nwrite_atomically(Path(sys.argv[1]), 'whole\\n')\nprint('after')\n"
)


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="needs /dev/stdout")
@pytest.mark.parametrize("mode", ["w", "a"])
def test_dev_stdout_is_the_stream_where_it_is_redirected(tmp_path: Path, mode: str) -> None:
    out, link = tmp_path / "out", tmp_path / "stdout"
    out.write_text("")
    link.symlink_to("/proc/self/fd/1" if sys.platform == "linux" else "/dev/fd/1")

    with out.open(mode) as file:
        subprocess.run([sys.executable, "-c", STDOUT, link], stdout=file, check=True)

    assert out.read_text() == "before\nwhole\nafter\n"
    assert link.is_symlink()
    piped = subprocess.run(
        [sys.executable, "-c", STDOUT, "/dev/stdout"], capture_output=True, text=True, check=True
    )
    assert piped.stdout == "before\nwhole\nafter\n"


def test_a_file_that_was_removed_while_open_is_written_into(tmp_path: Path) -> None:
    path = tmp_path / "gone"
    with path.open("w+b") as file:
        path.unlink()
        write_atomically(Path(f"/dev/fd/{file.fileno()}"), b"content")
        assert os.pread(file.fileno(), 100, 0) == b"content"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_no_folder_to_make(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match=r"there is no folder .*/typo: make it first$"):
        write_atomically(tmp_path / "typo" / "file.json", b"content")
    assert list(tmp_path.iterdir()) == []


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


def test_two_writers_of_one_file_never_mix(tmp_path: Path) -> None:
    """Processes and threads write over each other: every reader finds one of the contents."""
    path = tmp_path / "file"
    contents = [bytes([at]) * 300_000 for at in range(6)]
    write_atomically(path, contents[0])
    errors: list[Exception] = []

    def write(content: bytes) -> None:
        try:
            for _ in range(20):
                write_atomically(path, content, durable=False)
        except Exception as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_bytes() in contents
    assert not errors
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_writers_left_is_swept_a_day_later(tmp_path: Path) -> None:
    old, young = tmp_path / ".mnist-edge-0ld.part", tmp_path / ".mnist-edge-y0ung.part"
    other = tmp_path / ".other.part"
    for path in (old, young, other):
        path.write_bytes(b"half")
    for path in (old, other):
        os.utime(path, (0, time.time() - 2 * 24 * 3600))

    write_atomically(tmp_path / "file", b"whole")

    assert {path.name for path in tmp_path.iterdir()} == {"file", young.name, other.name}


HOLDING = (
    "import sys, time\nfrom pathlib import Path\nfrom mnist_edge.files import lock_folder\n"
    "with lock_folder(Path(sys.argv[1])):\n print('in', flush=True)\n time.sleep(60)\n"
)


def test_one_process_at_a_time_is_in_a_folder(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, tmp_path], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "in\n"
        with (
            pytest.raises(EdgeError, match="it is taken"),
            lock_folder(tmp_path, busy="it is taken"),
        ):
            pass
        other.kill()  # who is killed lets go
    with lock_folder(tmp_path, busy="it is taken"):
        pass


def test_threads_wait_for_each_other(tmp_path: Path) -> None:
    inside, most = [0], [0]

    def enter() -> None:
        for _ in range(20):
            with lock_folder(tmp_path):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.001)
                inside[0] -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_a_folder_to_be_alone_in_is_made_and_removed_if_it_stays_empty(tmp_path: Path) -> None:
    with lock_folder(tmp_path / "empty"):
        assert (tmp_path / "empty").is_dir()
    with lock_folder(tmp_path / "a" / "full"):
        (tmp_path / "a" / "full" / "file").touch()

    assert not (tmp_path / "empty").exists()
    assert (tmp_path / "a" / "full" / "file").exists()
    below = tmp_path / "a" / "full" / "file" / "below"
    with pytest.raises(EdgeError, match=r"^cannot write into .*/file/below: "), lock_folder(below):
        pass


def test_where_there_are_no_locks_nobody_is_kept_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with lock_folder(tmp_path), lock_folder(tmp_path, busy="it is taken"):
        pass
