"""Records -> grids: what each table of a benchmark, of answers and of a data set says."""

import textwrap
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from mnist_edge import metrics
from mnist_edge.benchmark import Benchmark, Entry
from mnist_edge.benchmark.kernels import Kernels
from mnist_edge.benchmark.latency import Latency
from mnist_edge.datasets import Dataset
from mnist_edge.model_file.golden import GoldenCheck
from mnist_edge.report import formatting
from mnist_edge.report import labels as names
from mnist_edge.report.grid import Grid
from mnist_edge.report.labels import Label
from mnist_edge.report.terminal import WIDTH, fits


def quality(record: Benchmark) -> Grid:
    """A line for each contender: what it answers, and what it takes to start."""
    columns = ["model", "acc. %", "95 %", "ECE %", "changed", "p", "size"]
    columns += ["load ms", "first ms", *["cold ms"] * record.plan.cold, "memory"]
    rows = [
        [
            _accuracy(entry),
            formatting.interval(entry.accuracy) if entry.accuracy else "",
            _calibration(entry),
            *_changed(entry),
            formatting.size(entry.size_bytes) if entry.contender.runs.file else "",
            formatting.milliseconds(entry.load.percentile_us(50)),
            formatting.milliseconds(entry.first.percentile_us(50)),
            *([_cold(entry)] if record.plan.cold else []),
            formatting.size(entry.peak_bytes, 0) if entry.peak_bytes else "-",
        ]
        for entry in record.entries
    ]
    return _of(names.labels(record), columns, rows, begins="size")


def speed(record: Benchmark) -> Grid:
    """A line for each contender: how fast it answers, and what that uses."""
    single, rate = min(record.plan.batches), record.plan.rate_hz
    many = [size for size in record.plan.batches if size != single][-2:]  # the others: in JSON
    columns = ["model", "p50 µs", "p90 µs", "p99 µs", "times as fast"]
    columns += [f"img/s at {size}" for size in many] + ["CPU µs"]
    columns += ["mJ"] * (record.energy_why_not is None)
    columns += [f"{rate:g} Hz p50 µs", "p90 µs"] if rate else []
    rows = []
    for entry in record.entries:
        row = [_percentile(entry.batches.get(single), rank) for rank in (50, 90, 99)]
        row.append(_speedup(record, entry, single))
        row += [_number(entry.images_per_s(size)) for size in many]
        row.append(_number(entry.cpu_us_per_image(single)))
        if record.energy_why_not is None:
            joules = entry.joules_per_image(single)
            row.append("-" if joules is None else f"{joules * 1000:.2f}")
        row += [_percentile(entry.paced, rank) for rank in (50, 90)] if rate else []
        rows.append(row)
    return _of(names.labels(record), columns, rows, begins="CPU µs")


def computed(record: Benchmark) -> Grid:
    """A line for each file: the kernels that run here, and whether they compute what they must."""
    rows = [
        [
            _int8(found.kernels),
            str(found.kernels.nodes),
            f"{found.deviation.changed} of {found.deviation.images}",
            f"{found.deviation.max_logit_difference:.1g}",
            _golden(found.golden),
        ]
        for entry in record.entries
        if (found := entry.findings)
    ]
    labels = [
        label
        for label, entry in zip(names.labels(record), record.entries, strict=True)
        if entry.findings
    ]
    columns = ["file", "computed here by", "nodes", "float ref.", "max |Δlogit|", "golden"]
    return _of(labels, columns, rows, begins="nodes", left=2)


def _of(
    labels: Sequence[Label],
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    begins: str,
    left: int = 1,
) -> Grid:
    """A row for each label. Where the table is cut, the column `begins` rather begins a part."""
    return Grid(
        columns=tuple(columns),
        rows=tuple((label.text, *row) for label, row in zip(labels, rows, strict=True)),
        left=left,
        breaks=(columns.index(begins),),
        under=tuple(at for at, label in enumerate(labels) if label.under),
        gap=1,
    )


def units(record: Benchmark, width: int = WIDTH) -> list[str]:
    """What the columns of a benchmark are, as far as a reader cannot know, in lines that fit."""
    single, rate = min(record.plan.batches), record.plan.rate_hz
    one = "one image" if single == 1 else f"{single} images"
    cold = "cold: from process start to the first answer; " if record.plan.cold else ""
    paced = f" ({rate:g} Hz: one at a time, as a camera's frames come)" if rate else ""
    energy = "" if record.energy_why_not else "mJ: energy of the whole CPU for one image; "
    told = (
        "ECE: expected calibration error; changed: answers unlike the original's (or fp32's, where "
        "that is not here), + now right, - now wrong; p: McNemar's, exact; "
        f"load: opening the file; first: the first answer; {cold}memory: peak of a fresh process; "
        f"p50, p90, p99: of {one} a call{paced}; CPU: time of all threads for one image; {energy}"
        "times as fast: as its model's row marked 1, "
        "paired round by round, with its 95 % interval; "
        "float ref.: answers that differ from the same graph in float, unoptimized; "
        "golden: answers as where the file was made"
    )
    return textwrap.wrap(told, width)


