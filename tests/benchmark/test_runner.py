import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from mnist_edge import benchmark, datasets, metrics
from mnist_edge.backends import (
    Contender,
    ContenderKind,
    Examples,
    ForeignOptions,
    OnnxRuntime,
    Runner,
    find_contenders,
)
from mnist_edge.backends.model_info import ImagesKey
from mnist_edge.benchmark import (
    Benchmark,
    Data,
    Plan,
    TimingImages,
    cold_start,
    loading,
    match_data,
    stopwatch,
)
from mnist_edge.classifier import Classifier
from mnist_edge.datasets import Dataset, Split, digits
from mnist_edge.errors import DataError, GoldenError, ModelError
from mnist_edge.files import sha256
from mnist_edge.host.machine import this_machine
from mnist_edge.image_shape import ImageOptions, ImageShape
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file.contract import Card
from mnist_edge.types import Images, Progress
from tests.conftest import make_card, write_tiny_model
from tests.helpers.cli import write_folder
from tests.helpers.fakes import Known, Table, dataset, numbered, skip_warm_up, table_of, with_golden
from tests.helpers.trained import Trained

QUICK = Plan(duration_s=0.02, batches=(1, 64))
SINGLE = replace(QUICK, batches=(1,))
LABELS = np.arange(300, dtype=np.int64) % 10
NUMBERED: Data = {ImagesKey("numbered"): dataset(LABELS)}

pytestmark = pytest.mark.usefixtures("cold_machine")


@pytest.fixture(autouse=True)
def _no_processes(starts: list[Contender]) -> None:
    """Unless a test says otherwise."""


@pytest.fixture
def noise(random_split: Split) -> Dataset:
    return Dataset("noise", tuple("0123456789"), random_split, random_split, "made here")


def run(files: list[Path], data: Data, plan: Plan = QUICK) -> Benchmark:
    return benchmark.run([OnnxRuntime.open(path) for path in files], data, plan)


def gathered(files: list[Path], runs: Path) -> tuple[Contender, ...]:
    def never(shape: ImageShape | None) -> Examples:
        raise AssertionError("no file is of others")

    return find_contenders(files, runs, None, ForeignOptions(never)).contenders


def test_accuracy_is_measured_on_the_whole_test_split(tiny_model: Path, noise: Dataset) -> None:
    entry = run([tiny_model], {ImagesKey("digits"): noise}).entries[0]
    right = Classifier(tiny_model).predict(noise.test.images).labels == noise.test.labels
    assert entry.accuracy == Accuracy(int(right.sum()), 200)
    assert not entry.recorded


def test_without_its_data_a_file_shows_what_it_records(tiny_model: Path) -> None:
    result = run([tiny_model], {})
    entry = result.entries[0]
    assert (entry.accuracy, entry.recorded) == (make_card().accuracy, True)
    assert entry.score is None
    assert result.images == "digits drawn in a font: no data set is here"


def test_a_record_says_what_was_measured_and_on_what(
    tmp_path: Path, tiny_model: Path, noise: Dataset
) -> None:
    other = write_tiny_model(tmp_path / "other.onnx", seed=1)
    contenders = [OnnxRuntime.open(path) for path in (tiny_model, other)]
    data = {ImagesKey("digits"): noise}
    result = benchmark.run(contenders, data, QUICK, missing=("ncnn is not installed",))
    assert [entry.contender for entry in result.entries] == contenders
    assert (result.plan, result.machine, result.data) == (QUICK, this_machine(), data)
    assert result.images == "test images of noise"
    assert result.missing == ("ncnn is not installed",)
    assert not result.stopped
    measured_at = datetime.fromisoformat(result.measured_at)
    assert measured_at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - measured_at) < timedelta(hours=1)
    for entry, path in zip(result.entries, (tiny_model, other), strict=True):
        assert entry.size_bytes == len(path.read_bytes())
        assert entry.sha256 == sha256(path)
        assert entry.findings is not None


def test_samples_are_raw_and_in_rounds_that_pair(
    tmp_path: Path, tiny_model: Path, noise: Dataset
) -> None:
    other = write_tiny_model(tmp_path / "other.onnx", seed=1)
    result = run([tiny_model, other], {ImagesKey("digits"): noise}, replace(QUICK, duration_s=0.1))
    for size, least in ((1, 700), (64, 64)):
        latencies = [entry.batches[size] for entry in result.entries] + [result.yardstick[size]]
        assert len({len(latency.turns) for latency in latencies}) == 1
        assert len({id(latency) for latency in latencies}) == 3
        for latency in latencies:
            assert len(latency.samples_us) == latency.turns.sum() >= least
            assert (latency.samples_us > 0).all()
    first, second = result.entries
    assert result.speedup(second, first, 1) is not None
    for entry in result.entries:
        cpu_us = entry.cpu_us_per_image(1)
        assert cpu_us is not None
        assert cpu_us > 0
        assert len(entry.prepare.samples_us) >= 700
        assert (entry.paced, entry.cold) == (None, None)
    assert (result.energy_why_not is None) == (first.joules_per_image(1) is not None)


