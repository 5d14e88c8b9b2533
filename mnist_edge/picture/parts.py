"""Which components of the ink are a digit, and which are not: by place, size and shape."""

import numpy as np
from numpy.typing import NDArray

from mnist_edge.picture.components import Components, Mask
from mnist_edge.picture.sheet import is_sheet

# What is left of a component's plausibility when it touches so many edges of the view.
_AT_EDGES = np.array([1.0, 0.3, 0.08, 0.03, 0.02])
_OFF_CENTRE = 0.3  # of it are lost in a corner
NO_STROKE = 0.01  # plausibility of a frame, or of a sheet
_BLOCK = 0.75  # of a box is more than strokes fill
_FAINTER = 0.7  # of the digit's mean strength


def plausible(parts: Components) -> NDArray[np.float64]:
    """How plausible each component is as the digit, by its place: 0..1."""
    height, width = parts.labels.shape
    edges = np.sum(_edges(parts), axis=0)
    free: NDArray[np.float64] = _AT_EDGES[edges]
    y = (parts.top + parts.bottom) / height - 1
    x = (parts.left + parts.right) / width - 1
    free = free * (1 - _OFF_CENTRE * np.minimum(1, np.hypot(x, y)))
    for at in np.flatnonzero(np.maximum(parts.height, parts.width) > 0.3 * max(height, width)):
        if _is_frame(parts, int(at)) or is_sheet(parts, int(at)):
            free[at] = NO_STROKE
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
    fainter = mass / parts.area < _FAINTER * mass[main] / parts.area[main]
    reach[np.any(_edges(parts), axis=0) & ((relative < 0.5) | larger | fainter)] = -1
    reach[[bool(large) and _is_frame(parts, at) for at, large in enumerate(larger)]] = -1
    reach[relative < 0.002] = -1
    while True:
        box = (
            parts.left[chosen].min(),
            parts.top[chosen].min(),
            parts.right[chosen].max(),
            parts.bottom[chosen].max(),
        )
        across = np.maximum(parts.left - box[2], box[0] - parts.right)
        along = np.maximum(parts.top - box[3], box[1] - parts.bottom)
        near = np.maximum(np.maximum(across, along), 0) <= reach
        if not (near & ~chosen).any():
            return chosen
        chosen |= near


def is_block(parts: Components, at: int) -> bool:
    """Whether a component all but fills a box that is no 1's: the canvas, and not what is on it."""
    high, wide = int(parts.height[at]), int(parts.width[at])
    return bool(parts.area[at] > _BLOCK * high * wide and min(high, wide) > 0.5 * max(high, wide))


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
    inner = parts.labels[top + high : bottom - high, left + wide : right - wide] == at
    return bool(inner.sum() < 0.1 * parts.area[at])


def _edges(parts: Components) -> list[Mask]:
    """Which components touch the upper, left, lower and right edge."""
    height, width = parts.labels.shape
    return [parts.top == 0, parts.left == 0, parts.bottom == height, parts.right == width]
