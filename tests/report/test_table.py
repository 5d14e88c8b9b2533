from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from mnist_edge import metrics
from mnist_edge.cli import shell
from mnist_edge.datasets import Dataset, Split
from mnist_edge.datasets.sources import SOURCES
from mnist_edge.metrics import Accuracy, Agreement
from mnist_edge.report import table
from tests.report.made import benchmark, entry, file, original


def render(found: Table) -> list[str]:
    """The lines in a terminal of 100 columns; fails when it wraps or cuts anything."""
    paper = StringIO()
    Console(width=100, file=paper, highlight=False).print(found)
    lines = [line.rstrip() for line in paper.getvalue().splitlines()]
    assert len(lines) == 1 + found.row_count
    assert "…" not in paper.getvalue()
    return lines


def rows(found: Table) -> list[list[str]]:
    """What the cells hold, line by line."""
    return [list(cells) for cells in zip(*(column.cells for column in found.columns), strict=True)]


WIDE = Agreement(48, 21, 25, 10000)


def test_a_plausible_worst_case_fits_100_columns() -> None:
    slow = {"center_us": 9000.0, "accuracy": Accuracy(9965, 10000), "change": Agreement(8, 3, 5, 9)}
    lines = render(
        table.benchmark(
            benchmark(
                entry(file("old/exported/edge.onnx"), **slow, recorded=True),  # type: ignore[arg-type]
                entry(original("runs/edge/checkpoint.pt"), center_us=22_000),
                entry(file("new/exported/edge.onnx"), **slow),  # type: ignore[arg-type]
                entry(file("new/exported/edge-xs.int8.onnx"), change=WIDE, center_us=55),
            )
        )
    )
    assert lines[1].startswith("old/exported/edge.onnx ")
    assert lines[2].startswith("  PyTorch original ")
    assert lines[3].startswith("new/exported/edge.onnx ")
    assert lines[4].startswith("edge-xs.int8.onnx ")


def test_each_figure_stands_under_its_name() -> None:
    made = entry(file("edge.onnx"), change=Agreement(5, 3, 2, 10000))
    found = table.benchmark(benchmark(made))
    names = [str(column.header) for column in found.columns]
    values = dict(zip(names, rows(found)[0], strict=True))
    single, rate = made.single.samples_us, 64e6 / np.median(made.batch.samples_us)
    assert values == {
        "model": "edge.onnx",
        "acc. %": "99.65",
        "95 %": "99.51-99.75",
        "changed": "5 +3 -2",
        "size": "318 kB",
        "load": "12.3",
        "first": "1.0",
        "p50": f"{np.percentile(single, 50):.0f}",
        "p90": f"{np.percentile(single, 90):.0f}",
        "p99": f"{np.percentile(single, 99):.0f}",
        "img/s": f"{rate:,.0f}",
    }


def test_an_original_shows_neither_a_size_nor_changes() -> None:
    row = rows(table.benchmark(benchmark(entry(original("runs/edge/checkpoint.pt")))))[0]
    assert (row[0], row[3], row[4]) == ("  PyTorch original", "", "")


def test_no_change_is_a_plain_0_and_a_recorded_accuracy_has_a_star() -> None:
    made = entry(file("edge.onnx"), change=Agreement(0, 0, 0, 10000), recorded=True)
    row = rows(table.benchmark(benchmark(made)))[0]
    assert (row[1], row[3]) == ("99.65*", "0")


def test_percentiles_without_enough_samples_are_dashes() -> None:
    row = rows(table.benchmark(benchmark(entry(file("edge.onnx"), count=70))))[0]
    assert row[-4] != "-"
    assert row[-3] != "-"
    assert row[-2] == "-"  # p99 needs 662
    few = rows(table.benchmark(benchmark(entry(file("edge.onnx"), count=10))))[0]
    assert few[-4:] == ["-"] * 4


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["exported/a.onnx", "exported/b.onnx"], ["a.onnx", "b.onnx"]),
        (["x/edge.onnx", "y/edge.onnx", "y/b.onnx"], ["x/edge.onnx", "y/edge.onnx", "b.onnx"]),
        (["x/exported/e.onnx", "y/exported/e.onnx"], ["x/exported/e.onnx", "y/exported/e.onnx"]),
        (["/e.onnx", "/tmp/e.onnx"], ["//e.onnx", "tmp/e.onnx"]),
        (["x/e.onnx", "x/e.onnx"], ["e.onnx", "e.onnx"]),
    ],
)
def test_names_are_as_long_as_it_takes_to_tell_files_apart(
    paths: list[str], expected: list[str]
) -> None:
    made = [entry(file(path)) for path in paths]
    assert [row[0] for row in rows(table.benchmark(benchmark(*made)))] == expected


