"""Which components are a digit: by place, frames and nearness; on masks made by hand."""

import numpy as np
import pytest

from mnist_edge.preprocess.components import Components, Mask, connected_components
from mnist_edge.preprocess.selection import cluster, is_block, plausibility

SIDE = 100


def blocks(*boxes: tuple[int, int, int, int]) -> Components:
    """Components that fill these boxes (left, top, right, bottom), in reading order."""
    mask = np.zeros((SIDE, SIDE), bool)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = True
    found = connected_components(mask)
    assert len(found) == len(boxes)
    return found


def ring(margin: int, thickness: int = 3) -> Mask:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[margin : SIDE - margin, margin : SIDE - margin] = True
    mask[
        margin + thickness : SIDE - margin - thickness, margin + thickness : -margin - thickness
    ] = 0
    return mask


# Plausible


def test_the_middle_is_most_plausible() -> None:
    found = plausibility(blocks((5, 5, 15, 15), (30, 20, 40, 30), (45, 45, 55, 55)))

    assert found[2] == pytest.approx(1)
    assert found[0] < found[1] < found[2]
    assert found[0] > 0.6  # a corner is no crime


def test_each_touched_edge_makes_it_less_plausible() -> None:
    arms = [(48, 0, 52, 60), (48, 40, 52, 100), (0, 48, 60, 52), (40, 48, 100, 52)]
    mask = np.zeros((SIDE, SIDE), bool)
    mask[40:60, 40:60] = True
    found = [float(plausibility(connected_components(mask))[0])]
    for left, top, right, bottom in arms:
        mask[top:bottom, left:right] = True
        found.append(float(plausibility(connected_components(mask))[0]))

    assert sorted(found, reverse=True) == found
    assert len(set(found)) == 5
    assert found[1] < 0.4
    assert found[-1] > 0


@pytest.mark.parametrize("margin", [2, 10, 20])
def test_a_frame_around_something_is_no_stroke(margin: int) -> None:
    mask = ring(margin)
    mask[40:60, 45:55] = True
    parts = connected_components(mask)

    found = plausibility(parts)

    assert found[0] < 0.05 < found[1]


def test_a_ring_around_nothing_is_a_zero() -> None:
    assert plausibility(connected_components(ring(20)))[0] > 0.5


def test_a_zero_with_a_dot_is_no_frame() -> None:
    mask = ring(20, 10)
    mask[49:52, 49:52] = True
    assert plausibility(connected_components(mask))[0] > 0.5


def test_a_card_with_something_on_it_is_no_stroke() -> None:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[15:85, 10:90] = True
    mask[40:60, 40:60] = False

    assert plausibility(connected_components(mask))[0] < 0.05


def test_a_canvas_is_a_block_and_strokes_are_none() -> None:
    canvas = np.zeros((SIDE, SIDE), bool)
    canvas[5:95, 3:97] = True
    canvas[30:70, 45:55] = False
    assert is_block(connected_components(canvas), 0)
    assert not is_block(connected_components(ring(20, 12)), 0)
    assert not is_block(blocks((0, 30, 100, 60)), 0)  # a fat 1


# Cluster


def chosen(parts: Components, main: int, *strengths: float) -> list[bool]:
    mass = parts.area * np.array(strengths or 100.0)
    return [bool(flag) for flag in cluster(parts, main, mass)]


def test_what_comes_in_from_an_edge_belongs_if_it_is_as_strong() -> None:
    parts = blocks((40, 60, 80, 80), (45, 83, 85, 100))  # the second reaches the right edge
    assert chosen(parts, 0, 100, 90) == [True, True]
    assert chosen(parts, 0, 100, 50) == [True, False]
    inside = blocks((40, 60, 80, 80), (45, 83, 85, 99))
    assert chosen(inside, 0, 100, 50) == [True, True]


@pytest.mark.parametrize(("bottom", "belongs"), [(SIDE, True), (95, False)])
def test_a_piece_at_an_edge_belongs_to_a_digit_that_is_at_one_too(
    bottom: int, belongs: bool
) -> None:
    parts = blocks((30, 70, bottom, 90), (45, 92, 65, SIDE))
    assert chosen(parts, 0) == [True, belongs]


def test_main_is_always_chosen() -> None:
    parts = blocks((0, 0, 10, 10), (80, 80, 100, 100))
    assert chosen(parts, 0) == [True, False]
    assert chosen(parts, 1) == [False, True]


@pytest.mark.parametrize(("gap", "near"), [(2, True), (9, True), (12, False), (30, False)])
def test_large_pieces_join_within_a_quarter_of_the_side(gap: int, near: bool) -> None:
    parts = blocks((40, 10, 60, 50), (40, 50 + gap, 60, 58 + gap))
    assert chosen(parts, 0) == [True, near]


@pytest.mark.parametrize(("size", "reach"), [(6, 3), (2, 0)])
def test_smaller_pieces_must_be_nearer(size: int, reach: int) -> None:
    for gap in (1, 2, 3, 4, 6):
        parts = blocks((40, 10, 60, 50), (40, 50 + gap, 40 + size, 50 + gap + size))
        assert chosen(parts, 0)[1] == (gap <= reach), gap


def test_nearness_is_passed_on() -> None:
    parts = blocks((40, 10, 60, 40), (40, 45, 60, 55), (40, 60, 60, 70), (40, 90, 60, 95))
    assert chosen(parts, 0) == [True, True, True, False]


def test_what_runs_out_of_the_picture_does_not_join() -> None:
    parts = blocks((40, 60, 60, 90), (55, 92, 75, 100))
    assert chosen(parts, 0) == [True, False]


def test_a_frame_does_not_join_what_it_surrounds() -> None:
    mask = ring(20)
    mask[26:74, 40:60] = True
    assert chosen(connected_components(mask), 1) == [False, True]