def test_noise_is_watched_while_calls_are_timed_and_no_longer(tiny_model: Path) -> None:
    """Loading takes half a second."""
    contenders: list[Contender] = [Loading(0.05), OnnxRuntime.open(tiny_model)]
    begin = time.monotonic()
    data = {ImagesKey("digits"): NUMBERED[ImagesKey("numbered")]} | NUMBERED
    result = benchmark.run(contenders, data, QUICK)
    in_all_s = time.monotonic() - begin
    latencies = [found for entry in result.entries for found in entry.batches.values()]
    timed_s = sum(latency.samples_us.sum() for latency in latencies) / 1e6
    assert timed_s < result.noise.duration_s < in_all_s - 0.5
    spread = {
        f"{name}{at_once}": latencies[size].spread
        for name, latencies in (
            ("known.onnx in numpy", result.entries[0].batches),
            ("tiny.onnx in onnxruntime", result.entries[1].batches),
            ("a fixed piece of work", result.yardstick),
        )
        for size, at_once in ((1, ""), (64, " at 64 images a call"))
    }
    assert result.noise.spread == spread
    assert result.noise.paused is not None


def test_progress_names_each_phase_in_order_and_stays_within_it(
    tiny_model: Path, noise: Dataset
) -> None:
    told: list[tuple[str, float]] = []
    contenders = [OnnxRuntime.open(tiny_model)] * 2

    def tell(what: str, done: float, total: float) -> None:
        told.append((what, done / total))

    benchmark.run(contenders, {ImagesKey("digits"): noise}, QUICK, tell)
    assert list(dict(told)) == [
        "loading",
        "accuracy",
        "fresh processes",
        "timing, 1 image a call",
        "timing, 64 images a call",
    ]
    for phase in dict(told):
        fractions = [fraction for what, fraction in told if what == phase]
        assert fractions == sorted(fractions)
        assert 0 <= fractions[0] <= fractions[-1] <= 1


@dataclass
class Loading:
    """A contender that takes so long to load, and again for the first answer behind it."""

    load_s: float = 0.0
    first_s: float = 0.0
    threads: list[int] = field(default_factory=list)
    runtime: str = "numpy"
    kind: ClassVar[ContenderKind] = ContenderKind.CONVERTED
    path: Path = Path(__file__)
    info = Known(Table(np.zeros((0, 10), np.float32))).info

    def load(self, threads: int) -> Runner:
        self.threads.append(threads)
        time.sleep(self.load_s)
        return Waking(table_of(LABELS).logits, first_s=self.first_s)


@dataclass
class Waking(Table):
    first_s: float = 0.0

    def run(self, prepared: Any) -> Any:
        time.sleep(self.first_s)
        self.first_s = 0.0
        return super().run(prepared)


def test_loading_and_the_first_answer_are_figures_of_their_own() -> None:
    (entry,) = benchmark.run([Loading(0.002, 0.004)], NUMBERED, QUICK).entries
    assert len(entry.load.samples_us) == len(entry.first.samples_us) == 11
    assert entry.load.samples_us.min() >= 2000
    assert entry.first.samples_us.min() >= 4000
    assert np.median(entry.batches[1].samples_us) < 2000  # neither is in there


def test_what_loads_for_long_is_not_loaded_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_LOADING_S", 0.01)
    (entry,) = benchmark.run([Loading(0.006)], NUMBERED, QUICK).entries
    assert len(entry.load.samples_us) == len(entry.first.samples_us) <= 2


def test_everything_is_loaded_on_as_many_threads_as_planned() -> None:
    contender = Loading()
    benchmark.run([contender], NUMBERED, replace(QUICK, threads=3))
    assert set(contender.threads) == {3}


