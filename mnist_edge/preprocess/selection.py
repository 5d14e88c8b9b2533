"""Which components of the ink are a digit, and which are not: by place, size and shape."""

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess.components import Components, Mask
from mnist_edge.preprocess.page import is_sheet

# What is left of a component's plausibility when it touches so many edges of the view.
_EDGE_FACTORS = np.array([1.0, 0.3, 0.08, 0.03, 0.02])
_OFF_CENTRE_LOSS = 0.3  # of it are lost in a corner
NO_STROKE = 0.01  # plausibility of a frame, or of a sheet
_BLOCK_FILL = 0.75  # of a box is more than strokes fill
_CIRCLE_ASPECT, _MIN_HEIGHT_IN_CIRCLE = 0.8, 0.35  # widths to a height; of a circle's height
_MIN_AREA_AT_EDGE = 0.5  # of the digit's area, where it touches no edge
_MIN_AREA_AT_ITS_EDGE = 0.1  # and where it touches one itself
_MIN_STRENGTH_RATIO = 0.7  # of the digit's mean strength


def plausibility(parts: Components) -> NDArray[np.float64]:
    """How plausible each component is as the digit, by its place: 0..1."""
    height, width = parts.labels.shape
    free: NDArray[np.float64] = _EDGE_FACTORS[parts.edge_count]
    y = (parts.top + parts.bottom) / height - 1
    x = (parts.left + parts.right) / width - 1
    free = free * (1 - _OFF_CENTRE_LOSS * np.minimum(1, np.hypot(x, y)))
    for at in np.flatnonzero(np.maximum(parts.height, parts.width) > 0.3 * max(height, width)):
        if _is_frame(parts, int(at)) or is_sheet(parts, int(at)):
            free[at] = NO_STROKE
        else:  # a dash in a 0 is no freer than the 0
            inner = _enclosed(parts, int(at))
            free[inner] = np.minimum(free[inner], free[at])
    return free


def cluster(parts: Components, main: int, mass: NDArray[np.number]) -> NDArray[np.bool_]:
    """Which components belong to the digit: the main one, and what lies near enough to it.

    `mass` (count,) is the strength of their ink, summed: what comes in from an edge of the view
    and is fainter than the digit is none of it.
    """
    chosen = np.zeros(len(parts), bool)
    chosen[main] = True
    side = max(parts.height[main], parts.width[main])
    relative = parts.area / parts.area[main]
    reach = np.where(relative >= 0.1, 0.25, np.where(relative >= 0.02, 0.08, 0.02)) * side
    larger = np.maximum(parts.height, parts.width) > 1.2 * side
    fainter = mass / parts.area < _MIN_STRENGTH_RATIO * mass[main] / parts.area[main]
    at_edge = parts.at_edge
    least = (
        _MIN_AREA_AT_ITS_EDGE if at_edge[main] else _MIN_AREA_AT_EDGE
    )  # a tight crop has all pieces at its edges
    reach[at_edge & ((relative < least) | larger | fainter)] = -1
    reach[[bool(large) and _is_frame(parts, at) for at, large in enumerate(larger)]] = -1
    reach[relative < 0.002] = -1
    while True:
        box = parts.box(chosen)
        across = np.maximum(parts.left - box[2], box[0] - parts.right)
        along = np.maximum(parts.top - box[3], box[1] - parts.bottom)
        near = np.maximum(np.maximum(across, along), 0) <= reach
        if not (near & ~chosen).any():
            return chosen
        chosen |= near


def is_block(parts: Components, at: int) -> bool:
    """Whether a component all but fills a box that is no 1's: the canvas, and not what is on it."""
    high, wide = int(parts.height[at]), int(parts.width[at])
    return bool(
        parts.area[at] > _BLOCK_FILL * high * wide and min(high, wide) > 0.5 * max(high, wide)
    )


def _is_frame(parts: Components, at: int) -> bool:
    """Whether a component is drawn around another one, of some size, and along its box."""
    top, left, bottom, right = (
        int(edge[at]) for edge in (parts.top, parts.left, parts.bottom, parts.right)
    )
    high, wide = max(2, (bottom - top) // 8), max(2, (right - left) // 8)
    inside = (
        (parts.top > top)
        & (parts.left > left)
        & (parts.bottom < bottom)
        & (parts.right < right)
        & (parts.height > (bottom - top) // 5)
        & (parts.area > 0.05 * parts.area[at])
    )
    if not inside.any():
        return False
    part = parts.labels[top:bottom, left:right] == at
    if part[high:-high, wide:-wide].sum() >= 0.1 * parts.area[at]:
        return False
    corners = [part[y, x].any() for y in (slice(high), slice(-high, None))
               for x in (slice(wide), slice(-wide, None))]  # fmt: skip
    if sum(corners) >= 3:
        return True
    # A circle around a digit; a 0 is narrower, and a dash or a dot in it is small.
    filled = parts.height[inside].max() > _MIN_HEIGHT_IN_CIRCLE * (bottom - top)
    return bool(filled and right - left > _CIRCLE_ASPECT * (bottom - top))


def _enclosed(parts: Components, ring: int) -> Mask:
    """Which components (count,) have ink of another one above, below, and on both sides."""
    y, x = (parts.top + parts.bottom) // 2, (parts.left + parts.right) // 2
    top, left = parts.top[ring], parts.left[ring]
    found: Mask = (parts.top > top) & (parts.left > left)
    found &= (parts.bottom < parts.bottom[ring]) & (parts.right < parts.right[ring])
    part = parts.labels == ring
    for at in np.flatnonzero(found):
        row, column = part[y[at]], part[:, x[at]]
        found[at] = all(
            side.any() for side in (row[: x[at]], row[x[at] :], column[: y[at]], column[y[at] :])
        )
    return found
