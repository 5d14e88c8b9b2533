"""What the charts share: figures, axes of time, colours and shapes.

A unit of a figure is a pixel of the page. matplotlib is imported by those who draw, inside their
functions.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_edge.benchmark import Benchmark
from mnist_edge.catalogue import BACKENDS
from mnist_edge.report.plots.theme import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNITS_PER_INCH = 72  # of matplotlib's SVG
TEXT = 12.0
NARROWER = 500
"""Pixels: below this width there is room for less."""
_LOG_FROM = 4.0
_TICK_WIDTH = 62  # pixels for the words of one
_STEPS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), tuple(np.arange(1, 10, 0.5)))
_MARKERS = "o^vDsPX*<>"
"""matplotlib's names of shapes: a backend's is where it stands in the catalogue."""


def new_figure(width: int, height: int) -> "Figure":
    """A figure without paper, its size in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = width / UNITS_PER_INCH, height / UNITS_PER_INCH
    figure = Figure(size, dpi=UNITS_PER_INCH, layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)  # it measures texts
    return figure


def new_axes(figure: Any, theme: Theme) -> "Axes":
    """The axes of a figure, or of a part of one."""
    axes: Axes = figure.subplots()
    axes.set_facecolor("none")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(theme.quiet)
    axes.tick_params(labelsize=TEXT, labelcolor=theme.ink, color=theme.quiet, length=3)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", which="minor", bottom=False)
    axes.set_axisbelow(True)
    return axes


def set_time_axis(axes: "Axes", times_us: Sequence[float], width: int, log: bool = False) -> None:
    """An axis that holds all of `times_us`, in microseconds, and is logarithmic where they are
    more than 4 times apart, or `log` says so."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = min(times_us), max(times_us)
    if log or high > _LOG_FROM * low:
        margin = (high / low) ** 0.04 * 1.03
        low, high = low / margin**2, high * margin
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(_log_ticks(low, high, width)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        margin = 0.08 * (high - low) or 0.5 * high
        low, high = low - margin, high + margin
        axes.locator_params(axis="x", nbins=width // _TICK_WIDTH)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: duration(value)))


def _log_ticks(low: float, high: float, width: int) -> list[float]:
    """Round numbers within the limits: the finest choice of them whose words do not meet."""
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)))
    chosen: list[float] = []
    for steps in _STEPS:
        ticks = [tick for tick in np.outer(decades, steps).ravel() if low <= tick <= high]
        places = np.log(ticks) / np.log(high / low) * width
        if len(chosen) < 2 or np.diff(places).min() >= _TICK_WIDTH:
            chosen = ticks
    return chosen


def duration(value_us: float) -> str:
    """For a person: 97 µs, 1.2 ms, 3 s."""
    for scale, unit in ((1e6, "s"), (1e3, "ms")):
        if value_us >= scale * 0.9995:
            return f"{float(f'{value_us / scale:.3g}'):g} {unit}"
    return f"{float(f'{value_us:.3g}'):g} µs"


def text_size(axes: "Axes", text: str) -> tuple[float, float]:
    """The width and height of a text, in pixels."""
    drawn = axes.text(0, 0, text, fontsize=TEXT)
    box = drawn.get_window_extent()
    drawn.remove()
    return box.width, box.height


def fit_text(axes: "Axes", text: str, width: float) -> str:
    """A text with as much of its middle left out as makes it no wider than `width` pixels."""
    for kept in range(len(text), 1, -1):
        shown = text if kept == len(text) else f"{text[: kept // 2]}…{text[-(kept // 2) :]}"
        if text_size(axes, shown)[0] <= width:
            return shown
    return "…"


def latency_label(record: Benchmark) -> str:
    """What the latencies of the charts are of."""
    single = min(record.plan.batches)
    return f"latency of {'one image' if single == 1 else f'{single} images'}"


def text_background(theme: Theme) -> dict[str, Any]:
    """The box behind words that stand on lines."""
    return {"facecolor": theme.paper, "edgecolor": "none", "alpha": 0.75, "pad": 0.8}


def family_colours(record: Benchmark, theme: Theme) -> dict[str, str]:
    """A colour for each family: files and runtimes of one trained network."""
    families = dict.fromkeys(entry.info.family for entry in record.entries)
    return {family: theme.data[at % len(theme.data)] for at, family in enumerate(families)}


def runtime_markers(record: Benchmark) -> Mapping[str, str]:
    """A shape for each runtime."""
    runtimes = dict.fromkeys([*BACKENDS, *(entry.contender.runtime for entry in record.entries)])
    return {runtime: _MARKERS[at % len(_MARKERS)] for at, runtime in enumerate(runtimes)}


def mark_style(marker: str, size: float, width: float, edge: str, face: str) -> dict[str, Any]:
    """A mark of one point, with an edge `width` wide."""
    return {
        "linestyle": "none",
        "marker": marker,
        "markersize": size,
        "markeredgewidth": width,
        "markeredgecolor": edge,
        "markerfacecolor": face,
    }


def add_legend(figure: Any, keys: Sequence[Any], width: int, theme: Theme) -> None:
    """A legend below a figure."""
    figure.legend(
        handles=list(keys),
        loc="outside lower left",
        ncols=2 if width < NARROWER else 6,
        frameon=False,
        fontsize=TEXT,
        labelcolor=theme.ink,
        handletextpad=0.5,
        columnspacing=1.2,
        borderaxespad=0.2,
    )
