"""A benchmark as charts: accuracy against latency, and how latencies are distributed.

matplotlib draws them, for a file or for the page, whose colours they follow.
"""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_edge.benchmark import Benchmark
from mnist_edge.errors import MissingExtraError, UsageError
from mnist_edge.escaping import printable
from mnist_edge.files import write_atomically
from mnist_edge.report import formatting, labels, verdict
from mnist_edge.report.fonts import literal_texts
from mnist_edge.report.plots import accuracy, common, latencies, svg
from mnist_edge.report.plots.theme import DARK, LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "DARK",
    "LIGHT",
    "NARROW",
    "SUFFIXES",
    "WIDE",
    "Theme",
    "accuracy_caption",
    "benchmark",
    "latencies_caption",
    "require_matplotlib",
    "svg_elements",
]

SUFFIXES = (".png", ".svg")
NARROW, WIDE = 340, 760
"""The widths in pixels that charts are drawn for: a phone's, and anything wider."""

_TITLE = 60
_LETTER = 7  # pixels, on average at most
_LEGEND = 90


def benchmark(record: Benchmark, path: Path) -> None:
    """Write both charts into one file, .png or .svg by its suffix.

    EdgeError for another suffix, or where it cannot be written; MissingExtraError without
    matplotlib.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"cannot draw {path.name}: its name has to end in {' or '.join(SUFFIXES)}")
    kind = path.suffix.lower().removeprefix(".")
    with _matplotlib():
        resolution = common.UNITS_PER_INCH * (2 if kind == "png" else 1)
        content = svg.render(_both(record, WIDE, LIGHT), kind, "bench", resolution)
    write_atomically(path, content)


def require_matplotlib() -> None:
    """MissingExtraError where charts cannot be drawn."""
    with _matplotlib():
        pass


def svg_elements(record: Benchmark, width: int) -> tuple[str | None, str | None]:
    """Both charts as <svg> elements of a page that defines the variables of a `Theme`: accuracy
    against latency, and latencies. None for one that has nothing to show.

    MissingExtraError without matplotlib.
    """
    with _matplotlib():
        found: list[str | None] = [None, None]
        if accuracy.points(record):
            figure = common.new_figure(width, _accuracy_height(width))
            accuracy.draw(figure, record, width, svg.MARKED)
            found[0] = svg.element(figure, f"accuracy-{width}")
        if latencies.strips(record):
            figure = common.new_figure(width, _latencies_height(record))
            latencies.draw(figure, record, width, svg.MARKED)
            found[1] = svg.element(figure, f"latencies-{width}")
        return found[0], found[1]


def accuracy_caption(record: Benchmark) -> str:
    """What the first chart shows, and whom it leaves out."""
    drawn = {point.name for point in accuracy.points(record)}
    absent = [name for name in labels.full_names(record) if name not in drawn]
    caption = (
        "Further up is more accurate, further left is faster. Vertical bars are Wilson's 95 % "
        "interval of the accuracy; horizontal ones go from the median latency to p90. Colours are "
        "networks, shapes are runtimes. The dashed line is the Pareto front: the highest accuracy "
        "for at most that latency."
    )
    if not drawn:
        caption = "Nothing to draw: no contender has both an accuracy and a median."
    why = "for want of an accuracy or of samples"
    return f"{caption} Left out, {why}: {', '.join(absent)}." if absent and drawn else caption


def latencies_caption(record: Benchmark) -> str:
    """What the second chart shows."""
    if not latencies.strips(record):
        return "Nothing to draw: nothing was timed."
    return (
        "All samples, on one logarithmic axis. Each contender's histogram stands on its line, "
        "which reaches from the fastest to the slowest sample; a tick below it marks samples too "
        "few to be seen above."
    )


def _both(record: Benchmark, width: int, theme: Theme) -> "Figure":
    """The charts one above the other, under what they were measured on."""
    heights = [_accuracy_height(width), _latencies_height(record)]
    figure = common.new_figure(width, sum(heights) + _TITLE)
    figure.set_facecolor(theme.paper)
    # Its own wrapping would take a `$` for the beginning of a formula, whatever it is told.
    title = textwrap.fill(printable(_title(record)), width // _LETTER)
    figure.suptitle(title, x=0.01, ha="left", fontsize=common.TEXT, color=theme.ink)
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    upper, lower = parts
    if latencies.strips(record):
        latencies.draw(lower, record, width, theme)
    if accuracy.points(record):
        accuracy.draw(upper, record, width, theme)  # the last: it labels what has its place
    return figure


def _title(record: Benchmark) -> str:
    threads = formatting.count(record.plan.threads, "thread")
    quiet = verdict.text(record.noise)
    return f"{record.machine.cpu}, {threads}, {record.measured_at[:10]}; {quiet}"


def _accuracy_height(width: int) -> int:
    return 420 if width < WIDE else 430


def _latencies_height(record: Benchmark) -> int:
    return latencies.ROW * len(latencies.strips(record)) + _LEGEND


@contextmanager
def _matplotlib() -> Iterator[None]:
    """Defaults, whatever this person's own settings are."""
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError(
            "charts need matplotlib, which is not installed: pip install 'mnist-edge[report]'"
        ) from error
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        with literal_texts():
            yield
