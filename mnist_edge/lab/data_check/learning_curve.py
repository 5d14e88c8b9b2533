"""Would more pictures help? The accuracy of networks that learned from a quarter of them, half of
them, and all, on pictures that none of them learned from.

Errors fall about as a power of the number of pictures (Hestness et al. 2017, arXiv 1712.00409):
that is how twice as many are extrapolated.
"""

import math

import numpy as np
from numpy.typing import NDArray

from mnist_edge.datasets.check_results import CurvePoint, LearningCurve
from mnist_edge.metrics import accuracy, agreement

SHARES = (0.25, 0.5, 1.0)


def nested_shares(labels: NDArray[np.int64], share: float, seed: int) -> NDArray[np.intp]:
    """The positions of a share of all images, the same share of each class but at least one of
    each. A larger share with the same seed holds the smaller."""
    random = np.random.default_rng(seed)
    chosen = [
        random.permutation(members)[: max(1, math.ceil(share * len(members)))]
        for label in np.unique(labels)
        for members in [np.flatnonzero(labels == label)]
    ]
    return np.sort(np.concatenate(chosen))


def learning_curve(
    labels: NDArray[np.int64], answers: list[NDArray[np.int64]], images: list[int]
) -> LearningCurve:
    """The curve of answers, int64 (N,) each, to the same images, after training on so many."""
    points = tuple(
        CurvePoint(count, accuracy(given, labels))
        for count, given in zip(images, answers, strict=True)
    )
    return LearningCurve(points, agreement(answers[-2], answers[-1], labels))
