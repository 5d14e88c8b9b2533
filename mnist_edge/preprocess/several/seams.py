"""Where a piece of ink may be cut: paths from its top to its bottom on which there is little of it.

Shortest paths through the grey values, which may bend by 45° (Wang and Jean 1994, "Segmentation of
merged characters by neural networks and shortest path"), one through each local minimum. The pieces
of a row are searched together: line by line in NumPy, one alone costs as much as fifty.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess.foreground import Plane

_MIN_CUT_DISTANCE = 0.12  # of a digit's height
_MIN_PART_WIDTH = 0.1
_MAX_CUT_INK = 0.6  # on a cut, of a digit's height
_BEND_COST = 0.06  # what a step aside costs a cut, in pixels of full ink
_PIXEL_COST = 0.02  # and a pixel of paper
_MAX_PIXELS_AT_ONCE = 1 << 22  # pixels


@dataclass(frozen=True, slots=True)
class Seams:
    """Cuts of a piece (h, w), from left to right: their `columns` int64 (h, n) in each line, and
    `costs` (n,), the ink on each in pixels."""

    columns: NDArray[np.int64]
    costs: list[float]


def find_seams(pieces: Sequence[Plane], high: float) -> list[Seams]:
    """The seams of pieces (h, w) of ink 0..1, in which a digit is about `high` pixels high."""
    order = sorted(range(len(pieces)), key=lambda at: pieces[at].shape)
    found: dict[int, Seams] = {}
    start = 0
    while start < len(order):
        end, widest = start, 0
        while end < len(order):
            widest = max(widest, pieces[order[end]].shape[1])
            size = (end - start + 1) * widest * len(pieces[order[end]])
            if end > start and size > _MAX_PIXELS_AT_ONCE:
                break
            end += 1
        some = order[start:end]
        found |= zip(some, _find_together([pieces[at] for at in some], high), strict=True)
        start = end
    return [found[at] for at in range(len(pieces))]


def _find_together(pieces: Sequence[Plane], high: float) -> list[Seams]:
    middles = [len(piece) // 2 for piece in pieces]
    down, steps_down = _shortest_paths(
        [piece[: at + 1] for piece, at in zip(pieces, middles, strict=True)]
    )
    up, steps_up = _shortest_paths(
        [piece[at:][::-1] for piece, at in zip(pieces, middles, strict=True)]
    )
    seams = []
    for at, (piece, middle) in enumerate(zip(pieces, middles, strict=True)):
        height, width = piece.shape
        back = height - 1 - middle
        total = down[middle, at, :width] + up[back, at, :width]
        total = total - piece[middle] - _PIXEL_COST * height
        taken = _local_minima(total, high)
        upper = _trace_paths(steps_down[:, at], middle, taken)
        lower = _trace_paths(steps_up[:, at], back, taken)
        columns = np.concatenate([upper, lower[::-1][1:]])
        seams.append(Seams(columns, [max(0.0, float(total[x])) for x in taken]))
    return seams


def _local_minima(total: Plane, high: float) -> NDArray[np.int64]:
    """The columns of the middle line through which a cut goes."""
    least, nearest = _MIN_PART_WIDTH * high, _MIN_CUT_DISTANCE * high
    free = np.arange(len(total), dtype=np.float64)
    allowed = (free >= least) & (free < len(total) - least) & ~(total > _MAX_CUT_INK * high)
    taken: list[int] = []
    for x in np.argsort(total, kind="stable"):
        if allowed[x]:
            taken.append(int(x))
            allowed &= ~(np.abs(free - x) < nearest)
    return np.array(sorted(taken), np.int64)


def _shortest_paths(pieces: Sequence[Plane]) -> tuple[Plane, NDArray[np.int8]]:
    """The least ink on a path from the first line of each piece to each pixel, (H, N, W), and the
    step that leads there. What lies beside a piece, or below, means nothing."""
    shape = max(map(len, pieces)), len(pieces), max(piece.shape[1] for piece in pieces)
    cost = np.full(shape, np.inf, np.float32)
    for at, piece in enumerate(pieces):
        cost[: len(piece), at, : piece.shape[1]] = piece
    steps = np.zeros(shape, np.int8)
    cost[0] += np.float32(_PIXEL_COST)
    left, right = np.full(shape[1:], np.inf, np.float32), np.full(shape[1:], np.inf, np.float32)
    for row in range(1, len(cost)):
        before = cost[row - 1]
        left[:, 1:] = before[:, :-1] + np.float32(_BEND_COST)
        right[:, :-1] = before[:, 1:] + np.float32(_BEND_COST)
        least = np.minimum(before, np.minimum(left, right))
        aside = np.where(left <= right, np.int8(-1), np.int8(1))
        steps[row] = np.where(before <= least, np.int8(0), aside)
        cost[row] = least + cost[row] + np.float32(_PIXEL_COST)
    return cost, steps


def _trace_paths(
    steps: NDArray[np.int8], row: int, columns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The columns (row + 1, n) of the paths that end in a line at `columns`, from the first line
    on."""
    paths = np.empty((row + 1, len(columns)), np.int64)
    for at in range(row, -1, -1):
        paths[at] = columns
        columns = columns + steps[at, columns]
    return paths
