import json

import numpy as np
import pytest

from mnist_edge.metrics import Accuracy, Agreement
from mnist_edge.report import record
from tests.report.made import MACHINE, benchmark, entry, file, original


def test_an_accuracy_keeps_its_counts_and_interval() -> None:
    value = Accuracy(9965, 10000)
    found = record.accuracy(value)
    assert (found["correct"], found["total"], found["value"]) == (9965, 10000, 0.9965)
    assert found["interval95"] == list(value.interval)


def test_an_agreement_keeps_its_p() -> None:
    value = Agreement(5, 3, 2, 100)
    assert record.agreement(value) == {
        "changed": 5,
        "better": 3,
        "worse": 2,
        "total": 100,
        "mcnemar_p": value.p,
    }


def test_a_benchmark_is_plain_json_that_loses_nothing() -> None:
    made = benchmark(
        entry(file("exported/edge.onnx"), change=Agreement(5, 3, 2, 10000)),
        entry(original("runs/edge/checkpoint.pt"), recorded=True),
    )
    found = json.loads(json.dumps(record.benchmark(made), allow_nan=False))
    np.testing.assert_allclose(
        found["contenders"][0]["batch_1"]["samples_us"],
        made.entries[0].single.samples_us,
        atol=0.0005,  # whole nanoseconds
    )
    assert found["schema"] == 1
    assert found["machine"]["cpu"] == MACHINE.cpu
    assert (found["threads"], found["timed_images"]) == (1, "test images of mnist")
    assert found["protocol"]["samples"] == 700
    first, second = found["contenders"]
    assert (first["name"], first["runtime"], first["file"]) == (
        "edge.onnx",
        "onnxruntime",
        "edge.onnx",
    )
    assert (second["name"], second["runtime"], second["file"]) == (
        "tiny",
        "pytorch",
        "checkpoint.pt",
    )
    assert first["change"]["changed"] == 5
    assert second["change"] is None
    assert (first["accuracy"]["recorded"], second["accuracy"]["recorded"]) == (False, True)
    assert (first["sha256"], first["bytes"]) == ("ab" * 32, 318_000)


@pytest.mark.parametrize("part", ["load", "first", "batch_1", "batch_64"])
def test_percentiles_are_those_of_the_samples_beside_them(part: str) -> None:
    made = record.benchmark(benchmark(entry(file("edge.onnx"), count=700)))
    found = made["contenders"][0][part]
    samples = found["samples_us"]
    assert found["n"] == len(samples)
    needed = {"p50_us": 11, "p90_us": 64, "p95_us": 130, "p99_us": 662, "p99.9_us": 6636}
    for name, count in needed.items():
        if len(samples) < count:
            assert found[name] is None
        else:
            rank = float(name.removeprefix("p").removesuffix("_us"))
            assert found[name] == pytest.approx(np.percentile(samples, rank), abs=1e-3)


def test_the_rate_is_that_of_the_median_batch() -> None:
    found = record.benchmark(benchmark(entry(file("edge.onnx"))))["contenders"][0]["batch_64"]
    assert found["images_per_s"] == pytest.approx(64e6 / np.median(found["samples_us"]), rel=1e-4)
