"""Whatever stdout is: the same files, the same exit code. Each case is a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pytest

from mnist_edge.cli import streams
from tests.conftest import make_card, write_tiny_model
from tests.helpers.cli import write_digit, write_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX's streams and signals")

SLOWER = 5  # bench's exit code
BENCH = ("bench", "tiny.onnx", "--duration", "0", "--batch", "1")


def write_greek_model(path: Path) -> None:
    write_tiny_model(path, make_card(dataset="folder:letters", classes=tuple("αβγδεζηθικ")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With tiny.onnx, whose data set is not here, and what its classes are called is Greek."""
    write_greek_model(tmp_path / "tiny.onnx")
    write_tiny_model(tmp_path / "digits.onnx")
    write_digit(tmp_path / "1.png")
    return tmp_path


@dataclass(frozen=True)
class Ended:
    code: int
    stdout: bytes
    stderr: str


@contextmanager
def gone() -> Iterator[int]:
    """A pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@contextmanager
def full() -> Iterator[int]:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@contextmanager
def piped() -> Iterator[int]:
    yield subprocess.PIPE


STREAMS = {"gone": gone, "full": full, "closed": piped}
ENCODINGS = ("cp1252", "latin-1", "ascii")


def run(folder: Path, stream: str, args: Sequence[object]) -> Ended:
    """`python -m mnist_edge ARGS…` with such a stdout."""
    if stream == "full" and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    command: list[str] = [sys.executable, "-m", "mnist_edge", *map(str, args)]
    if stream == "closed":
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    encoding = stream if stream in ENCODINGS else "utf-8"
    with STREAMS.get(stream, piped)() as stdout:
        done = subprocess.run(
            command,
            cwd=folder,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            check=False,
        )
    return Ended(done.returncode, done.stdout or b"", done.stderr.decode(encoding))


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The JSON of a benchmark that says that all was a thousand times as fast."""
    folder = tmp_path_factory.mktemp("earlier")
    write_greek_model(folder / "tiny.onnx")
    assert run(folder, "utf-8", (*BENCH, "--json", "old.json")).code == 0
    values = json.loads((folder / "old.json").read_text())
    for one in values["contenders"]:
        for batch in one["batches"].values():
            batch["samples_us"] = [sample / 1000 for sample in batch["samples_us"]]
            batch["min_us"] /= 1000
    return json.dumps(values)


@pytest.mark.parametrize("stream", [*STREAMS, *ENCODINGS])
def test_bench_leaves_its_files_and_its_exit_code(folder: Path, earlier: str, stream: str) -> None:
    files = {"--json": "new.json", "--markdown": "new.md"}
    if stream == "gone":
        files |= {"--html": "new.html", "--plot": "new.svg"}
    options = [part for pair in files.items() for part in pair]
    (folder / "old.json").write_text(earlier)

    gate = ("--compare", "old.json", "--fail-slower", "10%")
    ended = run(folder, stream, (*BENCH, *options, *gate))

    assert ended.code == SLOWER, ended.stderr
    assert json.loads((folder / "new.json").read_text())["contenders"][0]["file"] == "tiny.onnx"
    assert all((folder / name).stat().st_size > 1000 for name in files.values())
    lost = "error: cannot write to stdout: No space left on device\n"
    assert ended.stderr == lost * (stream == "full")


COMMANDS: dict[str, tuple[tuple[str, ...], int, int]] = {
    "eval": (("eval", "digits.onnx", "--dataset", "digits", "--errors", "made.png"), 0, 0),
    "predict": (("predict", "1.png", "gone.png", "--model", "tiny.onnx"), 1, 1),
    "version": (("--version",), 0, 0),
    "help": (("--help",), 0, 0),
}
"""With the exit code, and the lines on stderr, that are usual."""


@pytest.mark.parametrize("stream", [*STREAMS, "cp1252"])
@pytest.mark.parametrize("name", COMMANDS)
def test_all_commands_end_as_usual(folder: Path, name: str, stream: str) -> None:
    args, code, lines = COMMANDS[name]
    lost = stream == "full"

    ended = run(folder, stream, args)

    assert ended.code == (1 if lost else code), ended.stderr
    assert len(ended.stderr.splitlines()) == lines + lost
    said = "error: cannot write to stdout: No space left on device\n"
    assert not lost or ended.stderr.endswith(said)
    assert name != "eval" or (folder / "made.png").stat().st_size > 1000


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_has_escapes_for_what_an_encoding_lacks(folder: Path, encoding: str) -> None:
    write_folder(folder / "set", "β", "δ")
    ended = run(folder, encoding, ("data", "folder:set", "--json"))
    assert json.loads(ended.stdout.decode(encoding))["classes"] == ["β", "δ"], ended.stderr
    ended = run(folder, encoding, ("predict", "1.png", "--model", "tiny.onnx", "--json"))
    assert [*json.loads(ended.stdout.decode(encoding))["probabilities"]] == [*"αβγδεζηθικ"]


