"""How much the images of each class count in the loss, where some classes have few."""

import numpy as np

from mnist_edge.types import Labels

IMBALANCED_FROM = 3.0  # times as many images in one class as in another
_BETA = 0.999  # of the effective number of images, which so is at most 1,000
_LARGEST_RATIO = 20.0  # of one class's weight to another's: a few images must not decide all


def imbalance(labels: Labels, classes: int) -> float:
    """How many times as many images the largest class has as the smallest; one without any counts
    as if it had one."""
    counts = np.bincount(labels, minlength=classes).clip(min=1)
    return float(counts.max() / counts.min())


def class_weights(labels: Labels, classes: int) -> tuple[float, ...]:
    """The weight of each class, whose mean over all images is 1.

    By the inverse of the effective number of images, (1 - β^n) / (1 - β) (Cui et al. 2019, arXiv
    1901.05555): nearly the inverse frequency where there are tens of images, and less than it where
    there are thousands. labels: int64 (N,).
    """
    counts = np.bincount(labels, minlength=classes)
    effective = (1 - _BETA ** counts.clip(min=1)) / (1 - _BETA)
    weights = (effective.max() / effective).clip(max=_LARGEST_RATIO)
    weights *= counts.sum() / (weights * counts).sum()
    return tuple(np.round(weights, 4).tolist())
