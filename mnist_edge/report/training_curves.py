"""What the epochs of trainings came to, drawn: one run's, and those of `reproduce depth`."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mnist_edge.escaping import printable
from mnist_edge.experiment_results import ErrorCurves
from mnist_edge.report.fonts import escape_missing_letters, literal_texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_KINDS = {"plain": "plain", "resnet": "residual"}
_COLOURS = {"20": "tab:blue", "56": "tab:red"}
_LEAST = 1e-4  # a logarithmic axis has no zero


@literal_texts()
def plot_run(history: Sequence[dict[str, Any]], title: str) -> bytes:
    """A PNG of a run's history: how the training loss fell, and the validation error."""
    from matplotlib.figure import Figure

    epochs = [entry["epoch"] for entry in history]
    totals = [entry["validation_total"] for entry in history]
    # Half an image where none is wrong: a logarithmic axis has no zero.
    wrong = [max(entry["validation_total"] - entry["validation_correct"], 0.5) for entry in history]
    errors = [100 * one / total for one, total in zip(wrong, totals, strict=True)]
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    figure.suptitle(printable(title))
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [entry["loss"] for entry in history], marker=".")
    right.plot(epochs, errors, marker=".", color="tab:orange")
    for axes, what in (
        (left, "training loss (augmented, smoothed labels)"),
        (right, "validation error of the weight average, %"),
    ):
        _training_axes(axes, what, min(epochs), max(epochs))
    _log_axis(right)
    return _png(figure)


@literal_texts()
def plot_depths(errors: Mapping[str, ErrorCurves], title: str) -> bytes:
    """A PNG as He et al. 2015 drew theirs (figures 1 and 6): plain networks on the left, residual
    ones on the right, on the same logarithmic axis; thin lines are training errors, bold ones test
    errors."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    figure.suptitle(title, fontsize=11)
    both = figure.subplots(1, 2, sharey=True)
    last = max((len(one.test) for one in errors.values()), default=1)
    for axes, (kind, name) in zip(both, _KINDS.items(), strict=True):
        for depth, colour in _COLOURS.items():
            if one := errors.get(kind + depth):
                _line(axes, one.test, colour, 2.4, f"{kind}{depth}, test")
                _line(axes, one.training, colour, 1.0, f"{kind}{depth}, training")
        _training_axes(axes, f"{name} networks", 1, last)
        _log_axis(axes)
        if axes.has_data():
            axes.legend(fontsize=8)
    both[0].set_ylabel("error, %")
    return _png(figure)


def _line(axes: "Axes", values: tuple[float, ...], colour: str, width: float, label: str) -> None:
    epochs = range(1, len(values) + 1)
    percents = [100 * max(value, _LEAST) for value in values]
    marker = "." if len(values) < 30 else None
    axes.plot(epochs, percents, color=colour, linewidth=width, marker=marker, label=label)


def _training_axes(axes: "Axes", title: str, first: int, last: int) -> None:
    """Whole epochs below; one epoch alone has a place too."""
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, fontsize=10)
    axes.set_xlabel("epoch")
    axes.set_xlim(first - 0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)


def _log_axis(axes: "Axes") -> None:
    """Logarithmic upwards, every tick a plain number; more of them where it is short."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    short = high < 10 * low
    axes.yaxis.set_minor_formatter(FormatStrFormatter("%g") if short else NullFormatter())


def _png(figure: "Figure") -> bytes:
    escape_missing_letters(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
