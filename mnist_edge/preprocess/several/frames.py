"""Printed frames around digits: the squares of a form, tables, combs, taken out of a mask."""

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess.components import Mask, connected_components

_MAX_SLOPE = 0.18  # the slope of a level side
_MIN_COVERED = 0.92  # of a side is ink
_MAX_THICKNESS = 0.075  # of the shorter side: lines are thinner, strokes thicker
_MAX_OUTSIDE = 0.12  # of the ink may lie outside: digits that stick out
_BINS = 40  # along a side
_MIN_SIDE = 0.04  # of the picture's longer side
_MAX_ROUNDS = 3  # frames within frames

Points = NDArray[np.float64]


def remove_frames(mask: Mask) -> Mask:
    """A mask (H, W) without the rectangles and lattices in it, turned by up to 10° or seen at a
    slant.

    Strokes that touch or cross a line stay, and so does the part of the line that they cross.
    """
    for _ in range(_MAX_ROUNDS):
        parts = connected_components(mask)
        side = _MIN_SIDE * max(mask.shape)
        large = np.flatnonzero(
            (parts.width > side)
            & (parts.height > side)
            & (parts.area < 0.5 * parts.width * parts.height)
        )
        lines = np.zeros_like(mask)
        for at in large:
            window = (
                slice(parts.top[at], parts.bottom[at]),
                slice(parts.left[at], parts.right[at]),
            )
            own = parts.labels[window] == at
            y, x = np.nonzero(own)
            corners = _frame_corners(x, y)
            if corners is not None:
                lines[window] |= _frame_lines(own, x, y, corners)
        if not lines.any():
            return mask
        mask = mask & ~lines
    return mask


def _frame_corners(x: NDArray[np.int64], y: NDArray[np.int64]) -> Points | None:
    """The corners (4, 2) of a frame, clockwise from the upper left; None for what is none."""
    ends = [int(key.argmin()) for key in (x + y, y - x, -x - y, x - y)]
    corners = np.stack([x[ends], y[ends]], axis=1).astype(np.float64)
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    if lengths.min() < 8 or min(lengths[0], lengths[2]) < 0.7 * max(lengths[0], lengths[2]):
        return None
    if min(lengths[1], lengths[3]) < 0.7 * max(lengths[1], lengths[3]):
        return None
    if max(abs(sides[0, 1] / lengths[0]), abs(sides[1, 0] / lengths[1])) > _MAX_SLOPE:
        return None
    least = float(lengths.min())
    rim = max(2.0, 0.03 * least)
    covered, outside = [], np.zeros(len(x), bool)
    for corner, side, length in zip(corners, sides, lengths, strict=True):
        across = (x - corner[0]) * side[1] - (y - corner[1]) * side[0]
        near = np.abs(across) < rim * length
        outside |= across > rim * length
        along = ((x[near] - corner[0]) * side[0] + (y[near] - corner[1]) * side[1]) / length**2
        bins = (along.clip(0, 1) * (_BINS - 0.01)).astype(int)
        share = np.count_nonzero(np.bincount(bins, minlength=_BINS)) / _BINS
        inner = (-across > _MAX_THICKNESS * least * length) & (
            -across < 2 * _MAX_THICKNESS * least * length
        )
        filled = np.count_nonzero(inner) / (_MAX_THICKNESS * least * length)
        covered.append(share if filled < 0.3 else 0.0)
    # Three sides make a frame: combs are open at the top.
    # Round digits have ink outside of the corners' rectangle.
    is_frame = sorted(covered)[1] > _MIN_COVERED and outside.mean() < _MAX_OUTSIDE
    return corners if is_frame else None


def _frame_lines(own: Mask, x: NDArray[np.int64], y: NDArray[np.int64], corners: Points) -> Mask:
    """The pixels of a frame's lines: all that run from side to side, of it and its cells."""
    along, down = _rectify_points(x, y, corners)
    level, upright = _lies_on_band(down, along), _lies_on_band(along, down)
    rest = np.zeros_like(own)
    free = ~level & ~upright
    rest[y[free], x[free]] = True
    thick = 2 + round(2 * max(_thickness(down[level]), _thickness(along[upright])))
    crossed = _lies_between(rest, thick) | _lies_between(rest.T, thick).T
    found: Mask = own & ~rest & ~crossed
    return found


def _rectify_points(
    x: NDArray[np.int64], y: NDArray[np.int64], corners: Points
) -> tuple[Points, Points]:
    """Where points lie on a frame seen from above: the projection that makes it a rectangle."""
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    width, height = (lengths[0] + lengths[2]) / 2, (lengths[1] + lengths[3]) / 2
    wanted = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
    rows, values = [], []
    for (u, v), (a, b) in zip(corners, wanted, strict=True):
        rows += [[u, v, 1, 0, 0, 0, -a * u, -a * v], [0, 0, 0, u, v, 1, -b * u, -b * v]]
        values += [a, b]
    matrix = np.append(np.linalg.solve(np.array(rows), np.array(values)), 1).reshape(3, 3)
    along, down, depth = matrix @ np.stack([x, y, np.ones(len(x))])
    return along / depth, down / depth


def _lies_on_band(position: Points, along: Points) -> NDArray[np.bool_]:
    """Which points lie on a line: at a position where more than half of the length is covered."""
    rows = np.floor(position - position.min()).astype(int)
    columns = np.floor((along - along.min()) / 2).astype(int)
    covered = np.zeros((rows.max() + 1, columns.max() + 1), bool)
    covered[rows, columns] = True
    near = covered.copy()  # the neighbours too: a line is not quite straight
    for step in (1, 2):
        near[step:] |= covered[:-step]
        near[:-step] |= covered[step:]
    line = near.mean(axis=1) > 0.6
    wider = line.copy()
    for step in (1, 2):
        wider[step:] |= line[:-step]
        wider[:-step] |= line[step:]
    return np.asarray(wider[rows], np.bool_)


def _thickness(position: Points) -> float:
    """The mean width of bands at which points lie."""
    if not len(position):
        return 0.0
    used = np.unique(np.floor(position).astype(int))
    return len(used) / (1 + int((np.diff(used) > 1).sum()))


def _lies_between(rest: Mask, reach: int) -> Mask:
    """What has ink of a mask both above and below, within so many rows and one column."""
    near = rest.copy()
    near[:, 1:] |= rest[:, :-1]
    near[:, :-1] |= rest[:, 1:]
    above, below = np.zeros_like(rest), np.zeros_like(rest)
    for step in range(1, min(reach, len(rest) - 1) + 1):
        above[step:] |= near[:-step]
        below[:-step] |= near[step:]
    both: Mask = above & below
    return both
