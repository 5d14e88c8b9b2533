from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from mnist_edge.benchmark.loadgen import LoadResult, ServerLoad
from mnist_edge.report import loadgen, terminal
from tests.helpers.fakes import kind_of


def contender(path: str, runtime: str = "onnxruntime") -> Any:
    info = SimpleNamespace(model="edge")
    return SimpleNamespace(path=Path(path), runtime=runtime, kind=kind_of(runtime), info=info)


STREAM = LoadResult(
    contender=contender("exported/resnet18-int8.onnx"),
    scenario="single-stream",
    threads=1,
    valid=True,
    metric="p90",
    value=121234.4,
    unit="µs",
    p50_us=97123.2,
    p90_us=121234.4,
    p99_us=160345.6,
    queries=123456,
    images=123456,
    reasons=(),
    logs=Path("loadgen"),
)
MULTI = replace(STREAM, scenario="multi-stream", metric="p99", images=8 * 123456, threads=2)
SERVER = replace(
    STREAM,
    scenario="server",
    metric="completed",
    value=6789.2,
    unit="queries/s",
    server=ServerLoad(target_qps=20_000, scheduled_qps=20_045.6, bound_us=15_000),
    valid=False,
    reasons=("Reduce target QPS to improve latency.",),
)
OFFLINE = replace(STREAM, scenario="offline", value=13315.2, unit="images/s", images=654321)


def shown(results: list[LoadResult]) -> list[str]:
    console = Console(width=1000)
    with console.capture() as captured:
        console.print(terminal.table(loadgen.table(results)))
    return captured.get().splitlines()


@pytest.mark.parametrize(
    ("result", "columns", "figures"),
    [
        (STREAM, "p50 p90 p99 queries", "97,123 121,234 160,346 123,456 valid"),
        (MULTI, "p50 p90 p99 queries", "97,123 121,234 160,346 123,456 valid"),
        (
            SERVER,
            "due/s done/s p50 p90 p99 queries",
            "20,046 6,789 97,123 121,234 160,346 123,456 INVALID",
        ),
        (OFFLINE, "images/s images", "13,315 654,321 valid"),
    ],
)
def test_a_line_for_each_contender_in_a_hundred_columns(
    result: LoadResult, columns: str, figures: str
) -> None:
    original = replace(result, contender=contender("runs/edge/checkpoint.pt", "torch-compile"))
    header, first, second = shown([result, original])
    assert header.split() == ["model", "runtime", *columns.split(), "result"]
    assert first.split() == [result.contender.path.name, "onnxruntime", *figures.split()]
    assert second.split() == ["edge", "torch-compile", *figures.split()]
    assert max(map(len, (header, first, second))) <= 100


def test_files_of_one_name_are_told_apart() -> None:
    same = [replace(STREAM, contender=contender(f"{folder}/edge.onnx")) for folder in "ab"]
    assert [line.split()[0] for line in shown(same)[1:]] == ["a/edge.onnx", "b/edge.onnx"]


def test_the_notes_say_what_was_measured() -> None:
    assert loadgen.notes([STREAM]) == [
        "MLCommons LoadGen, single-stream, 1 thread; p50, p90, p99 of one image: µs; "
        "p90 is its result"
    ]
    assert "2 threads; p50, p90, p99 of 8 images a query" in loadgen.notes([MULTI])[0]
    assert loadgen.notes([OFFLINE])[0].endswith("1 thread; all images in one query")


def test_the_notes_say_why_a_result_is_invalid_and_what_was_asked_for() -> None:
    name = SERVER.contender.path.name
    first, asked, why = loadgen.notes([SERVER])
    assert first.endswith("of one image, from when it was due: µs")
    assert asked.startswith("20,000 queries/s asked for")
    assert "p99 must keep to 15,000 µs" in asked
    assert why == f"{name} in onnxruntime is not valid: Reduce target QPS to improve latency."
    assert max(map(len, (first, asked))) <= 100
