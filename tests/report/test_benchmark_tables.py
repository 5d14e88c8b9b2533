"""The tables of a benchmark, as the terminal shows them."""

import re
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table
from scipy import stats

from mnist_edge.benchmark import Benchmark, Entry, Plan
from mnist_edge.benchmark.kernels import Deviation, Kernels
from mnist_edge.metrics import Agreement
from mnist_edge.model_file.golden import GoldenCheck
from mnist_edge.report import benchmark_tables, terminal
from mnist_edge.report.grid import Grid
from tests.report.records import (
    FINDINGS,
    INT8_FINDINGS,
    Stand,
    benchmark,
    entry,
    file,
    latency,
    original,
)

TABLES = (benchmark_tables.quality, benchmark_tables.speed, benchmark_tables.kernels)
UNCHANGED = Agreement(0, 0, 0, 10_000)


def as_table(found: Grid | Table) -> Table:
    """As the terminal shows it."""
    return terminal.table(found) if isinstance(found, Grid) else found


def render(shown: Grid | Table, width: int = 100) -> list[str]:
    """The lines in a terminal of 100 columns; fails when it wraps or cuts anything."""
    found = as_table(shown)
    paper = StringIO()
    Console(width=width, file=paper, highlight=False).print(found)
    lines = [line.rstrip() for line in paper.getvalue().splitlines()]
    header = max(str(column.header).count("\n") + 1 for column in found.columns)
    assert len(lines) == header + found.row_count
    assert "…" not in paper.getvalue()
    return lines


def rows(shown: Grid) -> list[list[str]]:
    """What the cells hold, line by line."""
    columns = as_table(shown).columns
    return [list(cells) for cells in zip(*(column.cells for column in columns), strict=True)]


def columns(*shown: Grid | Table) -> list[tuple[str, list[str]]]:
    """The columns of several parts, headers unfolded; the names but once."""
    parts = [as_table(one) for one in shown]
    found = [
        (" ".join(str(column.header).split("\n")), [str(cell) for cell in column.cells])
        for part in parts
        for column in part.columns[part is not parts[0] :]
    ]
    for part in parts:
        assert list(part.columns[0].cells) == found[0][1]
    return found


def row(found: Grid, at: int = 0) -> dict[str, str]:
    """A line's figures by the names of their columns; the last of two columns of one name."""
    return {name: cells[at] for name, cells in columns(found)}


def large(contender: Stand, one_us: float, many_us: float, **others: Any) -> Entry:
    """All that a record can hold, energy too."""
    batches = {1: latency(one_us), 8: latency(many_us / 7, 64), 64: latency(many_us, 64)}
    for size, found in batches.items():
        used = {"cpu_s": found.used["cpu_s"], "energy_j": found.used["cpu_s"] * 30}
        batches[size] = replace(found, used=used)
    values = {"cold": latency(350e3, 11), "paced": latency(one_us * 1.9)} | others
    return entry(contender, batches=batches, **values)


def large_record(folder: str = "", **changes: Any) -> Benchmark:
    """Eight contenders, with figures as large as those of resnet3 and of slow runtimes."""
    wide = {"family": "r" * 64, "model": "resnet3"}
    xs = {"family": "x" * 64, "model": "edge-xs"}
    new = folder.replace("old", "new")
    of_file = {"size_bytes": 19_200_000, "change": UNCHANGED}
    compiled = {"load": latency(31_176_100, 11), "cold": latency(35_412_345, 11)}
    slow = {"load": latency(176_100, 11), "cold": latency(8_412_345, 11)}
    much = {"change": Agreement(132, 12, 110, 10_000), "size_bytes": 33_000}
    recorded: dict[str, Any] = {"recorded": True, "size_bytes": 4_900_000}
    original_ = original("runs/resnet3/checkpoint.pt", **wide)
    resnet3 = f"{folder}resnet3"
    return benchmark(
        large(file(f"{resnet3}.onnx", **wide), 4_280, 194_000, **of_file),
        large(file(f"{resnet3}-int8.onnx", precision="int8", **wide), 1_026, 51_000, **recorded),
        large(file(f"{resnet3}.onnx", "openvino", **wide), 3_900, 180_000, **of_file),
        large(replace(original_, runtime="torch-compile"), 6_192, 250_000, **compiled),
        large(original_, 12_192, 220_000, peak_bytes=1_304_000_000, **slow),
        large(file(f"{folder}edge-xs-int8.onnx", precision="int8", **xs), 56, 1_150, **much),
        large(file(f"{new}edge-xs-int8.onnx", precision="int8", **xs), 47, 1_450, **much),
        large(original("runs/edge-xs/checkpoint.pt", **xs), 7_903, 94_700, **slow),
        **changes,
    )


