import gc
import importlib.util
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge.backends import ContenderKind, ModelInfo
from mnist_edge.benchmark import loadgen
from mnist_edge.benchmark.loadgen import system
from mnist_edge.benchmark.loadgen.system import System
from mnist_edge.errors import EdgeError, MissingExtraError
from mnist_edge.types import Images

SCENARIOS = tuple(loadgen.SCENARIOS)
IMAGES = np.random.default_rng(0).integers(0, 256, (50, 28, 28), np.uint8)
BATCH = 16
SUBJECT = ModelInfo("tiny.onnx", "tiny", "0" * 64, "fp32", "digits", 10, None)
FAILS_AT = 30  # answers of 2 ms each: more than the warm-up has
needs_loadgen = pytest.mark.skipif(
    importlib.util.find_spec("mlperf_loadgen") is None, reason="needs the extra [loadgen]"
)


@pytest.fixture(autouse=True)
def _short_warmup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "_WARMUP_S", 0.02)


@dataclass
class Linear:
    """A runner that counts its answers, and the images in them, since it last prepared any;
    `at_each` is called with the former count before each answer."""

    at_each: Callable[[int], None]
    answers: int = 0
    answered: int = 0
    weights: NDArray[np.float32] = field(
        default_factory=lambda: np.eye(28 * 28, 10, dtype=np.float32)
    )

    def prepare(self, images: Images) -> NDArray[np.float32]:
        self.answers = self.answered = 0
        return images.reshape(len(images), -1).astype(np.float32)

    def run(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        self.at_each(self.answers)
        self.answers += 1
        self.answered += len(prepared)
        return prepared @ self.weights


@dataclass(frozen=True)
class Tiny:
    """A contender that answers in a few microseconds, unless `at_each` takes longer."""

    at_each: Callable[[int], None] = lambda answers: None
    path: Path = Path("tiny.onnx")
    runtime: str = "numpy"
    kind: ContenderKind = ContenderKind.CONVERTED
    info: ModelInfo = SUBJECT
    runners: list[Linear] = field(default_factory=list)

    def load(self, threads: int) -> Linear:
        self.runners.append(Linear(self.at_each))
        return self.runners[-1]


def drive(
    scenario: str,
    logs: Path,
    contender: Tiny | None = None,
    duration_s: float = 0.03,
    target_qps: float | None = 5000.0,
    images: Images = IMAGES,
) -> loadgen.LoadResult:
    return loadgen.run(
        contender or Tiny(), images, scenario, 1, duration_s, target_qps, logs, BATCH
    )


def summary(logs: Path) -> dict[str, str]:
    """What LoadGen's summary says, for people."""
    text = (logs / "mlperf_log_summary.txt").read_text()
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {re.sub(r"\s+", " ", key).strip(): value.strip() for key, value in pairs}


@needs_loadgen
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_result_is_what_the_summary_says(scenario: str, tmp_path: Path) -> None:
    contender = Tiny()
    result = drive(scenario, tmp_path, contender)
    said = summary(result.logs)
    assert said["Scenario"] == scenario.title().replace("-", "")
    assert said["Mode"] == "PerformanceOnly"
    assert result.valid == (said["Result is"] == "VALID")
    assert result.valid == (not result.reasons)
    for rank, latency_us in ((50, result.p50_us), (90, result.p90_us), (99, result.p99_us)):
        assert latency_us * 1000 == pytest.approx(
            int(said[f"{rank}.00 percentile latency (ns)"]), abs=0.5
        )
    headline = {
        "single-stream": ("90.0th percentile latency (ns)", 1000),
        "multi-stream": ("99.0th percentile latency (ns)", 1000),
        "server": ("Completed samples per second", 1),
        "offline": ("Samples per second", 1),
    }
    key, scale = headline[scenario]
    assert result.value * scale == pytest.approx(float(said[key]), rel=1e-5)
    assert result.images == contender.runners[0].answered
    assert result.images == result.queries * int(said["samples_per_query"])


@needs_loadgen
def test_a_stream_of_a_fast_contender_is_valid_and_long_enough(tmp_path: Path) -> None:
    result = drive("single-stream", tmp_path)
    assert result.valid, result.reasons
    assert (result.metric, result.value, result.unit) == ("p90", result.p90_us, "µs")
    assert result.p50_us <= result.p90_us <= result.p99_us
    assert result.queries >= 662


@needs_loadgen
def test_a_short_test_still_has_the_queries_that_a_p99_needs(tmp_path: Path) -> None:
    for scenario in SCENARIOS:
        result = drive(scenario, tmp_path, duration_s=0)
        assert result.images >= 662
        assert result.queries >= 662 or scenario == "offline"


@needs_loadgen
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_query_is_answered_with_its_own_images(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong: list[list[int]] = []
    seen: set[int] = set()
    original = System.query_handler

    def checking(driven: System) -> Callable[[list[int], list[int]], None]:
        issue, prepared = original(driven), driven._prepared

        def checked(ids: list[int], indices: list[int]) -> None:
            seen.update(indices)
            for at in range(0, len(ids), driven.size):
                some = indices[at : at + driven.size]
                pixels = np.take(IMAGES, some, axis=0, mode="wrap").reshape(len(some), -1)
                if not np.array_equal(prepared[some[0]], pixels):
                    wrong.append(some)  # an error must not be raised in here
            issue(ids, indices)

        return checked

    monkeypatch.setattr(System, "query_handler", checking)
    drive(scenario, tmp_path)
    assert not wrong
    assert {index % len(IMAGES) for index in seen} == set(range(len(IMAGES)))


@needs_loadgen
def test_the_same_queries_come_every_time(tmp_path: Path) -> None:
    logs = [drive("server", tmp_path / name).logs / "mlperf_log_detail.txt" for name in "ab"]
    keys = ("loaded_qsl_set", "generated_query_count", "generated_query_duration")
    first, second = (
        [line.split('"time_ms"')[0] for line in log.read_text().splitlines() if _key(line) in keys]
        for log in logs
    )
    assert len(first) == len(keys)
    assert first == second


def _key(line: str) -> str:
    found = re.search(r'"key": "(\w+)"', line)
    return found[1] if found else ""


def failing(error: BaseException) -> Callable[[int], None]:
    def at_each(answers: int) -> None:
        time.sleep(0.002)
        if answers >= FAILS_AT:
            raise error

    return at_each


def interrupting(answers: int) -> None:
    if answers <= FAILS_AT:
        time.sleep(0.002)
    if answers == FAILS_AT:
        os.kill(os.getpid(), signal.SIGINT)


@needs_loadgen
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_error_of_the_contender_ends_the_test_and_comes_out(
    scenario: str, tmp_path: Path
) -> None:
    """Long before its 20 s are over; and the next test finds LoadGen in order."""
    error = ValueError("no such operator")
    with pytest.raises(ValueError, match="no such operator") as caught:
        drive(scenario, tmp_path, Tiny(failing(error)), duration_s=20, target_qps=400)
    assert caught.value is error
    assert drive("single-stream", tmp_path).queries >= 662


@needs_loadgen
def test_an_error_while_images_are_prepared_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(driven: System, indices: list[int]) -> None:
        driven._runner = None  # type: ignore[assignment]
        original(driven, indices)

    original = System.load
    monkeypatch.setattr(System, "load", load)
    for scenario in SCENARIOS:
        with pytest.raises(AttributeError, match="prepare"):
            drive(scenario, tmp_path)


@needs_loadgen
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_ctrl_c_ends_the_test(scenario: str, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        drive(scenario, tmp_path, Tiny(interrupting), duration_s=20, target_qps=400)
    assert signal.getsignal(signal.SIGINT) is before
    assert gc.isenabled()


@needs_loadgen
def test_a_background_job_does_not_heed_ctrl_c(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        result = drive("multi-stream", tmp_path, Tiny(interrupting))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.queries >= 662


@needs_loadgen
def test_it_runs_in_another_thread_too(tmp_path: Path) -> None:
    """Where signals cannot be set."""
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(drive, "multi-stream", tmp_path).result().queries >= 662


@needs_loadgen
def test_an_overloaded_server_is_invalid_and_says_why(tmp_path: Path) -> None:
    slow = Tiny(lambda answers: time.sleep(0.001))
    result = drive("server", tmp_path, slow, target_qps=5000)
    assert not result.valid
    assert result.reasons == ("Reduce target QPS to improve latency.",)
    assert result.reasons[0] in (result.logs / "mlperf_log_summary.txt").read_text()
    assert result.server is not None
    assert result.server.target_qps == 5000
    assert result.server.bound_us == loadgen.SERVER_BOUND_US < result.p99_us
    assert result.value < 1000 < result.server.scheduled_qps


@needs_loadgen
def test_a_test_that_ran_out_of_queries_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(System, "shortest_us", lambda driven: 1e6)
    result = drive("single-stream", tmp_path, duration_s=5)
    assert not result.valid
    assert result.reasons == (
        "Decrease the expected latency so the loadgen pre-generates more queries.",
    )


@needs_loadgen
def test_only_logs_of_loadgen_are_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "tiny.onnx-numpy" / "offline"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    (folder / "mlperf_log_summary.txt").write_text("old")
    result = drive("offline", tmp_path)
    assert result.logs == folder
    assert (folder / "notes.txt").read_text() == "mine"
    assert "MLPerf Results Summary" in (folder / "mlperf_log_summary.txt").read_text()
    assert (folder / "mlperf_log_accuracy.json").read_text().split() == ["[", "]"]


@needs_loadgen
def test_an_audit_file_that_lies_about_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("audit.config").write_text("*.*.mode = 2\n*.*.min_query_count = 7\n")
    assert summary(drive("multi-stream", tmp_path).logs)["min_query_count"] == "662"


@needs_loadgen
def test_a_place_for_logs_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeError, match=r"cannot be written to .*file.* --loadgen-logs"):
        drive("offline", tmp_path / "file")


@needs_loadgen
def test_logs_without_a_result_are_an_error(tmp_path: Path) -> None:
    result = drive("offline", tmp_path)
    log = result.logs / "mlperf_log_detail.txt"
    log.write_bytes(log.read_bytes()[:5000])
    for _ in range(2):
        with pytest.raises(EdgeError, match="no result in"):
            loadgen.read(result.logs, Tiny(), 1, loadgen.SCENARIOS["offline"])
        log.unlink(missing_ok=True)


@needs_loadgen
@pytest.mark.parametrize(
    ("scenario", "duration_s", "rate"), [("server", 1, 1e9), ("single-stream", 1e6, None)]
)
def test_more_queries_than_fit_into_memory_are_refused(
    scenario: str, duration_s: float, rate: float | None, tmp_path: Path
) -> None:
    with pytest.raises(EdgeError, match=r"would plan .* ahead.*--rate or a shorter --duration"):
        drive(scenario, tmp_path, duration_s=duration_s, target_qps=rate)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rate", [None, 0.0])
def test_server_needs_a_rate(rate: float | None, tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="--loadgen server needs --rate"):
        drive("server", tmp_path, target_qps=rate)


def test_an_unknown_scenario_is_named_with_those_that_are_known(tmp_path: Path) -> None:
    known = "single-stream, multi-stream, server or offline"
    with pytest.raises(EdgeError, match=f"--loadgen is {known}, not batch"):
        drive("batch", tmp_path)


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mnist-edge\[loadgen\]'"):
        drive("offline", tmp_path)


def test_every_contender_has_a_folder_of_its_own() -> None:
    tiny = Tiny()
    others: list[Any] = [
        tiny,
        replace(tiny, runtime="openvino"),
        replace(tiny, path=Path("other/tiny.onnx")),
        replace(
            tiny,
            path=Path("runs/tiny/checkpoint.pt"),
            runtime="pytorch",
            kind=ContenderKind.ORIGINAL,
        ),
    ]
    assert loadgen.folder_names(others) == [
        "tiny.onnx-numpy",
        "tiny.onnx-openvino",
        "tiny.onnx-numpy-2",
        "tiny-pytorch",
    ]
