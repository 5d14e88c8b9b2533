"""A run's history as a picture: how the loss fell, and the errors that were left."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnist_edge.escaping import plain
from mnist_edge.files import write_together
from mnist_edge.literal_texts import escape_what_fonts_lack, literal_texts


@literal_texts()
def draw(path: Path, history: Sequence[dict[str, Any]], title: str) -> None:
    """Write the training loss and the validation error over the epochs to `path` as PNG."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

    epochs = [entry["epoch"] for entry in history]
    # Half an image where none is wrong: a logarithmic axis has no zero.
    errors = [
        100
        * max(entry["validation_total"] - entry["validation_correct"], 0.5)
        / entry["validation_total"]
        for entry in history
    ]
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    figure.suptitle(plain(title))
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [entry["loss"] for entry in history], marker=".")
    left.set_title("training loss (augmented, smoothed labels)", fontsize=10)
    right.plot(epochs, errors, marker=".", color="tab:orange")
    right.set_title("validation error of the weight average, %", fontsize=10)
    right.set_yscale("log")
    right.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    right.yaxis.set_minor_formatter(
        FuncFormatter(lambda value, _: f"{value:g}")
        if max(errors) < 10 * min(errors)
        else NullFormatter()
    )
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)  # one epoch alone has a place too
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    escape_what_fonts_lack(figure)
    figure.savefig(buffer, format="png", dpi=120)
    write_together({path: buffer.getvalue()})