PLAN = Plan(batches=(1, 8, 64))
EVERYTHING = replace(PLAN, rate_hz=20.0, cold=True)


@pytest.mark.parametrize("plan", [PLAN, EVERYTHING], ids=["plain", "cold and rate"])
def test_eight_contenders_are_one_table_of_100_columns_each(plan: Plan) -> None:
    record = large_record(plan=plan)
    for shown in TABLES:
        (only,) = terminal.parts(shown(record))
        assert columns(only) == columns(shown(record))
        render(only)


@pytest.mark.parametrize("folder", ["old/exported/", f"old/{'long-' * 6}/"])
def test_with_long_names_a_table_comes_in_parts_that_fit_and_lose_nothing(folder: str) -> None:
    record = large_record(folder, plan=EVERYTHING, energy_why_not=None)
    assert f"{folder}edge-xs-int8.onnx" in rows(benchmark_tables.speed(record))[5][0]
    for shown in TABLES:
        parts = terminal.parts(shown(record))
        assert len(parts) > 1
        assert columns(*parts) == columns(shown(record))
        for part in parts:
            render(part)


@pytest.mark.parametrize(
    ("length", "headers", "count"),
    [(38, 1, 1), (39, 2, 1), (41, 2, 1), (42, 1, 2)],
    ids=["100 columns", "101", "100 when folded", "101 when folded"],
)
def test_a_table_folds_from_column_101_on_and_only_then_comes_in_parts(
    length: int, headers: int, count: int
) -> None:
    cells = ("n" * length, "9" * 40, "12", "318 kB")
    whole = Grid(("model", "figure", "on average", "cost"), (cells,))
    shown = render(whole, 200)
    assert len(shown[1]) == length + 62
    parts = terminal.parts(whole)
    assert [len(render(part)) - 1 for part in parts] == [headers] * count
    assert columns(*parts) == columns(whole)


def test_the_columns_of_a_matter_stay_together() -> None:
    record = large_record("old/exported/", plan=EVERYTHING)
    answers, start = terminal.parts(benchmark_tables.quality(record))
    assert [name for name, _ in columns(answers)][-2:] == ["changed", "p"]
    assert [name for name, _ in columns(start)][1:] == [
        "size",
        "load ms",
        "first ms",
        "cold ms",
        "memory",
    ]


def test_a_name_that_is_wider_than_a_terminal_still_has_its_figures() -> None:
    made = benchmark(entry(file(f"{'n' * 120}.onnx")))
    parts = terminal.parts(benchmark_tables.speed(made))
    assert columns(*parts) == columns(benchmark_tables.speed(made))


def test_a_table_without_rows_is_not_shown() -> None:
    assert (
        terminal.parts(benchmark_tables.kernels(benchmark(entry(original("a/checkpoint.pt")))))
        == []
    )


def test_each_figure_stands_under_its_name() -> None:
    change, change_p = Agreement(9, 2, 6, 10_000), stats.binomtest(2, 8).pvalue
    made = entry(
        file("edge.onnx"), change=change, cold=latency(412_345, 11), paced=latency(130.0, seed=3)
    )
    torch = entry(original("runs/edge/checkpoint.pt"), center_us=900)
    record = benchmark(made, torch, plan=Plan(batches=(1, 64), rate_hz=20.0, cold=True))
    assert made.score
    assert made.score.calibration_error is not None
    assert row(benchmark_tables.quality(record)) == {
        "model": "edge.onnx",
        "acc. %": "99.65",
        "95 %": "99.51-99.75",
        "ECE %": f"{100 * made.score.calibration_error:.2f}",
        "changed": "9 +2 -6",
        "p": f"{change_p:.2g}",
        "size": "318 kB",
        "load ms": "12.3",
        "first ms": "1.0",
        "cold ms": "412",
        "memory": "61 MB",
    }
    one, many = (made.batches[size].samples_us for size in (1, 64))
    percentiles = [f"{np.percentile(one, rank):.0f}" for rank in (50, 90, 99)]
    (shown,) = rows(benchmark_tables.speed(record))[:1]
    assert shown[:-2] == [
        "edge.onnx",
        *percentiles,
        "15.0 (15.0-15.0)",
        f"{64e6 / np.median(many):,.0f}",
        "60",
    ]
    assert made.paced
    assert shown[-2:] == [f"{np.percentile(made.paced.samples_us, rank):.0f}" for rank in (50, 90)]


