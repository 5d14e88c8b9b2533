"""Cuts of pieces that are searched together, against a search of each alone, pixel by pixel."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge.preprocess.several.seams import find_seams

Plane = NDArray[np.float32]
HIGH = 40.0


def blots(count: int) -> list[Plane]:
    """Pieces of many sizes: two heaps of ink side by side that touch."""
    random = np.random.default_rng(count)
    pieces = []
    for _ in range(count):
        height, width = random.integers(20, 60), random.integers(24, 90)
        y, x = np.mgrid[:height, :width]
        ink = np.exp(-(((x - width / 4) / 9) ** 2)) + np.exp(-(((x - width * 3 / 4) / 9) ** 2))
        ink = ink + 0.2 * random.random((height, width)) + 0 * y
        pieces.append(ink.clip(0, 1).astype(np.float32))
    return pieces


def least(piece: Plane, x: int) -> float:
    """The cost of the cheapest path through (middle, x), by plain recursion line by line."""

    def half(lines: Plane) -> float:
        cost = [float(lines[0, at]) + 0.02 if at == x else np.inf for at in range(lines.shape[1])]
        for line in lines[1:]:
            sides = [np.inf, *cost, np.inf]
            cost = [
                min(sides[at + 1], sides[at] + 0.06, sides[at + 2] + 0.06) + float(line[at]) + 0.02
                for at in range(len(line))
            ]
        return min(cost)

    middle = len(piece) // 2
    both = half(piece[middle::-1]) + half(piece[middle:])
    return both - float(piece[middle, x]) - 0.02 * len(piece)


@pytest.mark.parametrize("count", [1, 7])
def test_a_seam_is_the_cheapest_path_through_its_place(count: int) -> None:
    found = find_seams(blots(count), HIGH)
    assert sum(len(seams.costs) for seams in found) >= count
    for piece, seams in zip(blots(count), found, strict=True):
        assert seams.columns.shape == (len(piece), len(seams.costs))
        assert np.abs(np.diff(seams.columns, axis=0)).max(initial=0) <= 1
        middle = len(piece) // 2
        for at, cost in enumerate(seams.costs):
            x = int(seams.columns[middle, at])
            assert cost == pytest.approx(max(0.0, least(piece, x)), abs=1e-3)
            path = piece[np.arange(len(piece)), seams.columns[:, at]].sum()
            bends = 0.06 * np.abs(np.diff(seams.columns[:, at])).sum()
            assert path + bends == pytest.approx(cost, abs=0.03)


def test_pieces_are_cut_together_as_alone() -> None:
    pieces = blots(9)
    for piece, seams in zip(pieces, find_seams(pieces, HIGH), strict=True):
        (alone,) = find_seams([piece], HIGH)
        np.testing.assert_array_equal(seams.columns, alone.columns)
        assert seams.costs == alone.costs


def test_cuts_keep_their_distance() -> None:
    for seams in find_seams(blots(5), HIGH):
        middle = seams.columns[len(seams.columns) // 2]
        assert (np.diff(middle) >= 0.12 * HIGH).all()
