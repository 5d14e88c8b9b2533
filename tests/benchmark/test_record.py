import numpy as np
import pytest

from mnist_edge.backends import RUNTIMES, ContenderKind, load_backend
from mnist_edge.benchmark import Entry, Plan
from mnist_edge.benchmark.latency import Latency, speedup
from mnist_edge.errors import EdgeError
from mnist_edge.metrics import Accuracy
from tests.report import records


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batches": ()}, "batches are counts of images"),
        ({"batches": (0, 8)}, "batches are counts of images"),
        ({"duration_s": -1.0}, "duration_s cannot be negative"),
    ],
)
def test_a_plan_names_what_is_wrong_with_it(changes: dict[str, object], message: str) -> None:
    with pytest.raises(EdgeError, match=message):
        Plan(**changes)  # type: ignore[arg-type]


def test_every_runtime_says_what_of_a_model_it_runs() -> None:
    """One runs the file as it ships, and one the network as it was trained."""
    found = {name: load_backend(name).kind for name in RUNTIMES}
    assert [name for name, kind in found.items() if kind == ContenderKind.FILE] == ["onnxruntime"]
    assert [name for name, kind in found.items() if kind == ContenderKind.ORIGINAL] == ["pytorch"]
    assert found["torch-compile"] == ContenderKind.COMPILED
    assert found["openvino"] == found["ncnn"] == ContenderKind.CONVERTED


def test_an_entry_knows_the_file_and_the_original() -> None:
    found = [records.entry(records.file("x.onnx", one)) for one in RUNTIMES]
    assert [one.contender.runtime for one in found if one.is_file] == ["onnxruntime"]
    assert [one.contender.runtime for one in found if one.is_original] == ["pytorch"]


def test_the_accuracy_is_the_measured_one_or_else_the_recorded() -> None:
    said, found = Accuracy(8, 10), Accuracy(9, 10)
    measured = records.entry(records.file("a.onnx", recorded=said), found)
    unmeasured = records.entry(records.file("a.onnx"), said, recorded=True)
    foreign = records.entry(records.file("a.onnx", recorded=None), score=None)
    accuracies = [entry.accuracy for entry in (measured, unmeasured, foreign)]
    assert accuracies == [found, said, None]
    assert [entry.recorded for entry in (measured, unmeasured, foreign)] == [False, True, False]


def latency(*turns: list[float], **used: list[float]) -> Latency:
    samples = np.array([sample for turn in turns for sample in turn])
    meters = {name: np.array(values) for name, values in used.items()}
    return Latency(samples, np.array([len(turn) for turn in turns]), meters)


def entry_of(size: int, found: Latency) -> Entry:
    return records.entry(records.file("a.onnx"), batches={size: found})


def test_throughput_comes_from_the_median() -> None:
    entry = entry_of(8, latency([400.0] * 6, [500.0] * 6, [90_000.0] * 5))
    assert entry.images_per_s(8) == pytest.approx(8 / 500e-6)
    assert entry.images_per_s(64) is None
    assert entry_of(8, latency([400.0] * 10)).images_per_s(8) is None  # too few for a median


def test_what_is_used_is_shared_out_among_the_images() -> None:
    found = latency([1.0, 1.0], [1.0, 1.0, 1.0], cpu_s=[0.010, 0.030], energy_j=[0.5, 1.5])
    entry = entry_of(8, found)
    assert entry.cpu_us_per_image(8) == pytest.approx(0.040 / 5 / 8 * 1e6)
    assert entry.joules_per_image(8) == pytest.approx(2.0 / 5 / 8)
    assert entry.cpu_us_per_image(1) is entry.joules_per_image(1) is None


def test_what_no_meter_read_is_unknown() -> None:
    entry = entry_of(1, latency([1.0] * 20))
    assert entry.cpu_us_per_image(1) is entry.joules_per_image(1) is None


ORIGINAL = records.entry(records.original("runs/edge/checkpoint.pt"))
COMPILED = records.entry(records.file("runs/edge/checkpoint.pt", "torch-compile"))
FP32 = records.entry(records.file("edge.onnx"))
INT8 = records.entry(records.file("edge-int8.onnx", precision="int8"))
OPENVINO = records.entry(records.file("edge.onnx", "openvino"))
OTHER = records.entry(records.file("other.onnx", family="1" * 64))
OTHER_INT8 = records.entry(records.file("other-int8.onnx", family="1" * 64, precision="int8"))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((FP32, INT8, OPENVINO, COMPILED, ORIGINAL), ORIGINAL),
        ((INT8, OPENVINO, FP32, COMPILED), FP32),
        ((INT8, OPENVINO), INT8),
        ((OPENVINO, INT8), OPENVINO),
        ((OTHER, INT8, OPENVINO), INT8),
    ],
)
def test_speed_is_compared_with_the_original_or_fp32_or_the_first_of_the_model(
    entries: tuple[Entry, ...], expected: Entry
) -> None:
    record = records.benchmark(*entries)
    family = [entry for entry in entries if entry is not OTHER]
    assert all(record.baseline(entry) is expected for entry in family if entry is not expected)
    assert record.baseline(expected) is None


def test_each_family_has_its_own_baseline() -> None:
    record = records.benchmark(FP32, ORIGINAL, OTHER, OTHER_INT8)
    found = [record.baseline(entry) for entry in record.entries]
    assert [one and one.contender.path.name for one in found] == [
        "checkpoint.pt",
        None,
        None,
        "other.onnx",
    ]


def test_a_speedup_is_paired_and_the_inverse_of_the_other_way_round() -> None:
    slow, fast = (
        records.entry(records.file("a.onnx")),
        records.entry(records.file("b.onnx"), center_us=20),
    )
    record = records.benchmark(slow, fast)
    found, back = record.speedup(fast, slow, 1), record.speedup(slow, fast, 1)
    assert found is not None
    assert back is not None
    assert found.value == pytest.approx(3)  # the same noise in both
    assert back.value == pytest.approx(1 / 3)
    assert found == speedup(slow.batches[1], fast.batches[1])


def test_what_was_not_timed_has_no_speedup() -> None:
    both, one = FP32, records.entry(records.file("b.onnx"), batches={1: FP32.batches[1]})
    record = records.benchmark(both, one)
    assert record.speedup(one, both, 64) is record.speedup(both, one, 64) is None
    assert record.speedup(both, one, 7) is None
    assert record.speedup(one, both, 1) is not None


@pytest.mark.parametrize(("rounds", "known"), [(10, False), (11, True)])
def test_too_few_rounds_have_no_speedup(rounds: int, known: bool) -> None:
    found = {1: latency(*[[9.0]] * rounds)}
    one, other = (records.entry(records.file(name), batches=found) for name in "ab")
    assert (records.benchmark(one, other).speedup(one, other, 1) is not None) is known
