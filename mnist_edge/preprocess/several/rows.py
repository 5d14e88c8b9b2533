"""Which strokes of a page stand on one line: its skew, and the rows."""

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess.several.strokes import Strokes

_NEAR_HEIGHTS = 0.25  # of a digit's height: centres that are as near lie on one line
_APART_HEIGHTS = 0.55  # and those farther than this do not


def group_rows(found: Strokes, most_skewed: float) -> list[NDArray[np.int64]]:
    """The components of each row, from the top; in a row from left to right.

    The page may be turned by up to `most_skewed` degrees. What is too small for a digit goes to
    the row in whose height it lies; outside of all it is dropped.
    """
    parts = found.parts
    x, y = (parts.left + parts.right) / 2, (parts.top + parts.bottom) / 2
    seeds = np.flatnonzero(found.digits & (parts.height > 0.5 * found.high))
    slope = _skew_slope(x[seeds], y[seeds], found.high, most_skewed)
    level = y - slope * x
    order = seeds[np.argsort(level[seeds])]
    starts = np.flatnonzero(np.diff(level[order]) > _APART_HEIGHTS * found.high) + 1
    rows = np.split(order, starts)
    small = np.flatnonzero(found.digits & (parts.height <= 0.5 * found.high))
    middles = np.array([level[row].mean() for row in rows])
    nearest = np.abs(level[small][:, None] - middles).argmin(axis=1)
    inside = np.abs(level[small] - middles[nearest]) < 0.65 * found.high
    joined = [np.concatenate([row, small[inside & (nearest == at)]]) for at, row in enumerate(rows)]
    return [row[np.argsort(x[row], kind="stable")] for row in joined]


def _skew_slope(
    x: NDArray[np.float64], y: NDArray[np.float64], high: float, most_skewed: float
) -> float:
    """The slope along which most pairs of centres lie on one line, nearest to level."""
    if len(x) < 2:
        return 0.0
    if len(x) > 400:
        x, y = x[:: len(x) // 200], y[:: len(y) // 200]
    across, down = x[:, None] - x, y[:, None] - y
    tried = np.tan(np.deg2rad(np.linspace(-most_skewed, most_skewed, 49)))
    tried = tried[np.argsort(np.abs(tried), kind="stable")]
    scores = [
        float(np.exp(-0.5 * np.square((down - slope * across) / (_NEAR_HEIGHTS * high))).sum())
        * (1 - 0.15 * abs(slope))
        for slope in tried
    ]
    return float(tried[int(np.argmax(scores))])