def test_an_original_shows_neither_a_size_nor_changes_and_is_1() -> None:
    record = benchmark(entry(original("runs/edge/checkpoint.pt")))
    shown = row(benchmark_tables.quality(record)) | row(benchmark_tables.speed(record))
    assert shown["model"] == "  PyTorch original"
    assert [shown[name] for name in ("changed", "p", "size", "times as fast")] == ["", "", "", "1"]


def test_no_change_is_a_plain_0_and_an_improbable_one_has_no_digits() -> None:
    changes = [UNCHANGED, Agreement(132, 12, 110, 10_000), Agreement(4, 4, 0, 10_000)]
    record = benchmark(*(entry(file(f"{at}.onnx"), change=one) for at, one in enumerate(changes)))
    found = [row(benchmark_tables.quality(record), at) for at in range(3)]
    assert [(one["changed"], one["p"]) for one in found] == [
        ("0", ""),
        ("132 +12 -110", "<0.001"),
        ("4 +4 -0", "0.12"),
    ]


def test_a_recorded_accuracy_is_marked_and_an_unknown_one_is_a_dash() -> None:
    record = benchmark(
        entry(file("edge.onnx"), recorded=True),
        entry(file("other.onnx", family="f" * 64, recorded=None, ours=False), score=None),
    )
    own, foreign = (row(benchmark_tables.quality(record), at) for at in (0, 1))
    assert (own["acc. %"], own["95 %"], own["ECE %"]) == ("99.65*", "99.51-99.75", "")
    assert (foreign["acc. %"], foreign["95 %"], foreign["ECE %"]) == ("-", "", "")


@pytest.mark.parametrize(
    ("count", "known"),
    [(10, 0), (11, 1), (63, 1), (64, 2), (661, 2), (662, 3)],
)
def test_percentiles_without_enough_samples_are_dashes(count: int, known: int) -> None:
    shown = rows(benchmark_tables.speed(benchmark(entry(file("edge.onnx"), count=count))))[0]
    assert [cell != "-" for cell in shown[1:4]] == [True] * known + [False] * (3 - known)


@pytest.mark.parametrize(
    ("other_us", "seed", "expected"),
    [
        (600.0, 0, "10.0 (10.0-10.0)"),
        (48.0, 0, "0.80 (0.80-0.80)"),
        (60.0, 0, "tie (1.00-1.00)"),
        (61.0, 1, "tie (0."),  # other noise: 2 % is inside it
    ],
)
def test_a_speed_up_is_paired_with_the_original_and_a_tie_where_it_may_be_none(
    other_us: float, seed: int, expected: str
) -> None:
    torch = entry(original("runs/edge/checkpoint.pt"), center_us=other_us, seed=seed)
    found = row(benchmark_tables.speed(benchmark(entry(file("edge.onnx")), torch)))["times as fast"]
    assert found.startswith(expected)


def test_too_few_rounds_have_no_speed_up() -> None:
    torch = entry(original("runs/edge/checkpoint.pt"), count=10)
    record = benchmark(entry(file("edge.onnx"), count=10), torch)
    assert row(benchmark_tables.speed(record))["times as fast"] == "-"


def test_energy_has_a_column_where_it_can_be_read() -> None:
    readable = large_record(energy_why_not=None)
    assert row(benchmark_tables.speed(readable))["mJ"] == f"{4_280e-6 * 30 * 1000:.2f}"
    assert "energy" in " ".join(benchmark_tables.units(readable))
    assert "mJ" not in row(benchmark_tables.speed(large_record()))
    assert "energy" not in " ".join(benchmark_tables.units(large_record()))


def test_of_many_batch_sizes_the_smallest_and_the_two_largest_are_shown() -> None:
    sizes = {size: latency(30.0 * size, 64) for size in (2, 4, 8, 16)}
    record = benchmark(entry(file("edge.onnx"), batches=sizes))
    shown = row(benchmark_tables.speed(record))
    assert [name for name in shown if name.startswith("img/s")] == ["img/s at 8", "img/s at 16"]
    assert shown["p50 µs"] == "60"
    assert "2 images a call" in " ".join(benchmark_tables.units(record))


