"""The schema of `bench --json` and what is written: neither has a field that the other lacks."""

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from mnist_edge.benchmark import Benchmark, Plan
from mnist_edge.benchmark.kernels import Deviation
from mnist_edge.host.cpus import Clock
from mnist_edge.host.noise import Noise
from mnist_edge.metrics import Accuracy, Agreement
from mnist_edge.model_file.golden import GoldenCheck
from mnist_edge.report import to_json
from tests.report.records import FINDINGS, benchmark, entry, file, latency, score

SCHEMA: dict[str, Any] = json.loads((files("mnist_edge.report") / "bench.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
# Their keys are names or batch sizes, not fields.
MAPS = {"packages", "spread", "batches", "yardstick"}


def full() -> Benchmark:
    """A record in which nothing is missing that a record can have."""
    energetic = replace(latency(40.0, 12), used={"cpu_s": np.ones(12), "energy_j": np.ones(12)})
    return benchmark(
        entry(file("x/edge.onnx"), count=12, load=latency(9.0, 12)),
        entry(
            file("x/edge-int8.onnx", precision="int8"),
            change=Agreement(6, 1, 5, 10000),
            prepare=latency(0.5, 12),
            cold=latency(3e5, 11),
            paced=latency(90.0, 12),
            batches={1: energetic},
        ),
        entry(file("x/edge.onnx", "openvino"), center_us=20.0, count=12),
        entry(file("x/old.onnx", family="f" * 64), center_us=90.0, count=12),
        entry(file("x/guess.onnx", family="e" * 64), Accuracy(1_000, 10_000), count=12),
        plan=Plan(batches=(1, 64), rate_hz=20.0, cold=True),
        noise=Noise(
            duration_s=1.0,
            own=0.98,
            steal=0.01,
            others=0.02,
            switches_per_s=3.0,
            load=0.5,
            throttled=0,
            clock=Clock("performance", "intel_pstate"),
            spread={"edge.onnx in onnxruntime": 0.05},
            unreadable=("load",),
        ),
        yardstick={1: latency(9.0, 12)},
        energy_why_not=None,
        missing=("ncnn is not installed",),
        refused=("x.onnx is not an ONNX file",),
    )


def bare() -> Benchmark:
    """A record in which all is missing that may be."""
    alone = entry(
        file("other.onnx", recorded=None, ours=False),
        score=None,
        findings=None,
        peak_bytes=None,
        batches={},
    )
    return benchmark(alone, yardstick={}, measured_at="", stopped=True)


def written(made: Benchmark) -> dict[str, Any]:
    """As it comes out of the file."""
    values: dict[str, Any] = json.loads(json.dumps(to_json.benchmark(made), allow_nan=False))
    return values


def objects(value: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object with fields in a JSON value, and what it is called."""
    if isinstance(value, dict):
        if name not in MAPS:
            yield name, value
        for key, part in value.items():
            yield from objects(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from objects(part)


def schemas(part: Any) -> Iterator[dict[str, Any]]:
    """Every schema within the schema that describes fields."""
    if isinstance(part, dict):
        if "properties" in part and isinstance(part["properties"], dict):
            yield part
        for value in part.values():
            yield from schemas(value)
    elif isinstance(part, list):
        for value in part:
            yield from schemas(value)


def test_the_schema_is_one_and_has_the_number_that_is_written() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema"]["const"] == to_json.SCHEMA
    assert SCHEMA["$id"].endswith(f":{to_json.SCHEMA}")


def broken() -> Benchmark:
    """A record of a file whose logits are not numbers."""
    nan = float("nan")
    found = replace(
        FINDINGS,
        golden=GoldenCheck(8, 8, nan, 1e-3, 1.2),
        deviation=Deviation(500, 0, nan, nan),
    )
    answers = replace(score(Accuracy(10, 100)), calibration_error=nan)
    return benchmark(entry(file("a.onnx"), findings=found, score=answers))


@pytest.mark.parametrize("made", [full(), bare(), broken()], ids=["full", "bare", "broken"])
def test_what_is_written_is_valid(made: Benchmark) -> None:
    errors = [
        f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(written(made))
    ]
    assert not errors


def test_no_object_has_a_field_that_is_not_described_and_none_lacks_one() -> None:
    values = written(full())
    kinds = {tuple(found) for _, found in objects(values)}
    del values["contenders"][2:], values["contenders"][0]  # the one that is left has all they have
    assert {tuple(found) for _, found in objects(values)} == kinds
    assert VALIDATOR.is_valid(values)
    for name, found in objects(values):
        for key in list(found):
            value = found.pop(key)
            assert not VALIDATOR.is_valid(values), f"{name} without {key}"
            found[key] = value
        found["surprise"] = 1
        assert not VALIDATOR.is_valid(values), f"{name} with a surprise"
        del found["surprise"]
    assert VALIDATOR.is_valid(values)


def test_every_field_is_described_and_required() -> None:
    found = list(schemas(SCHEMA))
    assert len(found) > 10
    for part in found:
        assert set(part["required"]) == set(part["properties"])
        for name, field in part["properties"].items():
            assert len(field.get("description", "")) > 8, name


def test_nothing_is_described_that_is_never_written() -> None:
    described = {name for part in schemas(SCHEMA) for name in part["properties"]}
    assert described == {key for _, found in objects(written(full())) for key in found}


def test_durations_say_their_unit() -> None:
    for part in schemas(SCHEMA):
        for name, field in part["properties"].items():
            units = {"_us": "microseconds", "_ms": "milliseconds", "_s": "seconds"}
            for ending, unit in units.items():
                if name.endswith(ending) and not name.endswith("per_s"):
                    assert unit in field["description"], name
