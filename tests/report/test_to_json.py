"""The plain values behind `bench --json`; what fields there are is test_schema's."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mnist_edge.benchmark import Benchmark, Plan, compare
from mnist_edge.benchmark.kernels import Deviation
from mnist_edge.host.noise import Noise
from mnist_edge.metrics import Accuracy, Agreement
from mnist_edge.report import advice, to_json
from tests.report.models import BEST, WORSE, model
from tests.report.records import FINDINGS, MACHINE, benchmark, entry, file, latency, original

NEEDED = {50: 11, 90: 64, 95: 130, 99: 662, 99.9: 6636}


def full() -> Benchmark:
    """The three of one model, and a file of others without a score."""
    return benchmark(
        entry(
            file("exported/edge.onnx", model="edge"),
            change=Agreement(5, 3, 2, 10_000),
            cold=latency(4e5, 11),
            paced=latency(130.0, 200),
            center_us=60.1234567,
        ),
        entry(
            file("exported/edge-int8.onnx", precision="int8", model="edge"),
            change=Agreement(9, 2, 6, 10_000),
            center_us=48.0,
        ),
        entry(original("runs/edge/checkpoint.pt", model="edge"), center_us=600.0, seed=1),
        entry(
            file("x/other.onnx", family="f" * 64, recorded=None, ours=False),
            score=None,
            findings=replace(FINDINGS, golden=None),
            peak_bytes=None,
        ),
        noise=Noise(steal=0.2, spread={"edge.onnx in onnxruntime": 0.04}),
        plan=Plan(batches=(1, 64), rate_hz=20.0, cold=True),
        missing=("ncnn is not installed",),
    )


def written(made: Benchmark) -> dict[str, Any]:
    """As it comes out of the file; fails for what JSON cannot say."""
    values: dict[str, Any] = json.loads(json.dumps(to_json.benchmark(made), allow_nan=False))
    return values


def latencies(values: Any) -> Iterator[dict[str, Any]]:
    """Everything that was timed."""
    if isinstance(values, dict):
        if "samples_us" in values:
            yield values
        for part in values.values():
            yield from latencies(part)
    elif isinstance(values, list):
        for part in values:
            yield from latencies(part)


def test_an_accuracy_keeps_its_counts_and_interval() -> None:
    found = Accuracy(9965, 10_000).as_dict()
    wilson = stats.binomtest(9965, 10_000).proportion_ci(method="wilson")
    assert (found["correct"], found["total"], found["value"]) == (9965, 10_000, 0.9965)
    assert found["interval95"] == pytest.approx([wilson.low, wilson.high])


def test_an_agreement_keeps_its_p() -> None:
    assert Agreement(9, 2, 6, 100).as_dict() == {
        "changed": 9,
        "better": 2,
        "worse": 6,
        "total": 100,
        "mcnemar_p": pytest.approx(stats.binomtest(2, 8).pvalue),
    }


def test_a_benchmark_says_on_what_how_and_how_far_to_believe_it() -> None:
    made = full()
    found = written(made)
    assert (found["schema"], found["measured_at"]) == (to_json.SCHEMA, made.measured_at)
    assert found["machine"]["cpu"] == MACHINE.cpu
    assert found["machine"]["flags"] == ["avx2"]
    assert found["plan"] == {
        "threads": 1,
        "duration_s": 10.0,
        "batches": [1, 64],
        "rate_hz": 20.0,
        "cold": True,
        "seed": 0,
    }
    assert (found["timed_images"], found["stopped"]) == ("test images of digits", False)
    assert found["missing"] == ["ncnn is not installed"]
    assert found["energy_why_not"] == "this machine has no energy counter"
    assert (found["noise"]["trusted"], len(found["noise"]["reasons"])) == (False, 1)
    assert found["noise"]["causes"] == ["steal"]
    assert found["noise"]["spread"] == {"edge.onnx in onnxruntime": 0.04}
    assert found["advice"] == advice.lines(made)
    assert set(found["yardstick"]) == {"1", "64"}


def test_a_contender_says_what_it_is_and_what_it_answered() -> None:
    own, int8, torch, foreign = written(full())["contenders"]
    assert [own[key] for key in ("name", "runtime", "file", "model", "precision", "bytes")] == [
        "edge.onnx",
        "onnxruntime",
        "edge.onnx",
        "edge",
        "fp32",
        318_000,
    ]
    assert (torch["name"], torch["file"]) == ("edge in pytorch", "checkpoint.pt")
    assert (own["change"]["changed"], torch["change"], foreign["change"]) == (5, None, None)
    assert (own["computed"]["golden"]["images"], own["computed"]["golden"]["changed"]) == (8, 0)
    assert (torch["computed"], foreign["computed"]["golden"]) == (None, None)
    assert own["computed"]["float_reference"]["limit"] == pytest.approx(4 * 0.09)
    assert int8["computed"]["kernels"]["int8_convolutions"] == 9
    assert (foreign["accuracy"], foreign["expected_calibration_error"]) == (None, None)
    assert (own["cold"]["n"], torch["cold"], foreign["peak_bytes"]) == (11, None, None)


def test_a_recorded_accuracy_is_marked() -> None:
    made = benchmark(entry(file("edge.onnx"), recorded=True), entry(file("edge-xs.onnx")))
    recorded, measured = (one["accuracy"] for one in written(made)["contenders"])
    assert (recorded.pop("recorded"), measured.pop("recorded")) == (True, False)
    assert recorded == measured


def test_samples_are_all_there_in_their_order_to_the_nanosecond() -> None:
    made = full()
    for one, told in zip(made.entries, written(made)["contenders"], strict=True):
        for size, timed in one.batches.items():
            found = told["batches"][str(size)]
            np.testing.assert_allclose(found["samples_us"], timed.samples_us, atol=0.0005)
            assert found["turns"] == timed.turns.tolist()
            assert sum(found["turns"]) == found["n"] == len(found["samples_us"])


@pytest.mark.parametrize("count", [10, 64, 700, 7000])
def test_percentiles_and_their_bounds_can_be_computed_again_from_the_samples(count: int) -> None:
    made = benchmark(entry(file("edge.onnx"), count=count, paced=latency(90.0, count + 60)))
    found = list(latencies(written(made)))
    assert len(found) == 8
    for timed in found:
        samples, n = np.sort(timed["samples_us"]), timed["n"]
        assert timed["min_us"] == pytest.approx(samples[0], abs=1e-3)
        for rank, needed in NEEDED.items():
            value, bound = timed[f"p{rank}_us"], timed[f"p{rank}_upper99_us"]
            assert (value is None, bound is None) == (n < needed, n < needed)
            if value is not None:
                place = int(stats.binom.ppf(0.99, n, rank / 100))
                assert value == pytest.approx(np.percentile(samples, rank), abs=1e-3)
                assert bound == pytest.approx(samples[place], abs=1e-3)
                assert bound >= value


def test_rates_and_speed_ups_are_those_of_the_medians() -> None:
    own, int8, torch, foreign = written(full())["contenders"]
    for size in (1, 64):
        found = own["batches"][str(size)]
        assert found["images_per_s"] == pytest.approx(
            size * 1e6 / np.median(found["samples_us"]), rel=1e-4
        )
    assert own["batches"]["1"]["cpu_us_per_image"] == pytest.approx(60.1234567)
    assert own["batches"]["1"]["joules_per_image"] is None
    for one in (own, int8):
        assert one["batches"]["1"]["speedup"]["over"] == "edge in pytorch"
    slow, fast = (
        [np.median(turn) for turn in np.split(timed["samples_us"], np.cumsum(timed["turns"])[:-1])]
        for timed in (torch["batches"]["1"], int8["batches"]["1"])
    )
    ratio = int8["batches"]["1"]["speedup"]
    assert ratio["value"] == pytest.approx(np.median(np.divide(slow, fast)), rel=1e-3)
    assert ratio["interval95"][0] < ratio["value"] < ratio["interval95"][1]
    assert not ratio["tie"]
    assert torch["batches"]["1"]["speedup"] is None
    assert foreign["batches"]["1"]["speedup"] is None  # the only one of its own family


def test_the_same_file_twice_is_two_contenders() -> None:
    twice = benchmark(entry(file("edge.onnx")), entry(file("edge.onnx"), seed=1))
    first, second = written(twice)["contenders"]
    assert first["batches"]["1"]["speedup"] is None
    assert second["batches"]["1"]["speedup"]["over"] == "edge.onnx"


def test_a_recommendation_names_the_file_and_why() -> None:
    (digits,) = written(full())["recommendations"]
    assert (digits["dataset"], digits["decision"]) == ("digits", "ship")
    by_name = {one["name"]: one for one in written(full())["contenders"]}
    assert digits["file"] == "edge-int8.onnx"
    assert digits["sha256"] == by_name[digits["file"]]["sha256"]
    why = digits["int8"]
    assert (why["file"], why["fp32"], why["why"]) == ("edge-int8.onnx", "edge.onnx", "faster")
    assert why["speedup"]["value"] == pytest.approx(60.1234567 / 48)
    assert why["speedup"]["over"] == "edge.onnx"
    assert digits["unfit"] == [
        {"file": "other.onnx", "sha256": "ab" * 32, "why": "unknown-accuracy"}
    ]
    assert (digits["others"], digits["faster_runtime"]) == ([], None)


def test_what_speaks_for_the_others_is_in_the_record() -> None:
    small = {"center_us": 80.0, "size_bytes": 33_000}
    made = benchmark(
        model("edge", BEST),
        model("small", WORSE, **small),
        entry(file("edge.onnx", "openvino", family="edge"), BEST, center_us=40.0),
    )
    (found,) = written(made)["recommendations"]
    (other,) = found["others"]
    assert (other["file"], other["merit"]) == ("small.onnx", "size")
    assert other["accuracy_gap"] == pytest.approx(-0.0025)
    assert other["speedup"]["value"] == pytest.approx(0.75)
    assert other["speedup"]["over"] == found["file"] == "edge.onnx"
    assert found["faster_runtime"]["name"] == "edge.onnx in openvino"
    assert found["faster_runtime"]["speedup"]["value"] == pytest.approx(1.5)


def test_no_file_that_is_fit_is_said_with_the_reason() -> None:
    (found,) = written(benchmark(entry(file("edge.onnx"), recorded=True)))["recommendations"]
    assert (found["decision"], found["file"], found["sha256"]) == ("none", None, None)
    assert [one["why"] for one in found["unfit"]] == ["not-scored"]


def test_what_is_no_number_is_null() -> None:
    spoilt = replace(FINDINGS, deviation=Deviation(500, 500, float("nan"), float("inf")))
    made = entry(file("edge.onnx"), findings=spoilt)
    assert made.score
    made = replace(made, score=replace(made.score, calibration_error=float("nan")))
    (found,) = written(benchmark(made))["contenders"]
    assert found["expected_calibration_error"] is None
    reference = found["computed"]["float_reference"]
    assert [reference[key] for key in ("max_logit_difference", "quantum", "limit")] == [None] * 3
    assert (reference["changed"], found["computed"]["saturates"]) == (500, True)


def test_the_same_record_is_the_same_text_again() -> None:
    assert json.dumps(to_json.benchmark(full())) == json.dumps(to_json.benchmark(full()))


def test_what_is_written_compares_with_itself_as_unchanged(tmp_path: Path) -> None:
    made = full()
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(to_json.benchmark(made)))
    found = compare.changes(compare.read(path, to_json.READABLE), to_json.benchmark(made))
    assert len(found) == 2 * len(made.entries)
    for change in found:
        assert change.minimum == 1
        assert change.paired
        assert (change.paired.value, change.paired.tie) == (1, True)
