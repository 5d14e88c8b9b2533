"""Digits that are drawn where no data set is at hand."""

import numpy as np
import pytest
from scipy import ndimage

from mnist_edge.preprocess import render_digits


def test_drawn_digits_stand_in_for_images() -> None:
    images = render_digits(30, seed=1)

    assert (images.shape, images.dtype) == ((30, 28, 28), np.dtype(np.uint8))
    assert all(image.max() > 128 for image in images)
    assert all(np.median(image) == 0 for image in images)
    assert len({image.tobytes() for image in images}) == 30
    assert render_digits(0).shape == (0, 28, 28)


def test_the_seed_decides() -> None:
    np.testing.assert_array_equal(render_digits(12, seed=1), render_digits(12, seed=1))
    np.testing.assert_array_equal(render_digits(12, seed=1), render_digits(40, seed=1)[:12])
    assert (render_digits(12, seed=1) != render_digits(12, seed=2)).any()


@pytest.mark.parametrize("seed", range(3))
def test_labels_go_round(seed: int) -> None:
    images = render_digits(40, seed=seed)
    holes = [ndimage.label(image < 100)[1] - 1 for image in images]
    assert np.median(holes[8::10]) == 2  # an 8 has two, a 0 has one, a 1 none
    assert np.median(holes[0::10]) == 1
    assert np.median(holes[1::10]) == 0