def _accuracy(entry: Entry) -> str:
    if entry.accuracy is None:
        return "-"
    return f"{entry.accuracy.value * 100:.2f}" + ("*" if entry.recorded else "")


def _calibration(entry: Entry) -> str:
    error = entry.score.calibration_error if entry.score else None
    return "" if error is None else f"{error * 100:.2f}"


def _changed(entry: Entry) -> list[str]:
    change = entry.score.change if entry.score else None
    if change is None:
        return ["", ""]
    if not change.changed:
        return ["0", ""]
    return [f"{change.changed} +{change.better} -{change.worse}", formatting.chance(change.p)]


def _cold(entry: Entry) -> str:
    return formatting.milliseconds(entry.cold.percentile_us(50), 0) if entry.cold else "-"


def _percentile(latency: Latency | None, rank: float) -> str:
    return formatting.microseconds(latency.percentile_us(rank) if latency else None)


def _golden(check: GoldenCheck | None) -> str:
    return f"{check.images - check.changed} of {check.images}" if check else "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _speedup(record: Benchmark, entry: Entry, batch: int) -> str:
    over = record.baseline(entry)
    if over is None:
        return "1"
    found = record.speedup(entry, over, batch)
    return "-" if found is None else formatting.speedup(found)


def _int8(found: Kernels) -> str:
    if not found.any_int8:
        return "float"
    parts = [
        f"{int8} of {formatting.counted(count, what)}"
        for what, int8, count in (
            ("convolution", found.int8_convolutions, found.convolutions),
            ("product", found.int8_products, found.products),
        )
        if count
    ]
    return f"{', '.join(parts)} in int8"


PER_CLASS = ("class", "precision", "recall", "f1-score", "support")


def class_rows(classes: Sequence[str], counts: NDArray[np.int64]) -> list[list[str]]:
    """The cells of a confusion matrix's PER_CLASS table, to three digits: a row for each class;
    then the accuracy, and the means over the classes, plain and weighted by their support.

    `counts` int64 (classes, classes) has the labels in its rows, the answers in its columns. The
    layout is that of scikit-learn's classification_report. ZeroDivisionError without any image.
    """
    figures, total = metrics.per_class(counts), f"{counts.sum():,}"
    columns = (figures.precision, figures.recall, figures.f1)
    rows = [
        [name, *(f"{column[at]:.3f}" for column in columns), f"{figures.support[at]:,}"]
        for at, name in enumerate(classes)
    ]
    rows.append(["accuracy", "", "", f"{np.trace(counts) / counts.sum():.3f}", total])
    for name, mean in (("macro avg", figures.macro), ("weighted avg", figures.weighted)):
        told = [f"{value:.3f}" for value in (mean.precision, mean.recall, mean.f1)]
        rows.append([name, *told, total])
    return rows


def per_class(classes: Sequence[str], counts: NDArray[np.int64]) -> Grid:
    """Precision, recall, F1 and support of every class, and a blank line above their means."""
    rows = class_rows(classes, counts)
    blank = [""] * len(PER_CLASS)
    return _grid(PER_CLASS, [*rows[: len(classes)], blank, *rows[len(classes) :]])


def confusion(classes: Sequence[str], counts: NDArray[np.int64]) -> Grid:
    """Rows are the labels, columns the answers; where that is too wide, the commonest mistakes."""
    rows = [
        [name, *(f"{count:,}" if count else "·" for count in counts[at])]
        for at, name in enumerate(classes)
    ]
    whole = _grid(["label \\ answer", *classes], rows)
    if fits(whole):
        return whole
    return Grid(("label", "read as", "images"), mistakes(classes, counts), left=2)


def mistakes(
    classes: Sequence[str], counts: NDArray[np.int64], most: int = 30
) -> tuple[tuple[str, str, str], ...]:
    """The commonest mistakes, commonest first: what was shown, what it was read as, how often."""
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    commonest = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = np.transpose(np.unravel_index(commonest, wrong.shape)).tolist()
    return tuple(
        (classes[own], classes[read], f"{wrong[own, read]:,}")
        for own, read in pairs
        if wrong[own, read]
    )


def dataset(data: Dataset) -> Grid:
    """How many images of each class each split holds."""
    shown = splits(data)
    counts = [np.bincount(labels, minlength=len(data.classes)) for labels in shown.values()]
    rows = [[name, *(f"{count[at]:,}" for count in counts)] for at, name in enumerate(data.classes)]
    rows.append(["all", *(f"{len(labels):,}" for labels in shown.values())])
    return _grid(["class", *shown], rows)


def _grid(columns: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> Grid:
    return Grid(tuple(columns), tuple(map(tuple, rows)), left)


def splits(data: Dataset) -> dict[str, NDArray[np.int64]]:
    """The labels of each split: of a person's folder all three, of a published set its own two."""
    if data.held_out is None:
        return {"train": data.train.labels, "test": data.test.labels}
    return {
        "train": data.training.labels,
        "validation": data.validation.labels,
        "test": data.test.labels,
    }
