"""The tables of a benchmark."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from mnist_edge.benchmark import Benchmark, Entry
from mnist_edge.benchmark.kernels import Kernels
from mnist_edge.benchmark.latency import Latency
from mnist_edge.report import formatting, labels
from mnist_edge.report.grid import Grid
from mnist_edge.report.labels import Label
from mnist_edge.report.terminal import WIDTH


def quality(record: Benchmark) -> Grid:
    """A row for each contender: what it answers, and what it takes to start."""
    columns = ["model", "acc. %", "95 %", "ECE %", "changed", "p", "size"]
    columns += ["load ms", "first ms", *["cold ms"] * record.plan.cold, "memory"]
    rows = [
        [
            _accuracy(entry),
            formatting.interval(entry.accuracy) if entry.accuracy else "",
            _calibration_error(entry),
            *_changed(entry),
            formatting.size(entry.size_bytes) if entry.contender.kind.is_file else "",
            formatting.milliseconds(entry.load.percentile_us(50)),
            formatting.milliseconds(entry.first.percentile_us(50)),
            *([_cold(entry)] if record.plan.cold else []),
            formatting.size(entry.peak_bytes, 0) if entry.peak_bytes else "-",
        ]
        for entry in record.entries
    ]
    return _grid(labels.row_labels(record), columns, rows, begins="size")


def speed(record: Benchmark) -> Grid:
    """A row for each contender: how fast it answers, and what that uses."""
    single, rate = min(record.plan.batches), record.plan.rate_hz
    many = [size for size in record.plan.batches if size != single][-2:]  # the others: in JSON
    energy = record.energy_why_not is None
    columns = ["model", "p50 µs", "p90 µs", "p99 µs", "times as fast"]
    columns += [f"img/s at {size}" for size in many] + ["CPU µs"] + ["mJ"] * energy
    columns += [f"{rate:g} Hz p50 µs", "p90 µs"] if rate else []
    rows = [
        [
            *(_percentile(entry.batches.get(single), rank) for rank in (50, 90, 99)),
            _times_as_fast(record, entry, single),
            *(formatting.integer(entry.images_per_s(size)) for size in many),
            formatting.integer(entry.cpu_us_per_image(single)),
            *([formatting.millijoules(entry.joules_per_image(single))] if energy else []),
            *(_percentile(entry.paced, rank) for rank in ((50, 90) if rate else ())),
        ]
        for entry in record.entries
    ]
    return _grid(labels.row_labels(record), columns, rows, begins="CPU µs")


def kernels(record: Benchmark) -> Grid:
    """A row for each file: the kernels that run here, and whether they compute what they must."""
    names, rows = [], []
    for label, entry in zip(labels.row_labels(record), record.entries, strict=True):
        if not (found := entry.findings):
            continue
        golden = found.golden
        names.append(label)
        rows.append(
            [
                _int8(found.kernels),
                str(found.kernels.nodes),
                f"{found.deviation.changed} of {found.deviation.images}",
                f"{found.deviation.max_logit_difference:.1g}",
                f"{golden.images - golden.changed} of {golden.images}" if golden else "-",
            ]
        )
    columns = ["file", "computed here by", "nodes", "float ref.", "max |Δlogit|", "golden"]
    return _grid(names, columns, rows, begins="nodes", left=2)


def _grid(
    names: Sequence[Label],
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    begins: str,
    left: int = 1,
) -> Grid:
    """A row for each name. Where the table is cut, the column `begins` rather begins a part."""
    return Grid(
        columns=tuple(columns),
        rows=tuple((name.text, *row) for name, row in zip(names, rows, strict=True)),
        left=left,
        breaks=(columns.index(begins),),
        under=tuple(at for at, name in enumerate(names) if name.under),
        gap=1,
    )


def units(record: Benchmark, width: int = WIDTH) -> list[str]:
    """What the columns of a benchmark are, as far as a reader cannot know, in lines that fit."""
    single, rate = min(record.plan.batches), record.plan.rate_hz
    one = "one image" if single == 1 else f"{single} images"
    cold = "cold: from process start to the first answer; " if record.plan.cold else ""
    paced = f" ({rate:g} Hz: one at a time, as a camera's frames come)" if rate else ""
    energy = "" if record.energy_why_not else "mJ: energy of the whole CPU for one image; "
    text = (
        "ECE: expected calibration error; changed: answers unlike the original's (or fp32's, where "
        "that is not here), + now right, - now wrong; p: McNemar's, exact; "
        f"load: opening the file; first: the first answer; {cold}memory: peak of a fresh process; "
        f"p50, p90, p99: of {one} a call{paced}; CPU: time of all threads for one image; {energy}"
        "times as fast: as its model's row marked 1, "
        "paired round by round, with its 95 % interval; "
        "float ref.: answers that differ from the same graph in float, unoptimized; "
        "golden: answers as where the file was made"
    )
    return textwrap.wrap(text, width)


def batches(record: Benchmark) -> Grid:
    """A row for each contender and batch size that it was timed at; times in microseconds."""
    energy = record.energy_why_not is None
    columns = ["contender", "images", "calls", "p50", "p90", "p99", "max", "times as fast"]
    columns += ["img/s", "CPU µs"] + ["mJ"] * energy + ["spread"]
    rows = [
        (
            name,
            str(size),
            f"{len(latency.samples_us):,}",
            *(_percentile(latency, rank) for rank in (50, 90, 99)),
            formatting.integer(float(latency.samples_us.max())),
            _times_as_fast(record, entry, size),
            formatting.integer(entry.images_per_s(size)),
            formatting.integer(entry.cpu_us_per_image(size)),
            *([formatting.millijoules(entry.joules_per_image(size))] if energy else []),
            "-" if latency.spread is None else formatting.percent(latency.spread, 1),
        )
        for name, entry in zip(labels.full_names(record), record.entries, strict=True)
        for size, latency in entry.batches.items()
    ]
    return Grid(tuple(columns), tuple(rows))


def files(record: Benchmark) -> Grid:
    """A row for each file that was read, with the SHA-256 of its bytes."""
    rows: dict[Path, tuple[str, ...]] = {}
    for name, entry in zip(labels.file_names(record), record.entries, strict=True):
        row = name, formatting.size(entry.size_bytes), entry.sha256
        rows.setdefault(entry.contender.path, row)
    return Grid(("file", "size", "SHA-256"), tuple(rows.values()), left=3)


def _accuracy(entry: Entry) -> str:
    if entry.accuracy is None:
        return "-"
    return f"{entry.accuracy.value * 100:.2f}" + ("*" if entry.recorded else "")


def _calibration_error(entry: Entry) -> str:
    error = entry.score.calibration_error if entry.score else None
    return "" if error is None else f"{error * 100:.2f}"


def _changed(entry: Entry) -> list[str]:
    """How many answers, and McNemar's p."""
    change = entry.score.change if entry.score else None
    if change is None:
        return ["", ""]
    if not change.changed:
        return ["0", ""]
    return [f"{change.changed} +{change.better} -{change.worse}", formatting.p_value(change.p)]


def _cold(entry: Entry) -> str:
    return formatting.milliseconds(entry.cold.percentile_us(50), 0) if entry.cold else "-"


def _percentile(latency: Latency | None, rank: float) -> str:
    return formatting.integer(latency.percentile_us(rank) if latency else None)


def _times_as_fast(record: Benchmark, entry: Entry, batch: int) -> str:
    over = record.baseline(entry)
    if over is None:
        return "1"
    ratio = record.speedup(entry, over, batch)
    return formatting.speedup(ratio) if ratio else "-"


def _int8(kernels: Kernels) -> str:
    if not kernels.any_int8:
        return "float"
    parts = [
        f"{int8} of {formatting.count(count, noun)}"
        for noun, int8, count in (
            ("convolution", kernels.int8_convolutions, kernels.convolutions),
            ("product", kernels.int8_products, kernels.products),
        )
        if count
    ]
    return f"{', '.join(parts)} in int8"
