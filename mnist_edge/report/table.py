"""Records -> tables for the terminal, 100 columns wide at most."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from mnist_edge.benchmark import BATCH, Benchmark, Entry
from mnist_edge.contenders import PyTorch
from mnist_edge.datasets import Dataset
from mnist_edge.metrics import PerClass
from mnist_edge.report import text


def plain(columns: Iterable[str], rows: Iterable[Sequence[str]], left: int = 1) -> Table:
    """A table without decoration; all columns but the first `left` are numbers, flush right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for at, name in enumerate(columns):
        table.add_column(name, justify="left" if at < left else "right", no_wrap=at >= left)
    for row in rows:
        table.add_row(*row)
    return table


def benchmark(record: Benchmark) -> Table:
    """One line a contender; the time of one image in µs, start-up in ms."""
    columns = [
        "model",
        "accuracy",
        "95 %",
        "changed",
        "size",
        "load ms",
        "first ms",
        "p50 µs",
        "p90",
        "p99",
        f"img/s @{BATCH}",
    ]
    return plain(columns, [_benchmark_row(entry) for entry in record.entries])


def _benchmark_row(entry: Entry) -> list[str]:
    is_original = isinstance(entry.contender, PyTorch)
    name = f"  {entry.contender.name} in PyTorch" if is_original else entry.contender.name
    rate = entry.images_per_s
    return [
        name,
        text.percent(entry.accuracy.value) + ("*" if entry.recorded else ""),
        text.interval(entry.accuracy),
        _changed(entry),
        text.size(entry.size_bytes) if not is_original else "",
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
    return f"{entry.change.changed} (+{entry.change.better} -{entry.change.worse})"


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
    """Rows are the labels, columns the answers; zeros are left blank."""
    rows = [
        [name, *(f"{count:,}" if count else "·" for count in counts[at])]
        for at, name in enumerate(classes)
    ]
    return plain(["label \\ answer", *classes], rows)


def dataset(data: Dataset) -> Table:
    """How many images of each class each split holds."""
    splits = {"train": data.train.labels, "test": data.test.labels}
    counts = [np.bincount(labels, minlength=len(data.classes)) for labels in splits.values()]
    rows = [[name, *(f"{count[at]:,}" for count in counts)] for at, name in enumerate(data.classes)]
    rows.append(["all", *(f"{len(labels):,}" for labels in splits.values())])
    return plain(["class", *splits], rows)
