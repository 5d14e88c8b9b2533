"""How latencies are distributed: a strip for each contender, with all samples in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.benchmark import Benchmark, Entry
from mnist_edge.benchmark.latency import Latency
from mnist_edge.report import labels
from mnist_edge.report.plots import common
from mnist_edge.report.plots.theme import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW = 48
_BIN = 2.0  # pixels
_TALLEST, _TICK = 0.52, 0.12  # of a row
_RARE = 0.05  # of the commonest
_PERCENTILES = {50: "o", 90: "^", 99: "D"}
_MAX = "X"


@dataclass(frozen=True, slots=True)
class Strip:
    """A contender's latencies at the smallest batch."""

    name: str
    entry: Entry
    latency: Latency


def strips(record: Benchmark) -> list[Strip]:
    """The contenders that were timed at the smallest batch."""
    return [
        Strip(name, entry, latency)
        for name, entry in zip(labels.full_names(record), record.entries, strict=True)
        if (latency := entry.batches.get(min(record.plan.batches)))
    ]


def draw(figure: Any, record: Benchmark, width: int, theme: Theme) -> None:
    """Draw the chart on a figure, or on a part of one."""
    found = strips(record)
    axes = common.new_axes(figure, theme)
    ends = [
        end for one in found for end in (one.latency.samples_us.min(), one.latency.samples_us.max())
    ]
    common.set_time_axis(axes, ends, width, log=True)
    axes.grid(axis="x", color=theme.grid, linewidth=0.8)
    axes.set_yticks([])
    axes.set_ylim(len(found) - 0.75, -0.95)
    edges = np.geomspace(*axes.get_xlim(), max(2, round(width / _BIN)))
    for at, one in enumerate(found):
        colour = common.family_colours(record, theme)[one.entry.info.family]
        _draw_strip(axes, at, one.latency, edges, colour)
        _draw_marks(axes, at, one.latency, theme)
    _draw_texts(axes, found, width, theme)
    axes.set_xlabel(common.latency_label(record), fontsize=common.TEXT, color=theme.quiet)
    common.add_legend(figure, _legend_keys(theme), width, theme)


def _draw_strip(
    axes: "Axes", at: int, latency: Latency, edges: NDArray[np.float64], colour: str
) -> None:
    """The histogram upwards from the line of its row, and downwards a tick for every bin that is
    too low to be seen: the tail is a few samples of very many."""
    samples = latency.samples_us
    counts, _ = np.histogram(samples, edges)
    shares = counts / counts.max()
    used = np.flatnonzero(counts)
    first, last = used[0], used[-1] + 1
    axes.stairs(
        at - _TALLEST * shares[first:last],
        edges[first : last + 1],
        baseline=at,
        fill=True,
        color=colour,
        alpha=0.75,
        linewidth=0,
    )
    axes.plot([samples.min(), samples.max()], [at, at], color=colour, linewidth=1)
    rare = used[shares[used] < _RARE]
    middles = np.sqrt(edges[rare] * edges[rare + 1])
    gaps = np.full(len(rare), np.nan)  # one path of many parts, not many paths
    xs = np.column_stack([middles, middles, gaps])
    ys = np.column_stack([np.full(len(rare), at), np.full(len(rare), at + _TICK), gaps])
    axes.plot(xs.ravel(), ys.ravel(), color=colour, linewidth=1)


def _draw_marks(axes: "Axes", at: int, latency: Latency, theme: Theme) -> None:
    marks = {marker: latency.percentile_us(rank) for rank, marker in _PERCENTILES.items()}
    marks[_MAX] = float(latency.samples_us.max())
    for marker, place in marks.items():
        if place is not None:
            axes.plot([place], [at], zorder=3, **_style(marker, theme, theme.paper))


def _style(marker: str, theme: Theme, face: str) -> dict[str, Any]:
    return common.mark_style(marker, 6, 1.2, theme.ink, face)


def _draw_texts(axes: "Axes", found: Sequence[Strip], width: int, theme: Theme) -> None:
    """Names on the left; on the right, where there is room for all of them, what they took."""
    widest = 0.95 * width
    names = [common.fit_text(axes, one.name, widest) for one in found]
    figures = [""] * len(found)
    for choice in ([_figures(one, with_max) for one in found] for with_max in (True, False)):
        both = [f"{name}   {text}" for name, text in zip(names, choice, strict=True)]
        if max(common.text_size(axes, line)[0] for line in both) <= widest:
            figures = choice
            break
    for at, (name, text) in enumerate(zip(names, figures, strict=True)):
        _draw_text(axes, 0, at, name, theme.ink, theme)
        _draw_text(axes, 1, at, text, theme.quiet, theme)


def _figures(one: Strip, with_max: bool) -> str:
    median = one.latency.percentile_us(50)
    parts = [] if median is None else [f"p50 {common.duration(median)}"]
    if with_max or median is None:
        parts.append(f"max {common.duration(one.latency.samples_us.max())}")
    return ", ".join(parts)


def _draw_text(axes: "Axes", x: int, at: int, text: str, colour: str, theme: Theme) -> None:
    if text:
        axes.text(
            x,
            at - _TALLEST - 0.08,
            text,
            transform=axes.get_yaxis_transform(),
            ha="right" if x else "left",
            va="bottom",
            fontsize=common.TEXT,
            color=colour,
            bbox=common.text_background(theme),
        ).set_in_layout(False)


def _legend_keys(theme: Theme) -> list[Any]:
    from matplotlib.lines import Line2D

    labels = {marker: f"p{rank}" for rank, marker in _PERCENTILES.items()} | {_MAX: "max"}
    return [
        Line2D([], [], label=label, **_style(marker, theme, "none"))
        for marker, label in labels.items()
    ]
