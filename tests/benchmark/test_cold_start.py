import io
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mnist_edge.backends import OnnxRuntime, cold_start_process
from mnist_edge.benchmark import cold_start
from mnist_edge.errors import ModelError
from tests.helpers.fresh_process import (
    Broken,
    Chatty,
    Crashing,
    Hungry,
    Plain,
    Silent,
    Slow,
    Threads,
)
from tests.helpers.proc import pretend

ROOT = Path(__file__).parent.parent.parent
IMAGE = np.full((1, 28, 28), 3, np.uint8)
LARGE = 200_000_000


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh process finds the contenders of the tests."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture(scope="module")
def plain_bytes() -> int:
    """What a fresh process takes that answers and does nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        found = cold_start.start(Plain(), 1, IMAGE).peak_bytes
    if found is None:
        pytest.skip("this system does not tell how much memory a process takes")
    return found


def test_a_file_starts_in_a_process_of_its_own(tiny_model: Path) -> None:
    begin = time.perf_counter()
    found = cold_start.start(OnnxRuntime.open(tiny_model), 1, IMAGE)
    assert 0 < found.first_answer_s < time.perf_counter() - begin


def test_it_answers_the_image_that_it_is_given_and_more_than_once(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    cold_start.start(Plain(notes=notes), 1, IMAGE)
    sums, counts, processes = zip(*map(str.split, notes.read_text().splitlines()), strict=True)
    assert set(sums) == {str(3 * 28 * 28)}
    assert set(counts) == {"1"}
    assert len(set(processes)) == 1
    assert os.getpid() not in map(int, processes)
    assert len(sums) > 10


def test_it_runs_on_as_many_threads_as_it_is_told(tmp_path: Path) -> None:
    cold_start.start(Threads(notes=tmp_path / "notes"), 7, IMAGE)
    assert (tmp_path / "notes").read_text() == "7"


def test_the_first_answer_counts_from_the_start_of_the_process() -> None:
    """Loading is in it; the 20 answers behind it are not."""
    begin = time.perf_counter()
    found = cold_start.start(Slow(load_s=0.5, again_s=0.02), 1, IMAGE)
    assert 0.5 < found.first_answer_s < time.perf_counter() - begin - 20 * 0.02


def test_memory_that_is_taken_late_shows(plain_bytes: int) -> None:
    found = cold_start.start(Hungry(size=LARGE), 1, IMAGE).peak_bytes
    assert found is not None
    assert LARGE < found < plain_bytes + 1.3 * LARGE


def test_the_memory_of_the_parent_does_not_leak_into_it(plain_bytes: int) -> None:
    mine = np.ones(2 * LARGE, np.uint8)
    found = cold_start.start(Plain(), 1, IMAGE).peak_bytes
    assert found is not None
    assert mine.all()
    assert found == pytest.approx(plain_bytes, rel=0.2)
    assert found < LARGE


def test_what_a_runtime_prints_is_no_answer_and_blocks_nothing() -> None:
    """Half a mebibyte on stderr, and lines on stdout half a second before the answer."""
    assert cold_start.start(Chatty(), 1, IMAGE).first_answer_s > 0.5


@pytest.mark.parametrize("answers", [0, 5])
def test_an_exception_is_one_line_with_the_contender_that_raised_it(answers: int) -> None:
    """Behind its first answer too."""
    with pytest.raises(ModelError) as caught:
        cold_start.start(Broken(answers=answers, runtime="ncnn"), 1, IMAGE)
    assert str(caught.value) == ("broken in ncnn failed in a process of its own: no such operator")


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_crash_names_its_signal(number: int) -> None:
    with pytest.raises(ModelError) as caught:
        cold_start.start(Crashing(signal=number), 1, IMAGE)
    assert str(caught.value) == (
        "crashing in numpy failed in a process of its own: it said nothing "
        f"({signal.strsignal(number)})"
    )


def test_a_silent_end_is_an_error_too() -> None:
    with pytest.raises(ModelError, match=r"silent in numpy failed .* it said nothing$"):
        cold_start.start(Silent(), 1, IMAGE)


@pytest.fixture
def heeded() -> Iterator[None]:
    """Ctrl-C as in a terminal: a job in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.usefixtures("heeded")
def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    """It would sleep for a minute."""
    notes, ended = tmp_path / "notes", threading.Event()

    def interrupt() -> None:
        while not ended.wait(0.02):
            if notes.exists() and notes.read_text():
                os.kill(os.getpid(), signal.SIGINT)
                return

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            cold_start.start(Slow(notes=notes, load_s=60), 1, IMAGE)
    finally:
        ended.set()
        thread.join()
    deadline = time.monotonic() + 10
    while alive(int(notes.read_text())) and time.monotonic() < deadline:
        subprocess._cleanup()  # type: ignore[attr-defined]
        time.sleep(0.02)
    assert not alive(int(notes.read_text()))


def test_what_the_process_does_is_the_same_in_this_one(tmp_path: Path) -> None:
    """Where coverage sees it."""
    said = io.StringIO()
    notes = tmp_path / "notes"
    cold_start_process._serve(io.BytesIO(pickle.dumps((Plain(notes=notes), 1, IMAGE))), said)
    answered, peak = said.getvalue().splitlines()
    assert answered == "answered"
    assert peak == "" or int(peak) > 10_000_000
    assert len(notes.read_text().splitlines()) == 1 + 20


def test_the_process_imports_nothing_that_measures() -> None:
    """It would count as the contender's start and memory."""
    code = "import sys, mnist_edge.backends.cold_start_process; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = done.stdout.split()
    assert "mnist_edge.backends.cold_start_process" in imported
    assert [name for name in imported if name.startswith("mnist_edge.benchmark")] == []


def test_the_peak_is_what_linux_calls_the_high_water_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    status = "Name:\tpython\nVmPeak:\t  900 kB\nVmHWM:\t   1234 kB\nVmRSS:\t  77 kB\n"
    pretend(monkeypatch, {"/proc/self/status": status})
    assert cold_start_process._peak_bytes() == 1234 * 1024


@pytest.mark.parametrize(("system", "known"), [("darwin", True), ("win32", False)])
def test_elsewhere_the_peak_is_asked_for_or_unknown(
    monkeypatch: pytest.MonkeyPatch, system: str, known: bool
) -> None:
    pytest.importorskip("resource")
    pretend(monkeypatch, {})
    monkeypatch.setattr(sys, "platform", system)
    assert (cold_start_process._peak_bytes() is not None) is known


def test_without_a_high_water_mark_the_peak_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {"/proc/self/status": "Name:\tpython\n"})
    assert cold_start_process._peak_bytes() is None