def test_memory_comes_from_one_fresh_process_each(
    tiny_model: Path, noise: Dataset, starts: list[Contender]
) -> None:
    contenders: list[Contender] = [OnnxRuntime.open(tiny_model), Known(table_of(LABELS))]
    data = {ImagesKey("digits"): NUMBERED[ImagesKey("numbered")]} | NUMBERED
    result = benchmark.run(contenders, data, QUICK)
    assert sorted(map(contenders.index, starts)) == [0, 1]
    for entry, contender in zip(result.entries, contenders, strict=True):
        assert entry.peak_bytes == (starts.index(contender) + 1) * 1_000_000
        assert entry.cold is None


def test_cold_starts_are_interleaved_in_random_order(starts: list[Contender]) -> None:
    contenders = [Known(table_of(LABELS), name) for name in "abc"]
    result = benchmark.run(contenders, NUMBERED, replace(QUICK, cold=True))
    rounds = [starts[at : at + 3] for at in range(0, len(starts), 3)]
    orders = ["".join(one.info.name for one in some) for some in rounds]
    assert len(orders) == 11  # as many as a median needs
    assert {"".join(sorted(order)) for order in orders} == {"abc"}
    assert len(set(orders)) > 2
    for entry, contender in zip(result.entries, contenders, strict=True):
        taken_s = [at + 1 for at, started in enumerate(starts) if started is contender]
        assert entry.cold is not None
        assert entry.cold.samples_us.tolist() == [1e6 * one for one in taken_s]
        assert entry.peak_bytes == taken_s[-1] * 1_000_000  # the most that any took


def test_where_memory_cannot_be_read_it_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold_start, "start", lambda *job: cold_start.ColdStart(1.0, None))
    (entry,) = benchmark.run([Known(table_of(LABELS))], NUMBERED, replace(QUICK, cold=True)).entries
    assert entry.peak_bytes is None
    assert entry.cold is not None


def test_processes_are_really_started(
    tiny_model: Path, noise: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cold_start, "start", REAL_START)
    monkeypatch.setattr(loading, "_COLD_STARTS", 2)
    (entry,) = run([tiny_model], {ImagesKey("digits"): noise}, replace(QUICK, cold=True)).entries
    assert entry.cold is not None
    assert len(entry.cold.samples_us) == 2
    assert entry.cold.samples_us.min() > entry.first.samples_us.min()
    assert entry.peak_bytes is None or entry.peak_bytes > 10_000_000


REAL_START = cold_start.start


def test_a_paced_run_is_beside_the_tight_one(
    tiny_model: Path, noise: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopwatch, "_PACED_TURN_S", 0.02)
    (entry,) = run([tiny_model], {ImagesKey("digits"): noise}, replace(QUICK, rate_hz=400)).entries
    assert entry.paced is not None
    assert len(entry.paced.samples_us) >= 64
    assert set(entry.paced.turns) == {8}
    assert set(entry.batches) == {1, 64}


@pytest.mark.parametrize(
    ("threads", "rate", "opened"), [(2, 400, [2]), (1, 400, []), (2, None, [])]
)
def test_several_threads_sleep_between_the_images_of_a_paced_run(
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
    rate: float | None,
    opened: list[int],
) -> None:
    def load_asleep(self: OnnxRuntime, threads: int) -> object:
        asleep.append(threads)
        session = real(self, threads)
        options = session._run.__self__.get_session_options()
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
        return session

    asleep: list[int] = []
    real = OnnxRuntime.load_asleep
    monkeypatch.setattr(OnnxRuntime, "load_asleep", load_asleep)
    monkeypatch.setattr(stopwatch, "_PACED_TURN_S", 0.02)
    plan = Plan(threads=threads, duration_s=0.02, batches=(1,), rate_hz=rate)
    run([tiny_model], {}, plan)
    assert asleep == opened


def test_a_file_whose_golden_answers_fail_is_refused_and_the_rest_measured(
    tmp_path: Path, tiny_model: Path, noise: Dataset, starts: list[Contender]
) -> None:
    bad = with_golden(tmp_path / "bad.onnx", make_card(), off=0.5)
    contenders = [OnnxRuntime.open(path) for path in (bad, tiny_model)]
    found = benchmark.run(contenders, {ImagesKey("digits"): noise}, QUICK)
    assert [entry.contender for entry in found.entries] == contenders[1:]
    assert starts == contenders[1:]
    (refused,) = found.refused
    assert "bad.onnx does not compute here" in refused
    with pytest.raises(GoldenError, match=r"bad\.onnx does not compute here"):
        benchmark.run(contenders[:1], {ImagesKey("digits"): noise}, QUICK)


