"""What LoadGen found -> its table, and what a reader has to know about it."""

from collections.abc import Sequence

from mnist_edge.benchmark.loadgen import LoadResult
from mnist_edge.report import formatting
from mnist_edge.report.grid import Grid


def table(results: Sequence[LoadResult]) -> Grid:
    """A line for each contender, all driven in one scenario."""
    columns = ["model", "runtime", *_COLUMNS[results[0].scenario], "result"]
    rows = [
        (
            name,
            result.contender.runtime,
            *_figures(result),
            "valid" if result.valid else "INVALID",
        )
        for name, result in zip(_names(results), results, strict=True)
    ]
    return Grid(tuple(columns), tuple(rows), left=2, gap=1)


def notes(results: Sequence[LoadResult]) -> list[str]:
    """What the columns are, and why a result is not valid."""
    first = results[0]
    threads = formatting.count(first.threads, "thread")
    lines = [f"MLCommons LoadGen, {first.scenario}, {threads}; {_UNITS[first.scenario]}"]
    if first.server:
        lines.append(
            f"{first.server.target_qps:,g} queries/s asked for, at random times; p99 must keep to "
            f"{first.server.bound_us:,.0f} µs, as in MLPerf's ResNet-50"
        )
    for name, result in zip(_names(results), results, strict=True):
        if not result.valid:
            reasons = " ".join(result.reasons)
            lines.append(f"{name} in {result.contender.runtime} is not valid: {reasons}")
    return lines


_LATENCIES = ["p50", "p90", "p99", "queries"]
_COLUMNS = {
    "single-stream": _LATENCIES,
    "multi-stream": _LATENCIES,
    "server": ["due/s", "done/s", *_LATENCIES],
    "offline": ["images/s", "images"],
}
_UNITS = {
    "single-stream": "p50, p90, p99 of one image: µs; p90 is its result",
    "multi-stream": "p50, p90, p99 of 8 images a query: µs; p99 is its result",
    "server": "p50, p90, p99 of one image, from when it was due: µs",
    "offline": "all images in one query",
}


def _figures(result: LoadResult) -> list[str]:
    if result.scenario == "offline":
        return [f"{result.value:,.0f}", f"{result.images:,}"]
    rates = [f"{result.server.scheduled_qps:,.0f}", f"{result.value:,.0f}"] if result.server else []
    latencies = (result.p50_us, result.p90_us, result.p99_us)
    return [*rates, *map(formatting.integer, latencies), f"{result.queries:,}"]


def _names(results: Sequence[LoadResult]) -> list[str]:
    """The file's name, or the model's where no file is run."""
    found = formatting.short_names([result.contender.path for result in results])
    return [
        name if result.contender.kind.is_file else result.contender.info.model
        for name, result in zip(found, results, strict=True)
    ]
