"""Which file bench recommends, and how it says why."""

from pathlib import Path

import pytest

from mnist_edge.benchmark import Entry
from mnist_edge.metrics import Agreement
from mnist_edge.report import advice
from tests.report.made import benchmark, entry, file, original

CHECKPOINT = "c" * 64
SLIGHTLY_WORSE = Agreement(changed=6, better=1, worse=5, total=10_000)
CLEARLY_WORSE = Agreement(changed=30, better=2, worse=25, total=10_000)


def fp32(center_us: float = 60.0, batch_us: float = 2400.0, **others: object) -> Entry:
    contender = file("exported/edge.onnx", source_sha256=CHECKPOINT)
    return entry(contender, center_us=center_us, batch_us=batch_us, **others)  # type: ignore[arg-type]


def int8(center_us: float, batch_us: float, **others: object) -> Entry:
    contender = file(
        "exported/edge-int8.onnx",
        precision="int8",
        source_sha256="f" * 64,
        original_sha256=CHECKPOINT,
    )
    values = {"change": SLIGHTLY_WORSE, "size_bytes": 98_000} | others
    return entry(contender, center_us=center_us, batch_us=batch_us, **values)  # type: ignore[arg-type]


def only_line(*entries: Entry) -> str:
    (line,) = advice.lines(benchmark(*entries))
    return line


def test_a_faster_int8_that_keeps_its_answers_is_shipped() -> None:
    assert only_line(fp32(), int8(50.0, 1200.0)) == (
        "on this CPU, ship edge-int8.onnx: 1.20 × as fast as fp32 at one image, 2.00 × at 64 a "
        "call, 98 kB against 318 kB; 6 of 10,000 answers changed (+1 -5: within chance)"
    )


@pytest.mark.parametrize("center_us", [58.5, 60.0, 61.5])
def test_within_the_noise_the_smaller_file_is_shipped(center_us: float) -> None:
    line = only_line(fp32(), int8(center_us, 2400.0))
    assert line.startswith("on this CPU, ship edge-int8.onnx: as fast as fp32 at one image")


def test_a_slower_int8_is_said_and_fp32_shipped() -> None:
    line = only_line(fp32(), int8(75.0, 3000.0))
    assert line.startswith(
        "on this CPU, int8 is slower (0.80 ×): ship edge.onnx unless size matters "
        "(98 kB against 318 kB); 6 of"
    )
    assert "at a time" not in line


def test_a_slower_int8_may_be_faster_in_batches() -> None:
    line = only_line(fp32(), int8(75.0, 1200.0))
    assert "or images come many at a time (int8 is 2.00 × at 64)" in line


def test_a_significant_loss_comes_before_speed() -> None:
    line = only_line(fp32(), int8(30.0, 1200.0, change=CLEARLY_WORSE))
    assert line.startswith(
        "on this CPU, ship edge.onnx where accuracy counts: int8 made 25 answers wrong and 2 right "
    )
    assert "its speed is 2.00 × that of fp32" in line


def test_a_significant_gain_is_no_loss() -> None:
    better = Agreement(changed=30, better=25, worse=2, total=10_000)
    line = only_line(fp32(), int8(30.0, 1200.0, change=better))
    assert "ship edge-int8.onnx" in line
    assert line.endswith("30 of 10,000 answers changed (+25 -2: more right than chance)")


def test_without_the_data_the_recorded_accuracy_speaks() -> None:
    line = only_line(fp32(recorded=True), int8(50.0, 1200.0, change=None, recorded=True))
    assert line.endswith("accuracy 99.65 %* against 99.65 %*")


def test_unchanged_answers_are_said() -> None:
    same = Agreement(changed=0, better=0, worse=0, total=10_000)
    line = only_line(fp32(), int8(50.0, 1200.0, change=same))
    assert line.endswith("; no answer changed")


def test_too_few_samples_choose_nothing() -> None:
    line = only_line(fp32(count=10), int8(50.0, 1200.0, count=10))
    assert "timed too briefly to choose" in line


def test_files_of_different_runs_are_not_compared() -> None:
    stranger = entry(file("exported/other.onnx", source_sha256="d" * 64), center_us=60.0)
    alone = int8(50.0, 1200.0)
    assert advice.lines(benchmark(stranger, alone)) == []
    assert advice.lines(benchmark(fp32(), entry(original("runs/edge/checkpoint.pt")))) == []
    assert Path(alone.contender.path).name == "edge-int8.onnx"


def test_namesakes_are_called_as_in_the_table() -> None:
    twins = [
        entry(file(f"{folder}/edge.onnx", source_sha256=folder * 64), center_us=60.0)
        for folder in "ab"
    ]
    quick = [
        entry(
            file(f"{folder}/edge-int8.onnx", precision="int8", original_sha256=folder * 64),
            center_us=30.0,
        )
        for folder in "ab"
    ]
    lines = advice.lines(benchmark(*twins, *quick))
    assert [line.split(":")[0] for line in lines] == [
        "on this CPU, ship a/edge-int8.onnx",
        "on this CPU, ship b/edge-int8.onnx",
    ]
