from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge import benchmark, datasets, metrics
from mnist_edge.benchmark import BATCH, Benchmark, Data
from mnist_edge.classifier import Classifier
from mnist_edge.contenders import Answer, OnnxRuntime, PyTorch
from mnist_edge.datasets import Dataset, Split, digits
from mnist_edge.errors import DataError
from mnist_edge.files import sha256
from mnist_edge.metrics import Accuracy
from mnist_edge.stopwatch import Protocol
from tests.clitools import write_folder
from tests.conftest import make_card, write_tiny_model
from tests.trained import Trained

QUICK = Protocol(samples=20, duration_s=0, warmup_s=0)


pytestmark = pytest.mark.usefixtures("threads_as_before")


@pytest.fixture
def noise(random_split: Split) -> Dataset:
    return Dataset("noise", tuple("0123456789"), random_split, random_split, "made here")


def run(files: list[Path], data: Data, protocol: Protocol = QUICK) -> Benchmark:
    return benchmark.run([OnnxRuntime.open(path) for path in files], data, 1, protocol)


def test_accuracy_is_measured_on_the_whole_test_split(tiny_model: Path, noise: Dataset) -> None:
    entry = run([tiny_model], {"digits": noise}).entries[0]
    right = Classifier(tiny_model).predict(noise.test.images).labels == noise.test.labels
    assert entry.accuracy == Accuracy(int(right.sum()), 200)
    assert not entry.recorded


def test_more_images_than_one_call_takes_are_all_answered(tiny_model: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (1203, 28, 28), np.uint8)
    labels = Classifier(tiny_model).predict(images).labels
    split = Split(images, labels)
    data = Dataset("own answers", tuple("0123456789"), split, split, "made here")
    assert run([tiny_model], {"digits": data}).entries[0].accuracy == Accuracy(1203, 1203)


def test_without_its_data_a_file_shows_what_it_records(tiny_model: Path) -> None:
    result = run([tiny_model], {})
    entry = result.entries[0]
    assert (entry.accuracy, entry.recorded) == (make_card().accuracy, True)
    assert entry.change is None
    assert result.images == "digits drawn in a font: no data set is here"


def test_sizes_hashes_and_counts_are_those_of_the_files(
    tmp_path: Path, tiny_model: Path, noise: Dataset
) -> None:
    other = write_tiny_model(tmp_path / "other.onnx", seed=1)
    protocol = Protocol(samples=30, duration_s=0, warmup_s=0, burst=7)
    result = run([tiny_model, other], {"digits": noise}, protocol)
    assert (result.threads, result.protocol) == (1, protocol)
    assert result.images == "test images of noise"
    for entry, path in zip(result.entries, (tiny_model, other), strict=True):
        assert entry.size_bytes == len(path.read_bytes())
        assert entry.sha256 == sha256(path)
        assert len(entry.load.samples_us) == len(entry.first.samples_us) == 11
        assert len(entry.single.samples_us) == 35  # five bursts of seven
        assert len(entry.batch.samples_us) == 32  # eight bursts of four
        median = entry.batch.percentile_us(50)
        assert median is not None
        assert entry.images_per_s == pytest.approx(64 / (median / 1e6))
    assert result.entries[0].sha256 != result.entries[1].sha256


def test_too_few_batches_have_no_rate(tiny_model: Path) -> None:
    entry = run([tiny_model], {}, Protocol(samples=4, duration_s=0, warmup_s=0, burst=4)).entries[0]
    assert len(entry.batch.samples_us) == 4
    assert entry.images_per_s is None


class Spy:
    """A contender that notes the images that it is timed on."""

    name, runtime = "spy", "python"

    def __init__(self, path: Path) -> None:
        self.path, self.card = path, make_card()
        self.seen: list[NDArray[np.uint8]] = []

    def load(self, threads: int) -> Answer:
        def answer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            self.seen.append(images)
            return np.zeros((len(images), 10), np.float32)

        return answer


def test_real_test_images_are_timed_in_turn_and_one_or_a_batch_at_a_call(
    tiny_model: Path, noise: Dataset
) -> None:
    spy = Spy(tiny_model)
    protocol = Protocol(samples=240, duration_s=0, warmup_s=0, settle=0)
    benchmark.run([spy], {"digits": noise}, 1, protocol)
    singles = [images[0] for images in spy.seen if len(images) == 1][11 + 1 :]  # loads, warm-up
    assert len(singles) == 240
    for at, image in enumerate(singles):
        np.testing.assert_array_equal(image, noise.test.images[at % 200])
    batches = [images for images in spy.seen if len(images) == BATCH][1:]
    assert len(batches) == 64
    for at, images in enumerate(batches):
        start = at % 3 * BATCH  # 200 images are three whole batches
        np.testing.assert_array_equal(images, noise.test.images[start : start + BATCH])


def test_a_test_split_below_one_batch_is_not_what_is_timed(
    tiny_model: Path, noise: Dataset
) -> None:
    few = Dataset("few", noise.classes, noise.train, noise.test[slice(0, BATCH - 1)], "made here")
    result = run([tiny_model], {"digits": few})
    assert result.images == "digits drawn in a font: no data set is here"
    assert result.entries[0].accuracy.total == BATCH - 1


