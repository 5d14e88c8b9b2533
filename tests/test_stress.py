"""Numbers that nobody should trust are not given, or said to be untrustworthy."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from mnist_edge.model_file.contract import PREFIX
from tests.conftest import write_tiny_model
from tests.helpers.cli import assert_fails, invoke

EXPORTED = Path(__file__).parent.parent / "exported"
Floats = NDArray[np.float32]
BENCH = ("--dataset", "digits", "--duration", "0.3", "--json", "result.json")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@contextmanager
def hogs() -> Iterator[None]:
    """Two programs for each core of this machine that compute for ever."""
    count = 2 * (os.cpu_count() or 1)
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for hog in running:
            hog.kill()
            hog.wait()


def test_beside_hogs_the_verdict_is_noisy(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.onnx")
    with hogs():
        result = invoke("bench", "tiny.onnx", *BENCH, "--strict")
    assert result.exit_code == 3, result.output
    assert "noisy: " in result.output
    noise = json.loads((tmp_path / "result.json").read_text())["noise"]
    assert noise["trusted"] is False


def test_a_clock_that_steps_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock jumps by hours at every look; latencies come from another."""
    write_tiny_model(tmp_path / "tiny.onnx")
    hours, real = itertools.cycle((5, -9, 3, -2)), time.time()
    monkeypatch.setattr(time, "time", lambda: real + 3600 * next(hours))
    monkeypatch.setattr(time, "time_ns", lambda: int((real + 3600 * next(hours)) * 1e9))
    started = time.monotonic()
    assert invoke("bench", "tiny.onnx", *BENCH).exit_code == 0
    elapsed_us = (time.monotonic() - started) * 1e6
    (entry,) = json.loads((tmp_path / "result.json").read_text())["contenders"]
    samples = entry["batches"]["1"]["samples_us"]
    assert min(samples) > 0
    assert sum(samples) < elapsed_us


def changed(name: str, change: Callable[[Floats], Floats], *keys: str) -> Path:
    """The shipped edge.onnx with other weights, and without some of its metadata."""
    model = onnx.load(EXPORTED / "edge.onnx")
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim > 1:
            tensor.CopyFrom(numpy_helper.from_array(change(values.copy()), tensor.name))
    kept = [entry for entry in model.metadata_props if entry.key not in keys]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, name)
    return Path(name)


def one_weight(values: Floats) -> Floats:
    values.flat[0] += 0.5
    return values


@pytest.mark.parametrize(
    ("change", "keys", "message"),
    [
        (one_weight, (), r"a\.onnx does not compute here what it computed where it was made"),
        (lambda values: values * 0, (), r"does not compute here what it computed"),
        (lambda values: values * 0, (f"{PREFIX}golden",), "answers the same to all images"),
        (lambda values: values * np.float32("nan"), (), r"does not compute here what it computed"),
        (lambda values: values * np.float32("nan"), (f"{PREFIX}golden",), "answers nan to some"),
        (
            lambda values: values * np.float32(1e30),
            (f"{PREFIX}golden",),
            "answers (nan|inf) to some",
        ),
    ],
    ids=["another weight", "zeros", "zeros, no golden", "NaN", "NaN, no golden", "overflow"],
)
def test_files_that_compute_nonsense_give_no_table(
    change: Callable[[Floats], Floats], keys: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    changed("a.onnx", change, *keys)
    result = invoke("bench", "a.onnx", *BENCH)
    assert_fails(result, message)
    assert result.stdout == ""
    assert not (tmp_path / "result.json").exists()


def test_nan_for_some_images_alone_gives_no_table(tmp_path: Path) -> None:
    """A blank image is answered well; where there is ink, the logarithm of less than nothing."""
    write_tiny_model(tmp_path / "tiny.onnx")
    model = onnx.load(tmp_path / "tiny.onnx")
    last = model.graph.node[-1]
    inner, name = "before", model.graph.output[0].name
    last.output[list(last.output).index(name)] = inner
    model.graph.node.append(onnx.helper.make_node("Sum", [inner, "poison"], [name]))
    model.graph.node.insert(
        len(model.graph.node) - 1, onnx.helper.make_node("Log", ["less"], ["poison"])
    )
    nodes = [
        onnx.helper.make_node("Cast", ["image"], ["ink"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("ReduceMax", ["ink"], ["most"], axes=[1, 2], keepdims=0),
        onnx.helper.make_node("Unsqueeze", ["most", "second"], ["column"]),
        onnx.helper.make_node("Sub", ["one", "column"], ["less"]),
    ]
    for at, node in enumerate(nodes):
        model.graph.node.insert(at, node)
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([1], np.int64), "second"),
            numpy_helper.from_array(np.ones((1, 1), np.float32), "one"),
        ]
    )
    onnx.save(model, "nan.onnx")
    assert_fails(invoke("bench", "nan.onnx", *BENCH), "answers nan to some images")
