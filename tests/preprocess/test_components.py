"""Connected components against scipy's, which were written by others."""

import numpy as np
import pytest
from scipy import ndimage

from mnist_edge.preprocess.components import Mask, connected_components, dilate, group_components

_EIGHT = np.ones((3, 3), int)


def _random_mask(seed: int) -> Mask:
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 40, 2))
    mask: Mask = random.random(shape) < random.choice([0.05, 0.3, 0.5, 0.7, 0.95])
    return mask


@pytest.mark.parametrize("seed", range(40))
def test_components_are_scipys(seed: int) -> None:
    mask = _random_mask(seed)
    found = connected_components(mask)
    expected, count = ndimage.label(mask, _EIGHT)
    assert len(found) == count
    assert np.array_equal(found.labels + 1, expected)  # both in reading order
    assert found.labels.dtype == np.int32
    assert np.array_equal(found.area, np.bincount(expected.ravel(), minlength=count + 1)[1:])
    for at, (rows, columns) in enumerate(ndimage.find_objects(expected)):
        box = (found.top[at], found.bottom[at], found.left[at], found.right[at])
        assert box == (rows.start, rows.stop, columns.start, columns.stop)


def test_a_spiral_is_one_component() -> None:
    """Labels that meet late: what a union by rows gets wrong when it stops too early."""
    mask = np.zeros((33, 33), bool)
    y = x = 16
    for turn, length in enumerate(sorted(2 * list(range(2, 32, 2)))):
        for _ in range(length):
            y, x = y + (0, 1, 0, -1)[turn % 4], x + (1, 0, -1, 0)[turn % 4]
            if 0 <= y < 33 and 0 <= x < 33:
                mask[y, x] = True
    assert len(connected_components(mask)) == ndimage.label(mask, _EIGHT)[1] == 1
    assert connected_components(mask).area[0] == mask.sum()


@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (0, 4), (4, 0)])
def test_an_empty_mask_has_none(shape: tuple[int, int]) -> None:
    found = connected_components(np.zeros(shape, bool))
    assert len(found) == 0
    assert found.labels.shape == shape
    assert (found.labels == -1).all()


@pytest.mark.parametrize("seed", range(10))
def test_growing_is_scipys_dilation(seed: int) -> None:
    mask = _random_mask(seed)
    assert np.array_equal(dilate(mask), ndimage.binary_dilation(mask, _EIGHT))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("reach", [0, 1, 2])
def test_groups_are_the_components_of_the_grown_mask(seed: int, reach: int) -> None:
    mask = _random_mask(seed)
    found = group_components(mask, reach)
    near = ndimage.binary_dilation(mask, _EIGHT, reach) if reach else mask
    expected, count = ndimage.label(near, _EIGHT)
    assert len(found) == count
    assert np.array_equal(found.labels + 1, expected * mask)
    assert found.area.sum() == mask.sum()


def test_only_chosen_components_stay() -> None:
    mask = np.zeros((4, 9), bool)
    mask[1:3, 1:3] = mask[1:3, 5:8] = True
    found = connected_components(mask)
    assert np.array_equal(
        found.mask_of(np.array([False, True])), np.where(np.arange(9) > 4, mask, 0)
    )
    assert (found.height == 2).all()
    assert found.width.tolist() == [2, 3]
