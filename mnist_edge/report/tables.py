"""The tables of classes, of a data set and of a network's layers."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from mnist_edge import metrics
from mnist_edge.catalogue import Layer, total
from mnist_edge.datasets import Dataset
from mnist_edge.report.grid import Grid
from mnist_edge.report.terminal import fits

_PER_CLASS = ("class", "precision", "recall", "f1-score", "support")


def per_class(classes: Sequence[str], counts: NDArray[np.int64], blank_line: bool = False) -> Grid:
    """Precision, recall, F1 and support of every class, to three digits; then, below a blank line
    where one is asked for, the accuracy, and the means over the classes, plain and weighted by
    their support.

    `counts` int64 (classes, classes) has the labels in its rows, the answers in its columns. The
    layout is that of scikit-learn's classification_report. ZeroDivisionError without any image.
    """
    figures, images = metrics.per_class(counts), f"{counts.sum():,}"
    columns = (figures.precision, figures.recall, figures.f1)
    rows = [
        [name, *(f"{column[at]:.3f}" for column in columns), f"{figures.support[at]:,}"]
        for at, name in enumerate(classes)
    ]
    if blank_line:
        rows.append([""] * len(_PER_CLASS))
    rows.append(["accuracy", "", "", f"{np.trace(counts) / counts.sum():.3f}", images])
    for name, mean in (("macro avg", figures.macro), ("weighted avg", figures.weighted)):
        values = (mean.precision, mean.recall, mean.f1)
        rows.append([name, *(f"{value:.3f}" for value in values), images])
    return _grid(_PER_CLASS, rows)


def confusion(classes: Sequence[str], counts: NDArray[np.int64]) -> Grid:
    """Rows are the labels, columns the answers; where that is too wide, the commonest mistakes."""
    rows = [
        [name, *(f"{count:,}" if count else "·" for count in counts[at])]
        for at, name in enumerate(classes)
    ]
    whole = _grid(["label \\ answer", *classes], rows)
    return whole if fits(whole) else commonest_mistakes(classes, counts)


def commonest_mistakes(classes: Sequence[str], counts: NDArray[np.int64], most: int = 30) -> Grid:
    """What was shown, what it was read as, and how often; the commonest first."""
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = np.transpose(np.unravel_index(order, wrong.shape)).tolist()
    rows = [
        (classes[label], classes[answer], f"{wrong[label, answer]:,}")
        for label, answer in pairs
        if wrong[label, answer]
    ]
    return _grid(("label", "read as", "images"), rows, left=2)


def dataset(data: Dataset) -> Grid:
    """How many images of each class each split holds."""
    labels = splits(data)
    counts = [np.bincount(own, minlength=len(data.classes)) for own in labels.values()]
    rows = [[name, *(f"{count[at]:,}" for count in counts)] for at, name in enumerate(data.classes)]
    rows.append(["all", *(f"{len(own):,}" for own in labels.values())])
    return _grid(["class", *labels], rows)


def splits(data: Dataset) -> dict[str, NDArray[np.int64]]:
    """The labels of each split: of a person's folder all three, of a published set its own two."""
    if data.held_out is None:
        return {"train": data.train.labels, "test": data.test.labels}
    return {
        "train": data.training.labels,
        "validation": data.validation.labels,
        "test": data.test.labels,
    }


def layers(layers: Sequence[Layer], everything: str = "all") -> Grid:
    """A row for each layer, and one for what all of them cost together."""
    cost = total(layers)
    rows = [
        (layer.name, layer.kind, _shape(layer.output), f"{layer.params:,}", f"{layer.macs:,}")
        for layer in layers
    ]
    rows.append((everything, "", "", f"{cost.params:,}", f"{cost.macs:,}"))
    return _grid(("layer", "kind", "output", "parameters", "MACs"), rows, left=3)


def _shape(output: tuple[int, ...] | None) -> str:
    return f"({', '.join(['N', *map(str, output)])})" if output is not None else "did not run"


def _grid(columns: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> Grid:
    return Grid(tuple(columns), tuple(map(tuple, rows)), left)
