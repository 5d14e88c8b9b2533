"""Accuracy against latency: a mark for each contender, both intervals, and the Pareto front."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_edge.benchmark import Benchmark, Entry
from mnist_edge.metrics import Accuracy
from mnist_edge.report import labels
from mnist_edge.report.plots import common
from mnist_edge.report.plots.label_placement import Box, leader, place_labels
from mnist_edge.report.plots.theme import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARK = 8.0
_WIDEST = 0.7  # of the chart, for a name
_DASHES = (0, (4, 3))


@dataclass(frozen=True, slots=True)
class Point:
    """A contender where its accuracy and its latency at the smallest batch put it.

    `short` is its name without its runtime. `p90_us` is None where there are too few samples.
    """

    name: str
    short: str
    entry: Entry
    accuracy: Accuracy
    p50_us: float
    p90_us: float | None

    @property
    def percent(self) -> float:
        return self.accuracy.value * 100


def points(record: Benchmark) -> list[Point]:
    """The contenders that have both an accuracy and a median."""
    found = []
    names = zip(labels.full_names(record), labels.file_names(record), record.entries, strict=True)
    for name, file, entry in names:
        latency = entry.batches.get(min(record.plan.batches))
        p50 = latency.percentile_us(50) if latency else None
        if latency and p50 is not None and entry.accuracy:
            p90 = latency.percentile_us(90)
            found.append(Point(name, file.removesuffix(".onnx"), entry, entry.accuracy, p50, p90))
    return found


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """Those that are more accurate than all that are as fast: Pareto's, from fast to slow."""
    best: list[Point] = []
    for point in sorted(points, key=lambda point: (point.p50_us, -point.percent)):
        if not best or point.percent > best[-1].percent:
            best.append(point)
    return best


def draw(figure: Any, record: Benchmark, width: int, theme: Theme) -> None:
    """Draw the chart on a figure, or on a part of one."""
    found = points(record)
    axes = common.new_axes(figure, theme)
    common.set_time_axis(axes, [x for one in found for x in (one.p50_us, one.p90_us) if x], width)
    axes.grid(axis="y", color=theme.grid, linewidth=0.8)
    axes.margins(y=0.06)
    axes.locator_params(axis="y", nbins=6)
    axes.set_title("accuracy, %", loc="left", fontsize=common.TEXT, color=theme.quiet)
    axes.set_xlabel(common.latency_label(record), fontsize=common.TEXT, color=theme.quiet)
    _draw_front(axes, pareto_front(found), theme)
    for one in found:
        _draw_intervals(axes, one, common.family_colours(record, theme)[one.entry.info.family])
    for one in found:
        _draw_mark(axes, one, record, theme)
    common.add_legend(figure, _legend_keys(record, found, theme), width, theme)
    # On a phone the shapes alone tell the runtimes: there is no room for them in words.
    narrow = width < common.NARROWER
    _label(axes, found, [one.short if narrow else one.name for one in found], theme)


def _draw_front(axes: "Axes", best: Sequence[Point], theme: Theme) -> None:
    """Up to the right edge: whoever has more time may take the last one too."""
    axes.plot(
        [*(one.p50_us for one in best), axes.get_xlim()[1]],
        [*(one.percent for one in best), best[-1].percent],
        drawstyle="steps-post",
        color=theme.quiet,
        linewidth=1.3,
        linestyle=_DASHES,
        zorder=2.5,
    )


def _draw_intervals(axes: "Axes", one: Point, colour: str) -> None:
    low, high = (100 * end for end in one.accuracy.interval)
    for xs, ys in (
        ([one.p50_us, one.p50_us], [low, high]),
        ([one.p50_us, one.p90_us or one.p50_us], [one.percent, one.percent]),
    ):
        axes.plot(xs, ys, color=colour, linewidth=1.5, alpha=0.6, zorder=2)


def _draw_mark(axes: "Axes", one: Point, record: Benchmark, theme: Theme) -> None:
    colour = common.family_colours(record, theme)[one.entry.info.family]
    marker = common.runtime_markers(record)[one.entry.contender.runtime]
    face = colour if one.entry.is_int8 else theme.paper
    style = common.mark_style(marker, _MARK, 1.8, colour, face)
    axes.plot([one.p50_us], [one.percent], zorder=3, **style)


def _legend_keys(record: Benchmark, found: Sequence[Point], theme: Theme) -> list[Any]:
    """What shapes and lines mean; only those that are drawn."""
    from matplotlib.lines import Line2D

    def mark(marker: str, label: str, face: str) -> Any:
        style = common.mark_style(marker, _MARK - 1, 1.5, theme.quiet, face)
        return Line2D([], [], label=label, **style)

    runtimes = dict.fromkeys(one.entry.contender.runtime for one in found)
    keys = [mark(common.runtime_markers(record)[runtime], runtime, "none") for runtime in runtimes]
    if any(one.entry.is_int8 for one in found):
        keys.append(mark("o", "filled: int8", theme.quiet))
    best = Line2D([], [], color=theme.quiet, linewidth=1.2, linestyle=_DASHES, label="Pareto front")
    return [*keys, best]


def _label(axes: "Axes", found: Sequence[Point], words: Sequence[str], theme: Theme) -> None:
    """A name beside each mark, with a line to it where it had to go further away."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # now everything has its place
    figure.set_layout_engine("none")
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    area = axes.get_window_extent(renderer)
    middles = [axes.transData.transform((one.p50_us, one.percent)) for one in found]
    half = _MARK / 2 + 1
    marks = [Box(x - half, y - half, x + half, y + half) for x, y in middles]
    names = [common.fit_text(axes, name, _WIDEST * area.width) for name in words]
    sizes = [common.text_size(axes, name) for name in names]
    frame = Box(area.x0, area.y0, area.x1, area.y1)
    placed = place_labels(marks, sizes, _bars(axes, found), frame)
    arrow = {"arrowstyle": "-", "color": theme.quiet, "linewidth": 0.8, "shrinkA": 0}
    background = common.text_background(theme)
    style = {"fontsize": common.TEXT, "color": theme.ink, "bbox": background}
    for one, name, (x, y), mark, box in zip(found, names, middles, marks, placed, strict=True):
        if leader(mark, box):
            nearest = box.nearest(x, y)
            _annotate(axes, one, "", (nearest[0] - x, nearest[1] - y), arrowprops=arrow, zorder=2)
        start = box.left - x, (box.bottom + box.top) / 2 - y
        _annotate(axes, one, name, start, va="center_baseline", zorder=4, **style)


def _annotate(
    axes: "Axes", one: Point, text: str, start: tuple[float, float], **style: Any
) -> None:
    """A text, or the line of an arrow, from `start`, which is relative to a mark, in points."""
    point = one.p50_us, one.percent
    axes.annotate(text, point, start, textcoords="offset points", **style)


def _bars(axes: "Axes", found: Sequence[Point]) -> list[Box]:
    """Where the intervals lie."""
    boxes = []
    for one in found:
        low, high = (100 * end for end in one.accuracy.interval)
        (left, bottom), (right, top) = (
            axes.transData.transform(at)
            for at in ((one.p50_us, low), (one.p90_us or one.p50_us, high))
        )
        middle = axes.transData.transform((one.p50_us, one.percent))[1]
        boxes.append(Box(left - 1, bottom, left + 1, top))
        boxes.append(Box(left, middle - 1, right, middle + 1))
    return boxes
