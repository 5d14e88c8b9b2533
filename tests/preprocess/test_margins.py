"""What fills a picture from a side on, and what only touches it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge.preprocess.components import connected_components
from mnist_edge.preprocess.margins import find_margins, is_corner, runs_through

SIDE = 100


def field(*boxes: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """A mask with these boxes set: top, bottom, left, right."""
    mask = np.zeros((SIDE, SIDE), bool)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


MARGINS = {
    "a side": field((0, 100, 0, 9)),
    "two sides": field((0, 100, 0, 9), (0, 12, 0, 100)),
    "three sides": field((0, 100, 0, 9), (0, 12, 0, 100), (0, 100, 92, 100)),
    "all around": field((0, 100, 0, 9), (0, 12, 0, 100), (0, 100, 92, 100), (95, 100, 0, 100)),
}
STROKES = {
    "a bar through": field((0, 100, 40, 52)),
    "a one beside the edge": field((0, 100, 1, 9)),
}


@pytest.mark.parametrize("kind", MARGINS)
def test_what_covers_a_side_is_a_margin(kind: str) -> None:
    mask = MARGINS[kind] | field((40, 60, 40, 45))
    np.testing.assert_array_equal(find_margins(connected_components(mask)), MARGINS[kind])


@pytest.mark.parametrize("kind", ["a bar through", "a one beside the edge"])
def test_what_touches_a_side_is_none(kind: str) -> None:
    assert not find_margins(connected_components(STROKES[kind])).any()


def test_a_wedge_in_a_corner_and_a_seven() -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    assert is_corner(connected_components(rows + columns < 40), 0)
    slanting = field((0, 12, 0, 100)) | (np.abs(rows * 0.5 + columns - 95) < 7)
    assert not is_corner(connected_components(slanting), 0)


def test_what_runs_from_edge_to_edge() -> None:
    assert runs_through(connected_components(STROKES["a bar through"]), 0)
    assert not runs_through(connected_components(field((0, 60, 40, 50))), 0)
