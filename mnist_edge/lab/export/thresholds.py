"""The threshold of a file, fitted with images of no class where there are any, and what it does to
these."""

import numpy as np
from numpy.typing import NDArray

from mnist_edge import metrics
from mnist_edge.classifier import in_chunks
from mnist_edge.datasets import Outliers
from mnist_edge.metrics import Threshold
from mnist_edge.rejection import Rejection, count_rejected
from mnist_edge.types import Labels, LogitsFunction

_OF_NO_CLASS = -1  # no answer is that label


def fit_threshold(
    run: LogitsFunction, known: NDArray[np.float32], labels: Labels, outliers: Outliers | None
) -> Threshold | None:
    """On a validation split, by its logits (N, C), and on validation images of no class: any answer
    to one of these is wrong. Where no threshold does for both, it is that of the split alone."""
    alone = metrics.fit_threshold(known, labels)
    if outliers is None or not len(outliers.validation):
        return alone
    unknown = in_chunks(run, outliers.validation)
    of_none = np.full(len(unknown), _OF_NO_CLASS, np.int64)
    both = np.concatenate([known, unknown]), np.concatenate([labels, of_none])
    return metrics.fit_threshold(*both) or alone


def measure_rejection(
    run: LogitsFunction,
    logits: NDArray[np.float32],
    threshold: Threshold | None,
    outliers: Outliers | None,
) -> Rejection | None:
    """By the logits (N, C) of the test split, and on test images of no class; None without any."""
    if threshold is None or outliers is None or not len(outliers.test):
        return None
    return count_rejected(in_chunks(run, outliers.test), logits, threshold.value)
