"""How many digits there are in a picture in which one is looked for."""

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess.components import Components
from mnist_edge.preprocess.selection import NO_STROKE, cluster, is_block, plausible

_AS_HIGH = 0.55  # of another digit's height a digit has at least
_AS_STRONG = 0.6  # and of its mean strength
_AS_WIDE = 0.45  # and of the width of its strokes
_WIDEST = 1.7  # widths to a height
_WHOLE = 0.8  # of its digit's height a part has that is a digit by itself
_STROKE = 0.15  # of the largest one's area: less is a dot, or a part
_MOST_PIECES = 4  # of much the same height are more than one digit breaks into
_HIGHEST = 2.4  # heights to a width of one digit but a 1, whose pieces are as slender
_BESIDE = 0.2  # of the narrower one may lie above or below the other


def count_digits(
    parts: Components, main: int, chosen: NDArray[np.bool_], mass: NDArray[np.number]
) -> int:
    """How many components of ink are digits, or groups of them: at least 1, the `main` one.

    `chosen` (count,) belongs to that; `mass` (count,) is the strength of the ink, summed. Another
    digit is about as high, as strong and as fat; specks, lines, frames and crumbs are none.
    """
    count = _within(parts, chosen)
    left = ~chosen & _alike(parts, main, mass)
    if left.any():
        pens = _pens(parts)
        left &= (pens > _AS_WIDE * pens[main]) & (pens < pens[main] / _AS_WIDE)
        left &= plausible(parts) > NO_STROKE
    while left.any():
        at = int(np.argmax(np.where(left, parts.area, 0)))
        group = cluster(parts, at, mass) & ~chosen
        group[at] = True
        count += _within(parts, group)
        left &= ~group
    return count


def _alike(parts: Components, main: int, mass: NDArray[np.number]) -> NDArray[np.bool_]:
    """Which components (count,) are about as high and as strong as the main one."""
    height, width = parts.labels.shape
    high = float(parts.height[main])
    strength = mass / np.maximum(parts.area, 1)
    at_edges = (
        (parts.top == 0).astype(int)
        + (parts.left == 0)
        + (parts.bottom == height)
        + (parts.right == width)
    )
    blocks = np.array([is_block(parts, at) for at in range(len(parts))], bool)
    found: NDArray[np.bool_] = (
        (parts.height > _AS_HIGH * high)
        & (parts.height < high / _AS_HIGH)
        & (parts.width < _WIDEST * parts.height)
        & (strength > _AS_STRONG * strength[main])
        & (strength < strength[main] / _AS_STRONG)
        & (at_edges < 2)
        & ~blocks
    )
    return found


def _pens(parts: Components) -> NDArray[np.float64]:
    """The mean width of the strokes of components (count,): twice area over outline."""
    inside = parts.labels
    outline = np.zeros(len(parts))
    for one, other in ((inside[1:], inside[:-1]), (inside[:, 1:], inside[:, :-1])):
        differ = one != other
        for side in (one, other):
            edge = side[differ & (side >= 0)]
            outline += np.bincount(edge, minlength=len(parts))
    return 2 * parts.area / np.maximum(outline * (np.pi / 4), 1)


def _within(parts: Components, group: NDArray[np.bool_]) -> int:
    """How many digits a group of components is: the pieces of one, or as many as there are large
    ones, if those are too many, or form too high a pile, or stand side by side as high as it."""
    members = np.flatnonzero(group)
    high = int(parts.bottom[members].max() - parts.top[members].min())
    wide = int(parts.right[members].max() - parts.left[members].min())
    strokes = members[parts.area[members] > _STROKE * parts.area[members].max()]
    usual = float(np.median(parts.height[strokes]))  # two that touch count for one
    large = strokes[parts.height[strokes] > _AS_HIGH * usual]
    bars = parts.height[large] > _HIGHEST * parts.width[large]
    piled = high > _HIGHEST * wide and not bars.all()
    if len(large) >= _MOST_PIECES or (len(large) > 1 and piled):
        return len(large)
    whole = large[parts.height[large] > _WHOLE * high]
    count, before = 0, -1
    for at in (int(at) for at in whole[np.argsort(parts.left[whole])]):
        narrower = min(parts.width[at], parts.width[before])
        if before < 0 or parts.right[before] - parts.left[at] <= _BESIDE * narrower:
            count, before = count + 1, at
    return max(1, count)