def test_progress_names_each_phase_and_ends_it(tiny_model: Path, noise: Dataset) -> None:
    told: list[tuple[str, float]] = []
    benchmark.run(
        [OnnxRuntime.open(tiny_model)],
        {"digits": noise},
        1,
        QUICK,
        lambda what, fraction: told.append((what, fraction)),
    )
    phases = ["accuracy", "timing, 1 image a call", f"timing, {BATCH} images a call"]
    assert list(dict(told)) == phases
    for phase in phases:
        fractions = [fraction for what, fraction in told if what == phase]
        assert fractions == sorted(fractions)
        assert (fractions[0], fractions[-1]) == (0, 1)


def test_a_file_is_compared_with_its_original_on_the_same_images(made: Trained) -> None:
    contenders = benchmark.gather([made.file], made.home / "runs")
    data = benchmark.find_data(contenders, None, None)
    file, original = benchmark.run(contenders, data, 1, QUICK).entries
    assert isinstance(original.contender, PyTorch)
    assert original.change is None
    assert file.change is not None
    assert (file.change.changed, file.change.total) == (0, len(digits.load().test))
    assert file.accuracy == original.accuracy == file.contender.card.accuracy
    assert not file.recorded
    assert not original.recorded
    assert file.contender.card.original_accuracy == original.accuracy


def test_without_data_the_original_shows_its_own_recorded_accuracy(made: Trained) -> None:
    contenders = benchmark.gather([made.file], made.home / "runs")
    file, original = benchmark.run(contenders, {}, 1, QUICK).entries
    assert (file.recorded, original.recorded) == (True, True)
    assert original.accuracy == original.contender.card.original_accuracy
    assert file.change is None


def test_a_file_without_an_original_among_others_has_no_change(
    made: Trained, tiny_model: Path
) -> None:
    contenders = benchmark.gather([made.file, tiny_model], made.home / "runs")
    data = benchmark.find_data(contenders, None, None)
    entries = benchmark.run(contenders, data, 1, QUICK).entries
    assert [entry.change is None for entry in entries] == [False, True, True]


def test_int8_is_compared_with_the_original_and_without_it_with_fp32(
    tmp_path: Path, made: Trained
) -> None:
    """The int8 file here is another linear model: its answers differ from everyone's."""
    card = Classifier(made.file).card
    int8 = write_tiny_model(
        tmp_path / "edge-xs-int8.onnx",
        replace(card, precision="int8", original_sha256=card.source_sha256, calibration={}),
    )
    test = digits.load().test
    changes = []
    for runs in (made.home / "runs", tmp_path / "no runs"):
        contenders = benchmark.gather([made.file, int8], runs)
        data = benchmark.find_data(contenders, None, None)
        fp32, quantized = benchmark.run(contenders, data, 1, QUICK).entries[:2]
        assert (fp32.change is None) == (runs.name == "no runs")
        changes.append(quantized.change)
    before, after = (Classifier(path).predict(test.images).labels for path in (made.file, int8))
    expected = metrics.agreement(before, after, test.labels)
    assert expected.changed > 0
    assert changes == [expected, expected]


def test_each_contender_gets_its_own_set_where_it_is_here(tmp_path: Path, tiny_model: Path) -> None:
    elsewhere = write_tiny_model(tmp_path / "other.onnx", make_card(dataset="folder:letters"))
    contenders = [OnnxRuntime.open(tiny_model), OnnxRuntime.open(elsewhere)]
    found = benchmark.find_data(contenders, None, None)
    assert {name: data.name for name, data in found.items()} == {"digits": "digits"}


def test_a_set_is_read_once_for_all_files_that_have_it(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    def load(name: str, data_dir: Path | None = None) -> Dataset:
        reads.append(name)
        return digits.load()

    monkeypatch.setattr(datasets, "load_if_here", load)
    benchmark.find_data([OnnxRuntime.open(tiny_model)] * 3, None, None)
    assert reads == ["digits"]


def test_a_chosen_set_is_for_all_of_them(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "letters", "a", "b", "c")
    card = make_card(classes=("a", "b", "c"), dataset="folder:letters")
    files = [write_tiny_model(tmp_path / f"{seed}.onnx", card, seed) for seed in (0, 1)]
    contenders = [OnnxRuntime.open(path) for path in files]
    found = benchmark.find_data(contenders, f"folder:{root}", None)
    assert [(name, data.source) for name, data in found.items()] == [("folder:letters", str(root))]


def test_a_set_with_another_number_of_classes_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    root = write_folder(tmp_path / "letters", "a", "b", "c")
    message = "folder:letters has 3 classes, tiny tells 10 apart: name the set"
    with pytest.raises(DataError, match=message):
        benchmark.find_data([OnnxRuntime.open(tiny_model)], f"folder:{root}", None)


def test_mnist_is_found_by_its_name(tmp_path: Path, mnist: Dataset) -> None:
    path = write_tiny_model(tmp_path / "m.onnx", make_card(dataset="mnist"))
    found = benchmark.find_data([OnnxRuntime.open(path)], None, None)
    assert len(found["mnist"].test) == 10_000
    np.testing.assert_array_equal(found["mnist"].test.labels, mnist.test.labels)
