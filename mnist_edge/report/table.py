"""Records -> tables for the terminal, 100 columns wide at most."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from mnist_edge.benchmark import BATCH, Benchmark, Entry
from mnist_edge.contenders import PyTorch
from mnist_edge.datasets import Dataset
from mnist_edge.metrics import PerClass
from mnist_edge.report import text

WIDTH = 100
_MOST_MISTAKES = 30


def plain(columns: Iterable[str], rows: Iterable[Sequence[str]], left: int = 1) -> Table:
    """A table without decoration; all columns but the first `left` are numbers, flush right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for at, name in enumerate(columns):
        table.add_column(name, justify="left" if at < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def benchmark(record: Benchmark) -> Table:
    """One line a contender; `BENCHMARK_UNITS` says what the columns are."""
    columns = ["model", "acc. %", "95 %", "changed", "size", "load", "first", "p50", "p90", "p99"]
    names = text.short_names([entry.contender.path for entry in record.entries])
    rows = [_benchmark_row(*pair) for pair in zip(names, record.entries, strict=True)]
    table = plain([*columns, "img/s"], rows)
    table.padding = (0, 1, 0, 0)
    return table


BENCHMARK_UNITS = (
    "changed: answers unlike the original's (or fp32's, where that is not here); "
    "+ now right, - wrong\n"
    "load, first answer: ms; p50, p90, p99 of one image: µs; "
    f"img/s: {BATCH} images a call"
)


def _benchmark_row(name: str, entry: Entry) -> list[str]:
    is_original = isinstance(entry.contender, PyTorch)
    rate = entry.images_per_s
    return [
        "  PyTorch original" if is_original else name,
        f"{entry.accuracy.value * 100:.2f}" + ("*" if entry.recorded else ""),
        text.interval(entry.accuracy),
        _changed(entry),
        "" if is_original else text.size(entry.size_bytes),
        text.milliseconds(entry.load.percentile_us(50)),
        text.milliseconds(entry.first.percentile_us(50)),
        *(text.microseconds(entry.single.percentile_us(rank)) for rank in (50, 90, 99)),
        "-" if rate is None else f"{rate:,.0f}",
    ]


def _changed(entry: Entry) -> str:
    if entry.change is None:
        return ""
    if not entry.change.changed:
        return "0"
    return f"{entry.change.changed} +{entry.change.better} -{entry.change.worse}"


def per_class(classes: Sequence[str], figures: PerClass) -> Table:
    """Precision, recall and F1 of every class, in percent."""
    rows = [
        [
            name,
            text.percent(figures.precision[at]),
            text.percent(figures.recall[at]),
            text.percent(figures.f1[at]),
            f"{figures.support[at]:,}",
        ]
        for at, name in enumerate(classes)
    ]
    return plain(["class", "precision", "recall", "F1", "images"], rows)


def confusion(classes: Sequence[str], counts: NDArray[np.int64]) -> Table:
    """Rows are the labels, columns the answers; where that is too wide, the commonest mistakes."""
    rows = [
        [name, *(f"{count:,}" if count else "·" for count in counts[at])]
        for at, name in enumerate(classes)
    ]
    table = plain(["label \\ answer", *classes], rows)
    too_wide = Console(width=100 * WIDTH, markup=False).measure(table).maximum > WIDTH
    return _commonest_mistakes(classes, counts) if too_wide else table


def _commonest_mistakes(classes: Sequence[str], counts: NDArray[np.int64]) -> Table:
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    commonest = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_MISTAKES]
    pairs = np.transpose(np.unravel_index(commonest, wrong.shape)).tolist()
    rows = [[classes[own], classes[read], f"{wrong[own, read]:,}"] for own, read in pairs]
    return plain(["label", "read as", "images"], [row for row in rows if row[-1] != "0"], left=2)


def dataset(data: Dataset) -> Table:
    """How many images of each class each split holds."""
    splits = {"train": data.train.labels, "test": data.test.labels}
    counts = [np.bincount(labels, minlength=len(data.classes)) for labels in splits.values()]
    rows = [[name, *(f"{count[at]:,}" for count in counts)] for at, name in enumerate(data.classes)]
    rows.append(["all", *(f"{len(labels):,}" for labels in splits.values())])
    return plain(["class", *splits], rows)
