"""A benchmark's longer tables, which Markdown and HTML have room for."""

from pathlib import Path

from mnist_edge.benchmark import Benchmark, Entry
from mnist_edge.report import formatting, labels
from mnist_edge.report.grid import Grid


def batches(record: Benchmark) -> Grid:
    """A row for each contender and batch size that it was timed at; times in microseconds."""
    energy = record.energy_why_not is None
    columns = ["contender", "images", "calls", "p50", "p90", "p99", "max", "times as fast"]
    columns += ["img/s", "CPU µs"] + ["mJ"] * energy + ["spread"]
    rows = [
        _batch(record, name, entry, size)
        for name, entry in zip(labels.full(record), record.entries, strict=True)
        for size in entry.batches
    ]
    return Grid(tuple(columns), tuple(rows))


def _batch(record: Benchmark, name: str, entry: Entry, size: int) -> tuple[str, ...]:
    latency, over = entry.batches[size], record.baseline(entry)
    ratio = record.speedup(entry, over, size) if over else None
    joules = entry.joules_per_image(size)
    cells = [name, str(size), f"{len(latency.samples_us):,}"]
    cells += [formatting.microseconds(latency.percentile_us(rank)) for rank in (50, 90, 99)]
    cells.append(formatting.microseconds(float(latency.samples_us.max())))
    cells.append(formatting.speedup(ratio) if ratio else "-" if over else "1")
    cells.append(formatting.microseconds(entry.images_per_s(size)))
    cells.append(formatting.microseconds(entry.cpu_us_per_image(size)))
    if record.energy_why_not is None:
        cells.append("-" if joules is None else f"{joules * 1000:.2f}")
    cells.append("-" if latency.spread is None else formatting.percent(latency.spread, 1))
    return tuple(cells)


def files(record: Benchmark) -> Grid:
    """A row for each file that was read, with the SHA-256 of its bytes."""
    found: dict[Path, tuple[str, ...]] = {}
    for name, entry in zip(labels.files(record), record.entries, strict=True):
        row = name, formatting.size(entry.size_bytes), entry.sha256
        found.setdefault(entry.contender.path, row)
    return Grid(("file", "size", "SHA-256"), tuple(found.values()), left=3)