def test_what_ctrl_c_left_unmeasured_is_a_dash() -> None:
    made = [
        entry(one, batches={1: latency(60.0)})
        for one in (file("edge.onnx"), original("runs/edge/checkpoint.pt"))
    ]
    shown = row(benchmark_tables.speed(benchmark(*made, plan=EVERYTHING, stopped=True)))
    assert [shown["img/s at 8"], shown["img/s at 64"], shown["20 Hz p50 µs"]] == ["-", "-", "-"]
    assert shown["times as fast"].startswith("tie")


@pytest.mark.parametrize(
    ("kernels", "told"),
    [
        (Kernels(11, 9, 0, 1, 0, ("Conv_0",)), "float"),
        (Kernels(14, 9, 9, 1, 1, ()), "9 of 9 convolutions, 1 of 1 product in int8"),
        (Kernels(14, 1, 0, 3, 2, ("a", "b")), "0 of 1 convolution, 2 of 3 products in int8"),
        (Kernels(4, 0, 0, 2, 2, ()), "2 of 2 products in int8"),
        (Kernels(4, 3, 1, 0, 0, ("a", "b")), "1 of 3 convolutions in int8"),
    ],
)
def test_a_fusion_line_counts_what_runs_in_int8(kernels: Kernels, told: str) -> None:
    made = entry(file("edge.onnx"), findings=replace(FINDINGS, kernels=kernels))
    found = row(benchmark_tables.kernels(benchmark(made)))
    assert (found["computed here by"], found["nodes"]) == (told, str(kernels.nodes))


def test_deviations_and_golden_answers_are_told_for_each_file() -> None:
    wrong = replace(
        INT8_FINDINGS, deviation=Deviation(500, 412, 9.6, 0.09), golden=GoldenCheck(8, 3, 2, 1, 1)
    )
    none = replace(FINDINGS, golden=None, deviation=Deviation(500, 500, float("nan"), 0.09))
    record = benchmark(
        entry(file("edge.onnx")),
        entry(file("edge-int8.onnx", precision="int8"), findings=wrong),
        entry(file("edge.onnx", "openvino")),
        entry(file("other.onnx"), findings=none),
        entry(original("runs/edge/checkpoint.pt")),
    )
    assert [(cells[0], *cells[3:]) for cells in rows(benchmark_tables.kernels(record))] == [
        ("edge.onnx", "0 of 500", "2e-06", "8 of 8"),
        ("edge-int8.onnx", "412 of 500", "1e+01", "5 of 8"),
        ("other.onnx", "500 of 500", "nan", "-"),
    ]


@pytest.mark.parametrize("width", [70, 80, 100])
@pytest.mark.parametrize("shown", TABLES)
def test_tables_fit_the_terminal_and_lose_no_column(
    shown: Callable[[Benchmark], Grid], width: int
) -> None:
    whole = shown(large_record(plan=EVERYTHING))
    parts = terminal.parts(whole, width)
    assert max(len(line) for part in parts for line in render(part)) <= width
    assert columns(*parts) == columns(whole)


def test_times_have_their_unit_in_the_head() -> None:
    heads = [name for shown in TABLES for name in row(shown(large_record(plan=EVERYTHING)))]
    times = ("p50", "p90", "p99", "load", "first", "cold", "CPU")
    assert all(re.search(" (ms|µs)$", name) for name in heads if name.startswith(times))
    assert sum(name.startswith(times) for name in heads) == 7


@pytest.mark.parametrize("plan", [PLAN, EVERYTHING])
def test_the_units_explain_the_columns_within_100_columns(plan: Plan) -> None:
    record = large_record(plan=plan)
    told = benchmark_tables.units(record)
    assert max(map(len, told)) <= 100
    heads = [name for shown in TABLES for name in row(shown(record))]
    names = {re.sub(" (%|ms|µs)$", "", name) for name in heads}
    known = {"model", "file", "acc.", "95", "size", "computed here by", "nodes", "max |Δlogit|"}
    known |= {"img/s at 8", "img/s at 64", "20 Hz p50"}
    text = " ".join(told)
    assert all(name in text for name in names - known)
    assert ("20 Hz" in text) is bool(plan.rate_hz)
