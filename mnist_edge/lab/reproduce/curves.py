"""Training and test errors of the four networks, drawn as He et al. 2015 drew theirs."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mnist_edge.literal_texts import escape_what_fonts_lack, literal_texts

if TYPE_CHECKING:
    from mnist_edge.lab.reproduce.depth import Errors

_SIDES = {"plain": "plain", "resnet": "residual"}
_COLOURS = {"20": "tab:blue", "56": "tab:red"}
_LEAST = 1e-4  # a logarithmic axis has no zero


@literal_texts()
def draw(errors: "Mapping[str, Errors]", title: str) -> bytes:
    """A PNG: plain networks on the left, residual ones on the right, on the same logarithmic
    axis; thin lines are training errors, bold ones test errors (their figures 1 and 6)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    figure.suptitle(title, fontsize=11)
    both = figure.subplots(1, 2, sharey=True)
    for axes, (kind, name) in zip(both, _SIDES.items(), strict=True):
        for depth, colour in _COLOURS.items():
            if one := errors.get(kind + depth):
                _line(axes, one.test, colour, 2.4, f"{kind}{depth}, test")
                _line(axes, one.training, colour, 1.0, f"{kind}{depth}, training")
        axes.set_title(f"{name} networks", fontsize=10)
        if axes.has_data():
            axes.legend(fontsize=8)
    _label(both, max((len(one.test) for one in errors.values()), default=1))
    buffer = io.BytesIO()
    escape_what_fonts_lack(figure)
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _line(axes: Any, values: tuple[float, ...], colour: str, width: float, label: str) -> None:
    epochs = range(1, len(values) + 1)
    percents = [100 * max(value, _LEAST) for value in values]
    marker = "." if len(values) < 30 else None
    axes.plot(epochs, percents, color=colour, linewidth=width, marker=marker, label=label)


def _label(both: Any, epochs: int) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    for axes in both:
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, epochs + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
    both[0].set_ylabel("error, %")
