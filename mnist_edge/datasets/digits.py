"""scikit-learn's 1,797 handwritten UCI digits, 8×8, made to look like MNIST. No download."""

import numpy as np

from mnist_edge.datasets.base import Dataset, Split
from mnist_edge.errors import MissingExtraError
from mnist_edge.picture import centre

# The digits stand in the order of 14 forms, about 128 digits each, that were filled in one after
# the other with the same text: the first eleven train, the last three test, so that no form is in
# both.
_TRAINING_IMAGES = 1415


def load() -> Dataset:
    """The data set `digits`. MissingExtraError without scikit-learn."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError(
            "the digits come with scikit-learn: pip install 'mnist-edge[train]'"
        ) from error
    bunch = load_digits()
    grey = np.round(bunch.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8), from 0..16
    images = np.stack([centre(digit) for digit in grey])
    labels = bunch.target.astype(np.int64)
    train, test = slice(None, _TRAINING_IMAGES), slice(_TRAINING_IMAGES, None)
    return Dataset(
        "digits",
        tuple("0123456789"),
        Split(images[train], labels[train]),
        Split(images[test], labels[test]),
        "scikit-learn",
    )