def test_a_file_in_the_current_folder_differs_from_its_namesake_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    made = [entry(file("e.onnx")), entry(file("there/e.onnx"))]
    assert [row[0] for row in rows(table.benchmark(benchmark(*made)))] == [
        "here/e.onnx",
        "there/e.onnx",
    ]


def test_the_units_are_explained_within_100_columns() -> None:
    assert max(map(len, table.BENCHMARK_UNITS.splitlines())) <= 100
    for column in ("changed", "load", "first", "p50", "p90", "p99", "img/s"):
        assert column in table.BENCHMARK_UNITS


def test_per_class_has_a_line_for_each_class() -> None:
    counts = np.array([[8, 2], [0, 1234]])
    lines = render(table.per_class(["no", "yes"], metrics.per_class(counts)))
    assert lines[0].split() == ["class", "precision", "recall", "F1", "images"]
    assert lines[1].split() == ["no", "100.00", "%", "80.00", "%", "88.89", "%", "10"]
    assert lines[2].split() == ["yes", "99.84", "%", "100.00", "%", "99.92", "%", "1,234"]


def test_confusion_has_labels_down_and_answers_across_and_dots_for_zeros() -> None:
    lines = render(table.confusion(["no", "yes"], np.array([[8, 2], [0, 1234]])))
    assert lines == ["label \\ answer  no    yes", "no               8      2", lines[2]]
    assert lines[2].split() == ["yes", "·", "1,234"]


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_the_confusion_of_every_known_set_fits(name: str) -> None:
    counts = np.full((10, 10), 12) + np.eye(10, dtype=np.int64) * 880
    lines = render(table.confusion(SOURCES[name].classes, counts))
    assert len(lines) == 11
    assert lines[0].startswith("label \\ answer")


def test_a_confusion_too_wide_for_100_columns_lists_the_commonest_mistakes() -> None:
    classes = [f"class {at}" for at in range(30)]
    counts = np.eye(30, dtype=np.int64) * 500
    counts[3, 7], counts[7, 3], counts[0, 29] = 5, 1200, 40
    lines = render(table.confusion(classes, counts))
    assert lines[0].split() == ["label", "read", "as", "images"]
    assert [line.split() for line in lines[1:]] == [
        ["class", "7", "class", "3", "1,200"],
        ["class", "0", "class", "29", "40"],
        ["class", "3", "class", "7", "5"],
    ]


def test_classes_may_have_names_that_look_like_markup(capsys: pytest.CaptureFixture[str]) -> None:
    shell.show(table.confusion(["[/b]", "[red]"], np.array([[8, 2], [0, 4]])))
    assert capsys.readouterr().out.splitlines()[0].split()[-2:] == ["[/b]", "[red]"]


def test_of_very_many_mistakes_the_first_thirty_are_listed() -> None:
    counts = np.arange(1600, dtype=np.int64).reshape(40, 40)
    found = rows(table.confusion([str(at) for at in range(40)], counts))
    assert len(found) == 30
    assert found[0] == ["39", "38", "1,598"]


def test_dataset_counts_each_class_of_each_split(random_split: Split) -> None:
    few = random_split[slice(0, 15)]
    lines = render(table.dataset(Dataset("x", tuple("abcdefghij"), random_split, few, "here")))
    assert lines[0].split() == ["class", "train", "test"]
    assert lines[1].split() == ["a", "20", "2"]
    assert lines[10].split() == ["j", "20", "1"]
    assert lines[11].split() == ["all", "200", "15"]
