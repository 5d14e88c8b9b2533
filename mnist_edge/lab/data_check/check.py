"""The check of a data set: duplicates, blank, tiny and odd-sized pictures, labels that are probably
wrong, classes with few pictures, and whether more would help.

All splits are judged together: the networks that are trained here are thrown away, and choose
nothing of any model's.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mnist_edge.datasets import Dataset, Split
from mnist_edge.datasets.check_results import DataCheck, LearningCurve
from mnist_edge.datasets.duplicates import find_duplicates, is_blank
from mnist_edge.datasets.odd_sizes import find_odd_sizes
from mnist_edge.lab.data_check.label_errors import check_installed, find_label_errors
from mnist_edge.lab.data_check.learning_curve import (
    SHARES,
    learning_curve,
    nested_shares,
)
from mnist_edge.lab.data_check.out_of_fold import (
    CheckPlan,
    Watch,
    folds_of,
    out_of_fold_probabilities,
    train_once,
)
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.types import Progress

FEW = 20  # pictures of a class, below which little is learned of it
_JUDGED = 5000  # pictures that a learning curve's accuracy is measured on, where there are so many


def check(
    data: Dataset,
    plan: CheckPlan,
    group: ProcessGroup,
    progress: Progress | None = None,
    watch: Watch = lambda name, step: None,
) -> DataCheck:
    """Look at all pictures of a data set. MissingExtraError without cleanlab."""
    check_installed()
    parts = {"training": data.training, "validation": data.validation, "test": data.test}
    pooled = Split(
        np.concatenate([part.images for part in parts.values()]),
        np.concatenate([part.labels for part in parts.values()]),
    )
    splits = np.repeat(list(parts), [len(part) for part in parts.values()])
    order, names = _order(data), _names(data)
    duplicates = tuple(find_duplicates(pooled.images, progress))
    counts = np.bincount(pooled.labels, minlength=len(data.classes))
    errors, curve = None, None
    if counts.min() >= plan.folds:
        folds = folds_of(pooled.labels, plan.folds, plan.seed, duplicates)
        probabilities = out_of_fold_probabilities(pooled, data.classes, folds, plan, group, watch)
        errors = tuple(find_label_errors(pooled.labels, probabilities))
        curve = _curve(pooled, data.classes, folds, probabilities, plan, group, watch)
    return DataCheck(
        data=pooled,
        splits=splits,
        names=tuple(names[at] for at in order),
        duplicates=duplicates,
        blank=tuple(np.flatnonzero(is_blank(pooled.images)).tolist()),
        sizes=None
        if data.sizes is None
        else find_odd_sizes(data.sizes[order], pooled.labels, data.shape, data.fit),
        few={
            name: int(count)
            for name, count in zip(data.classes, counts, strict=True)
            if count < FEW
        },
        label_errors=errors,
        curve=curve,
    )


def _order(data: Dataset) -> NDArray[np.intp]:
    """Where the pictures of `DataCheck` are among those of `train` and, behind them, of `test`."""
    held_out = data.validation_mask
    tested = len(held_out) + np.arange(len(data.test))
    return np.concatenate([np.flatnonzero(~held_out), np.flatnonzero(held_out), tested])


def _names(data: Dataset) -> Sequence[str]:
    """Those of `train`, and of `test`."""
    splits = {"train": data.train, "test": data.test}
    return data.names or [f"{name}[{at}]" for name, one in splits.items() for at in range(len(one))]


def _curve(
    data: Split,
    classes: tuple[str, ...],
    folds: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    plan: CheckPlan,
    group: ProcessGroup,
    watch: Watch,
) -> LearningCurve:
    """Of as many folds as hold enough pictures; what learned from all others has answered."""
    judged = np.zeros(len(data), bool)
    answers = [np.zeros(len(data), np.int64) for _ in SHARES]
    images = [0] * len(SHARES)
    for fold in range(plan.folds):
        if judged.sum() >= _JUDGED:
            break
        own = folds == fold
        judged |= own
        training = data[~own]
        for at, share in enumerate(SHARES[:-1]):
            part = training[nested_shares(training.labels, share, plan.seed)]
            name = f"learning from {share:.0%}, fold {fold + 1}"
            network = train_once(part, classes, plan, group, partial(watch, name)).average
            answers[at][own] = network.predict_logits(data.images[own]).argmax(axis=1)
            images[at] = max(images[at], len(part))
        images[-1] = max(images[-1], len(training))
    answers[-1] = probabilities.argmax(axis=1)
    return learning_curve(data.labels[judged], [given[judged] for given in answers], images)
