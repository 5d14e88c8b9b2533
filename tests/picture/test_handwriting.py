"""Kinds of pictures of which the wrong thing was read: a dash inside a ring."""

import io

import numpy as np
from numpy.typing import NDArray

from mnist_edge import shipped
from mnist_edge.classifier import Classifier
from mnist_edge.picture import read_picture
from tests.difficult import handwriting
from tests.difficult.canvas import Picture

SEEDS = 20


def labels(pictures: list[Picture]) -> NDArray[np.int64]:
    model = Classifier(shipped.default())
    images = [read_picture(io.BytesIO(made.encoded())) for made in pictures]
    return model.predict(np.stack(images)).labels


def test_a_dash_in_a_zero_is_part_of_it() -> None:
    found = labels([handwriting.ring(np.random.default_rng([2, seed])) for seed in range(SEEDS)])
    assert np.mean(found == 0) >= 0.9