def test_a_closed_stdout_is_not_where_the_next_file_goes(folder: Path) -> None:
    """Descriptor 1 is free then, and what runtimes print would go into a result."""
    ended = run(folder, "closed", (*BENCH, "--json", "new.json"))
    assert ended.code == 0
    json.loads((folder / "new.json").read_text())


def test_closed_streams_of_all_kinds(folder: Path) -> None:
    command = [sys.executable, "-m", "mnist_edge", "predict", "1.png", "--model", "tiny.onnx"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command], cwd=folder, check=False
    )
    assert done.returncode == 0


def test_a_reader_that_has_gone_keeps_no_file_away_and_no_error(folder: Path) -> None:
    many = [*["1.png"] * 200, "missing.png"]
    ended = run(folder, "gone", ("predict", *many, "--model", "tiny.onnx", "--save-input", "saved"))
    assert (ended.code, ended.stderr) == (1, "error: missing.png: there is no such picture\n")
    assert len([*(folder / "saved").iterdir()]) == 200


def started(folder: Path, *args: object, **pipes: Any) -> "subprocess.Popen[str]":
    # Else the children of a job in the background ignore what is sent to them.
    return subprocess.Popen(
        [sys.executable, "-m", "mnist_edge", *map(str, args)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **pipes,
    )


TIMED = """
import os, signal, sys
from mnist_edge.benchmark import timing
from mnist_edge.cli import main
number, measure = getattr(signal, sys.argv.pop(1)), timing.measure
signal.signal(number, signal.SIG_DFL)  # under nohup, SIGHUP is ignored
def measured(calls, protocol, progress=lambda fraction: None, *meters):
    def tell(fraction):
        progress(fraction)
        if 0 < fraction < 1 and meters:
            os.kill(os.getpid(), number)
    return measure(calls, protocol, tell, *meters)
timing.measure = measured
main()
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_bench_that_is_ended_writes_what_it_has(folder: Path, name: str) -> None:
    args = ("bench", "tiny.onnx", "--duration", "60", "--batch", "1,8", "--json", "new.json")
    done = subprocess.run(
        [sys.executable, "-c", TIMED, name, *args],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 128 + getattr(signal, name), done.stderr
    assert json.loads((folder / "new.json").read_text())["stopped"] is True
    assert "wrote new.json" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    """As nohup starts a process."""
    code = (
        "import signal\nfrom mnist_edge.cli import streams\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\nended = streams.handle_signals()\n"
        "signal.raise_signal(signal.SIGHUP)\n"
        "try: signal.raise_signal(signal.SIGTERM)\nexcept KeyboardInterrupt: print(ended())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{int(signal.SIGTERM)}\n"


def test_predict_that_is_ended_leaves_whole_rows_and_no_process(folder: Path) -> None:
    process = started(
        folder, "predict", *["1.png"] * 30_000, "--model", "tiny.onnx", "--json", "--workers", "2"
    )
    with process:
        assert process.stdout
        assert process.stderr
        first = process.stdout.readline()
        os.killpg(process.pid, signal.SIGTERM)  # as a service manager does
        # communicate() would lose what was buffered behind the first row.
        told, said = first + process.stdout.read(), process.stderr.read()
    assert process.returncode == 128 + signal.SIGTERM
    assert all(json.loads(row)["file"] == "1.png" for row in told.splitlines())
    assert said == "stopped\n"


def test_a_pipe_that_was_made_not_to_wait_is_waited_for() -> None:
    code = "from mnist_edge.cli import streams\nstreams.prepare()\nprint('x' * 1_000_000)"
    read, write = os.pipe()
    os.set_blocking(write, False)
    with subprocess.Popen([sys.executable, "-c", code], stdout=write) as process:
        os.close(write)
        time.sleep(0.2)
        with os.fdopen(read) as file:
            assert len(file.read()) == 1_000_001
    assert process.returncode == 0


def test_streams_that_are_no_files_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        def write(self, text: str) -> None:
            pass

    other: TextIO = Other()  # type: ignore[assignment]
    assert streams._tolerant(other) is other
    assert streams.error_of(other) is None