def test_one_that_answers_what_is_no_number_does_not_end_the_others(tiny_model: Path) -> None:
    table = table_of(LABELS)
    table.logits[3] = np.nan
    good = OnnxRuntime.open(tiny_model)
    data = NUMBERED | {ImagesKey("digits"): NUMBERED[ImagesKey("numbered")]}
    found = benchmark.run([Known(table, "bad.onnx"), good], data, QUICK)
    assert [entry.contender for entry in found.entries] == [good]
    assert found.refused[0].startswith("bad.onnx in numpy answers nan to some images")


def test_one_that_fails_in_its_own_process_does_not_end_the_others(
    tmp_path: Path, tiny_model: Path, noise: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_tiny_model(tmp_path / "other.onnx", seed=1)

    def start(contender: Contender, *job: object) -> cold_start.ColdStart:
        if contender.path == other:
            raise ModelError("other.onnx failed in a process of its own: why")
        return cold_start.ColdStart(1.0, 1_000_000)

    monkeypatch.setattr(cold_start, "start", start)
    found = run([other, tiny_model], {ImagesKey("digits"): noise}, replace(SINGLE, cold=True))
    assert [entry.contender.path for entry in found.entries] == [tiny_model]
    assert found.entries[0].cold is not None
    assert found.refused == ("other.onnx failed in a process of its own: why",)


def test_a_contender_that_fails_in_its_own_process_ends_it(
    tiny_model: Path, noise: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*job: object) -> cold_start.ColdStart:
        raise ModelError("tiny.onnx in onnxruntime failed in a process of its own: why")

    monkeypatch.setattr(cold_start, "start", start)
    with pytest.raises(ModelError, match="process of its own: why"):
        run([tiny_model], {ImagesKey("digits"): noise})


@pytest.fixture
def heeded() -> Iterator[None]:
    """Ctrl-C as in a terminal: a job in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupting(phase: str, at: float) -> Progress:
    """Ctrl-C, once, when so much of a phase is done."""
    come = False

    def told(what: str, done: float, total: float) -> None:
        nonlocal come
        if not come and (what, done / total >= at) == (phase, True):
            come = True
            signal.raise_signal(signal.SIGINT)

    return told


@pytest.mark.usefixtures("heeded")
def test_ctrl_c_while_it_times_keeps_the_rounds_until_then() -> None:
    contenders = [Known(table_of(LABELS), name) for name in "ab"]
    plan = Plan(duration_s=3600, batches=(1, 64), rate_hz=20, cold=True)
    stop = interrupting("timing, 1 image a call", 1e-6)
    result = benchmark.run(contenders, NUMBERED, plan, stop)
    assert result.stopped
    for entry in result.entries:
        assert set(entry.batches) == {1}
        assert len(entry.batches[1].turns) > 0
        assert entry.paced is None
        assert entry.score is not None
        assert entry.cold is not None  # what was measured before is not lost
    assert set(result.yardstick) == {1}


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize(
    ("phase", "at"),
    [("loading", 0.5), ("accuracy", 0.5), ("fresh processes", 0), ("timing, 1 image a call", 0)],
)
def test_ctrl_c_before_anything_is_timed_is_what_it_is(phase: str, at: float) -> None:
    contenders = [Known(table_of(LABELS), name) for name in "ab"]
    with pytest.raises(KeyboardInterrupt):
        benchmark.run(contenders, NUMBERED, QUICK, interrupting(phase, at))


def test_without_data_each_shows_the_accuracy_that_was_recorded_of_it() -> None:
    said = Accuracy(7, 10), Accuracy(8, 10)
    contenders = [Known(Constant(), recorded=accuracy) for accuracy in (*said, None)]
    entries = benchmark.run(contenders, {}, QUICK).entries
    assert [entry.accuracy for entry in entries] == [*said, None]
    assert [entry.recorded for entry in entries] == [True, True, False]


class Constant:
    """Answers any image alike."""

    def prepare(self, images: Images) -> Images:
        return images

    def run(self, prepared: Images) -> Any:
        return np.zeros((len(prepared), 10), np.float32)


def int8_of(card: Card) -> Card:
    return replace(
        card,
        precision="int8",
        original_sha256=card.source_sha256,
        source_sha256="1" * 64,
        calibration={},
        golden=None,
    )


@pytest.mark.usefixtures("threads_as_before")
def test_a_file_and_its_int8_file_are_compared_with_the_original(
    tmp_path: Path, made: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The int8 file here is another linear model: its answers differ from everyone's."""
    skip_warm_up(monkeypatch, samples=20)
    int8 = write_tiny_model(tmp_path / "int8.onnx", int8_of(Classifier(made.file).card))
    test = digits.load().test
    before, after = (Classifier(path).predict(test.images).labels for path in (made.file, int8))
    expected = metrics.agreement(before, after, test.labels)
    assert expected.changed > 0

    contenders = gathered([made.file, int8], made.home / "runs")
    result = benchmark.run(contenders, match_data(contenders, None, None)[1], SINGLE)
    fp32, quantized, original = result.entries
    assert (fp32.is_original, quantized.is_original, original.is_original) == (False, False, True)
    changes = [entry.score.change for entry in result.entries if entry.score]
    assert changes == [metrics.Agreement(0, 0, 0, len(test)), expected, None]
    assert fp32.accuracy == original.accuracy == fp32.info.recorded == original.info.recorded
    assert [result.baseline(entry) for entry in result.entries] == [original, original, None]
    assert result.speedup(fp32, original, 1) is not None
    assert [entry.findings is None for entry in result.entries] == [False, False, True]
    assert fp32.findings is not None
    assert fp32.findings.golden is not None  # exported files have golden answers

    contenders = gathered([made.file, int8], tmp_path / "no runs")
    result = benchmark.run(contenders, match_data(contenders, None, None)[1], SINGLE)
    assert [entry.score.change for entry in result.entries if entry.score] == [None, expected]


def test_real_test_images_are_what_is_timed() -> None:
    data = {ImagesKey("numbered"): dataset(np.zeros(2000, np.int64))}
    known = Known(table_of(LABELS))
    images = TimingImages.choose([known], data)
    np.testing.assert_array_equal(images.of(known), numbered(1000))
    assert images.source == "test images of numbered"


def test_where_no_set_is_here_many_different_digits_are_drawn() -> None:
    known = Known(table_of(LABELS))
    found = TimingImages.choose([known], {})
    images = found.of(known)
    assert images.dtype == np.uint8
    assert images.shape == (1000, 28, 28)
    assert len(np.unique(images.reshape(1000, -1), axis=0)) > 800
    assert images.any(axis=(1, 2)).all()
    assert found.source == "digits drawn in a font: no data set is here"


def test_even_a_test_split_below_one_batch_is_what_is_timed(tiny_model: Path) -> None:
    few = {ImagesKey("digits"): dataset(LABELS[:5])}
    result = run([tiny_model], few)
    assert result.images == "test images of numbered"
    assert result.entries[0].accuracy is not None
    assert result.entries[0].accuracy.total == 5


def test_each_contender_gets_its_own_set_where_it_is_here(tmp_path: Path, tiny_model: Path) -> None:
    elsewhere = write_tiny_model(tmp_path / "other.onnx", make_card(dataset="folder:letters"))
    contenders = [OnnxRuntime.open(tiny_model), OnnxRuntime.open(elsewhere)]
    _, found, _ = match_data(contenders, None, None)
    assert {name: data.name for name, data in found.items()} == {ImagesKey("digits"): "digits"}


def test_a_set_is_read_once_for_all_files_that_have_it(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    def load(name: str, data_dir: Path | None, options: ImageOptions) -> Dataset:
        reads.append(name)
        return digits.load()

    monkeypatch.setattr(datasets, "load_if_here", load)
    match_data([OnnxRuntime.open(tiny_model)] * 3, None, None)
    assert reads == ["digits"]


def test_a_chosen_set_is_for_all_of_them(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "letters", "a", "b", "c")
    card = make_card(classes=("a", "b", "c"), dataset="folder:letters")
    files = [write_tiny_model(tmp_path / f"{seed}.onnx", card, seed) for seed in (0, 1)]
    contenders = [OnnxRuntime.open(path) for path in files]
    _, found, _ = match_data(contenders, f"folder:{root}", None)
    assert [(key.dataset, data.source) for key, data in found.items()] == [
        ("folder:letters", str(root))
    ]


def test_a_set_with_other_classes_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    root = write_folder(tmp_path / "letters", "a", "b", "c")
    message = r"folder:letters has the classes a, b, c; tiny\.onnx tells 0, 1, .*9 apart: name"
    with pytest.raises(DataError, match=message):
        match_data([OnnxRuntime.open(tiny_model)], f"folder:{root}", None)


def test_mnist_is_found_by_its_name(tmp_path: Path, mnist: Dataset) -> None:
    path = write_tiny_model(tmp_path / "m.onnx", make_card(dataset="mnist"))
    _, found, _ = match_data([OnnxRuntime.open(path)], None, None)
    assert len(found[ImagesKey("mnist")].test) == 10_000
    np.testing.assert_array_equal(found[ImagesKey("mnist")].test.labels, mnist.test.labels)
