"""Pages on which there is no digit are read as all zeros."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge import picture
from mnist_edge.picture.find import find_digit
from tests.picture.drawing import bytes_of, not_yet


def blank(kind: str) -> NDArray[np.float64]:
    random, shape = np.random.default_rng(0), (90, 120)
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    dust = np.full(shape, 200.0)
    dust[[7, 40, 80], [90, 50, 11]] = 100
    kinds = {
        "white": np.full(shape, 255.0),
        "black": np.zeros(shape),
        "grey": np.full(shape, 99.0),
        "noise": random.normal(128, 6, shape),
        "rough noise": random.normal(128, 20, (300, 400)),
        "any noise": random.uniform(0, 255, shape),
        "gradient": 140 + 80 * x,
        "slant": 140 + 50 * x - 50 * y,
        "speck": np.where((x == x[0, 50]) & (y == y[30, 0]), 100.0, 200.0),
        "dust": dust,
        "lamp": 200 - 60 * np.hypot(x, y) ** 2,
    }
    return np.asarray(kinds[kind], np.float64)


BLANK = ["white", "black", "grey", "noise", "any noise", "gradient", "slant", "speck", "dust"]


@pytest.mark.parametrize(
    "kind",
    [
        *BLANK,
        "rough noise",
        pytest.param("lamp", marks=not_yet("the edge of the light is taken for ink")),
    ],
)
@pytest.mark.filterwarnings("error")  # numpy's, of means of nothing
def test_blank_pages_hold_nothing(kind: str) -> None:
    shown = bytes_of(blank(kind))

    assert find_digit(shown.astype(np.float32)) is None
    for pixels in (shown, 255 - shown, np.stack([shown] * 3, axis=-1)):
        found = picture.digit(pixels)
        assert found.shape == (28, 28)
        assert not found.any()
