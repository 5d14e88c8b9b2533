"""scikit-learn's 1,797 handwritten UCI digits, 8×8, made to look like MNIST. No download."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_edge.datasets.base import Dataset, Split
from mnist_edge.errors import MissingExtraError
from mnist_edge.preprocess import centre
from mnist_edge.types import Progress

# The digits stand in the order of 14 forms, about 128 digits each, that were filled in one after
# the other with the same text: the first eleven train, the last three test, so that no form is in
# both.
_TRAINING_IMAGES = 1415


def load(data_dir: Path | None = None, progress: Progress | None = None) -> Dataset:
    """The data set `digits`, which is in no folder. MissingExtraError without scikit-learn."""
    pixels, labels = _pixels_and_labels()
    grey = np.round(pixels * (255 / 16)).astype(np.uint8)
    images = np.stack([centre(digit) for digit in grey])
    train, test = slice(None, _TRAINING_IMAGES), slice(_TRAINING_IMAGES, None)
    return Dataset(
        "digits",
        tuple("0123456789"),
        Split(images[train], labels[train]),
        Split(images[test], labels[test]),
        "scikit-learn",
    )


def load_if_here(data_dir: Path | None = None) -> Dataset | None:
    """The same, but None without scikit-learn."""
    try:
        return load()
    except MissingExtraError:
        return None


def _pixels_and_labels() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(1797, 8, 8), from 0 to 16, and 1797 labels.

    Out of scikit-learn's own file, a row of 64 pixels and a label for each digit: to import
    scikit-learn takes 2 seconds of CPU time, a quarter of what a short training takes.
    """
    try:
        spec = find_spec("sklearn")
    except (ImportError, ValueError):  # what stands in its place is no package
        spec = None
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            "the digits come with scikit-learn: pip install 'mnist-edge[train]'"
        )
    file = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if file.is_file():
        rows = np.loadtxt(file, delimiter=",")
        return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images, bunch.target.astype(np.int64)
