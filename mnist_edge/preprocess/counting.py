"""How many digits there are in a picture in which one is looked for."""

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess.components import Components
from mnist_edge.preprocess.selection import NO_STROKE, cluster, is_block, plausibility

_MIN_HEIGHT_RATIO = 0.55  # of another digit's height a digit has at least
_MIN_STRENGTH_RATIO = 0.6  # and of its mean strength
_MIN_STROKE_RATIO = 0.45  # and of the width of its strokes
_MAX_ASPECT = 1.7  # widths to a height
_WHOLE_HEIGHT = 0.8  # of its digit's height a part has that is a digit by itself
_MIN_STROKE_AREA = 0.15  # of the largest one's area: less is a dot, or a part
_MAX_PIECES = 4  # of much the same height are more than one digit breaks into
_MAX_SLENDERNESS = 2.4  # heights to a width of one digit but a 1, whose pieces are as slender
_MAX_OVERLAP = 0.2  # of the narrower one may lie above or below the other


def count_digits(
    parts: Components, main: int, chosen: NDArray[np.bool_], mass: NDArray[np.number]
) -> int:
    """How many components of ink are digits, or groups of them: at least 1, the `main` one.

    `chosen` (count,) belongs to that; `mass` (count,) is the strength of the ink, summed. Another
    digit is about as high, as strong and as fat; specks, lines, frames and crumbs are none.
    """
    count = _count_in_group(parts, chosen)
    left = ~chosen & _similar(parts, main, mass)
    if left.any():
        pens = _stroke_widths(parts)
        left &= (pens > _MIN_STROKE_RATIO * pens[main]) & (pens < pens[main] / _MIN_STROKE_RATIO)
        left &= plausibility(parts) > NO_STROKE
    while left.any():
        at = int(np.argmax(np.where(left, parts.area, 0)))
        group = cluster(parts, at, mass) & ~chosen
        group[at] = True
        count += _count_in_group(parts, group)
        left &= ~group
    return count


def _similar(parts: Components, main: int, mass: NDArray[np.number]) -> NDArray[np.bool_]:
    """Which components (count,) are about as high and as strong as the main one."""
    high = float(parts.height[main])
    strength = mass / np.maximum(parts.area, 1)
    blocks = np.array([is_block(parts, at) for at in range(len(parts))], bool)
    found: NDArray[np.bool_] = (
        (parts.height > _MIN_HEIGHT_RATIO * high)
        & (parts.height < high / _MIN_HEIGHT_RATIO)
        & (parts.width < _MAX_ASPECT * parts.height)
        & (strength > _MIN_STRENGTH_RATIO * strength[main])
        & (strength < strength[main] / _MIN_STRENGTH_RATIO)
        & (parts.edge_count < 2)
        & ~blocks
    )
    return found


def _stroke_widths(parts: Components) -> NDArray[np.float64]:
    """The mean width of the strokes of components (count,): twice area over outline."""
    inside = parts.labels
    outline = np.zeros(len(parts))
    for one, other in ((inside[1:], inside[:-1]), (inside[:, 1:], inside[:, :-1])):
        differ = one != other
        for side in (one, other):
            edge = side[differ & (side >= 0)]
            outline += np.bincount(edge, minlength=len(parts))
    return 2 * parts.area / np.maximum(outline * (np.pi / 4), 1)


def _count_in_group(parts: Components, group: NDArray[np.bool_]) -> int:
    """How many digits a group of components is: the pieces of one, or as many as there are large
    ones, if those are too many, or form too high a pile, or stand side by side as high as it."""
    members = np.flatnonzero(group)
    high = int(parts.bottom[members].max() - parts.top[members].min())
    wide = int(parts.right[members].max() - parts.left[members].min())
    strokes = members[parts.area[members] > _MIN_STROKE_AREA * parts.area[members].max()]
    usual = float(np.median(parts.height[strokes]))  # two that touch count for one
    large = strokes[parts.height[strokes] > _MIN_HEIGHT_RATIO * usual]
    bars = parts.height[large] > _MAX_SLENDERNESS * parts.width[large]
    piled = high > _MAX_SLENDERNESS * wide and not bars.all()
    if len(large) >= _MAX_PIECES or (len(large) > 1 and piled):
        return len(large)
    whole = large[parts.height[large] > _WHOLE_HEIGHT * high]
    count, before = 0, -1
    for at in (int(at) for at in whole[np.argsort(parts.left[whole])]):
        narrower = min(parts.width[at], parts.width[before])
        if before < 0 or parts.right[before] - parts.left[at] <= _MAX_OVERLAP * narrower:
            count, before = count + 1, at
    return max(1, count)
