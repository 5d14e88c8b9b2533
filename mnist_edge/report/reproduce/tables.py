"""What the experiments' findings share: figures over seeds, exported files, their times."""

from collections.abc import Mapping, Sequence

from mnist_edge.errors import GateCheck, GateError
from mnist_edge.experiment_results import ExportedRun, Timed
from mnist_edge.report import formatting
from mnist_edge.report.grid import Grid, Section
from mnist_edge.seed_statistics import Difference, Spread

SPREAD_COLUMNS = ("seeds", "mean", "deviation", "min-max")
"""The columns of `spread_cells`."""


def spread_cells(spread: Spread, fractions: bool = False) -> tuple[str, str, str, str]:
    """Seeds, mean, standard deviation and span, as a table has them: in percent, or as
    fractions."""
    scale, digits = (1, 4) if fractions else (100, 2)
    deviation = "" if spread.deviation is None else f"{spread.deviation * scale:.{digits + 1}f}"
    low, high = (f"{value * scale:.{digits}f}" for value in (spread.low, spread.high))
    span = f"{low}-{high}" if spread.count > 1 else ""
    mean = f"{spread.mean:.{digits}f}" if fractions else formatting.percent(spread.mean, 3)
    return str(spread.count), mean, deviation, span


def difference_text(found: Difference) -> str:
    """In percentage points: +0.050 points (standard error 0.021), clear of the seeds' spread"""
    told = f"{found.value * 100:+.3f} points"
    if found.error is None:
        return f"{told}, from one seed: no spread is known"
    verdict = "clear of" if found.clear else "within"
    return f"{told} (standard error {found.error * 100:.3f}), {verdict} the seeds' spread"


def files_section(exported: ExportedRun) -> Section:
    return Section(f"files of {exported.run}", _files({"": exported}), _refusals([exported]))


def part_files_section(exported: Mapping[str, ExportedRun], lines: Sequence[str] = ()) -> Section:
    """The files of all parts."""
    return Section(
        "files of the seeds that are best on the validation split",
        _files({f"{part}/": one for part, one in exported.items()}),
        (*_refusals(list(exported.values())), *lines),
    )


def _files(exported: Mapping[str, ExportedRun]) -> Grid:
    """A row for each file: its accuracy, the answers that changed, its size."""
    rows = [
        (
            f"{folder}{file.name}",
            formatting.percent(file.accuracy.value),
            formatting.interval(file.accuracy),
            str(file.changed),
            formatting.size(file.size_bytes),
        )
        for folder, one in exported.items()
        for file in one.files
    ]
    return Grid(("file", "accuracy", "95 %", "changed", "size"), tuple(rows))


def _refusals(exported: Sequence[ExportedRun]) -> tuple[str, ...]:
    return tuple(f"no int8 file: {refusal_text(one.refused)}" for one in exported if one.refused)


def refusal_text(error: GateError) -> str:
    """Why a file is not written, for a reader who was asked for no limit."""
    if error.check is GateCheck.ACCURACY_DROP:
        return f"{error}, more than the {error.limit:.2f} that it may lose"
    return str(error)


def times_section(timed: Mapping[str, Timed], lines: Sequence[str] = ()) -> Section:
    """The times of all files."""
    rows = [
        (name, f"{one.p50_us:,.1f} µs", "1" if one.ratio is None else formatting.ratio(one.ratio))
        for name, one in timed.items()
    ]
    return Section(
        "time of one image, one thread, interleaved in one run",
        Grid(("file", "p50", "times the first (95 %)"), tuple(rows)),
        tuple(lines),
    )
