"""Labels that are probably wrong, by confident learning (Northcutt et al. 2021, arXiv 1911.00068).

cleanlab does it. From the joint distribution of labels and confident answers it estimates how many
labels are wrong. Those are taken whose own probability is lowest: on Fashion-MNIST's training
images, with 1,200 labels changed at random, 1,038 of the changed ones were among the first 1,200
so; with cleanlab's filters 900 to 1,004.
"""

from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from mnist_edge.datasets.check_results import LabelError
from mnist_edge.errors import MissingExtraError


def check_installed() -> None:
    """MissingExtraError without cleanlab, before networks are trained for it."""
    if find_spec("cleanlab") is None:
        raise MissingExtraError(
            "doubtful labels are found by cleanlab, which is not installed: "
            "pip install 'mnist-edge[check]'"
        )


def find_label_errors(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> list[LabelError]:
    """The labels, int64 (N,), that out-of-fold probabilities, float32 (N, classes), contradict;
    the least probable label first. ImportError without cleanlab: see `check_installed`."""
    from cleanlab.count import num_label_issues
    from cleanlab.rank import get_self_confidence_for_each_label

    count = num_label_issues(labels, probabilities)
    ranked = np.argsort(get_self_confidence_for_each_label(labels, probabilities), kind="stable")
    return [_error(int(at), labels, probabilities) for at in ranked[:count]]


def _error(at: int, labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> LabelError:
    label, best = int(labels[at]), int(probabilities[at].argmax())
    return LabelError(
        position=at,
        label=label,
        suggestion=best,
        label_probability=float(probabilities[at, label]),
        suggestion_probability=float(probabilities[at, best]),
    )
