"""Where a digit's strokes fade: lines that go on from its ink, too faint to be taken for ink."""

import numpy as np

from mnist_edge.preprocess.components import Mask, box_slices, dilate, group_components
from mnist_edge.preprocess.foreground import Plane, extreme_filter, opacity
from mnist_edge.preprocess.mnist_format import stroke_width

_MIN_STRENGTH, _MIN_STRENGTH_RATIO = 12.0, 0.07  # grey values; of full ink
_MIN_NOISES = 4.0  # times the paper's noise
_MIN_LENGTH = 0.12  # of the digit's longer side: what is shorter is a smudge
_MAX_INK = 1.5  # times the digit's own ink
_OPACITY_WINDOW = 9  # pixels of the view
_EDGE_SHARE = 0.8  # of a line that touch the ink make it a soft edge (of faded ones 0.05 to 0.76)
_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


def find_faded_strokes(strength: Plane, mask: Mask, full: float, noise: float) -> Mask:
    """Ink (H, W) in which the strokes of a `mask` go on fainter. `strength` and `noise` are those
    of an `Ink`, `full` the strength of full ink.

    A line is stronger than what lies on both of its sides, which a shadow, and the blurred edge of
    a stroke, are not. The edge of a bar that is thinner than most strokes is, but it touches the
    bar all along. None is set where a line runs out of the view: it is a rule of the paper.
    """
    nothing = np.zeros_like(mask)
    least = max(_MIN_STRENGTH, _MIN_STRENGTH_RATIO * full, _MIN_NOISES * noise)
    reach = max(2, round(stroke_width(np.where(mask, np.uint8(255), np.uint8(0)))))
    near = mask
    for _ in range(2 + reach // 2):
        near = dilate(near)
    long = _MIN_LENGTH * max(mask[box_slices(mask)].shape)
    parts = group_components((_ridge(strength, reach) > least) & ~mask, 1)
    if not len(parts):
        return nothing
    joined = np.zeros(len(parts), bool)
    joined[np.unique(parts.labels[near & (parts.labels >= 0)])] = True
    outside = np.bincount(parts.labels[(parts.labels >= 0) & ~dilate(mask)], minlength=len(parts))
    chosen = joined & (np.maximum(parts.height, parts.width) >= long)
    chosen &= outside > (1 - _EDGE_SHARE) * parts.area
    if (joined & parts.at_edge).any() or parts.area[chosen].sum() > _MAX_INK * np.count_nonzero(
        mask
    ):
        return nothing
    return parts.mask_of(chosen)


def faded_opacity(strength: Plane, fading: Mask, noise: float) -> Plane:
    """How full faded ink is: 1 where it is as strong as the strongest of it near by."""
    full = extreme_filter(np.where(fading, strength, np.float32(0)), _OPACITY_WINDOW, np.maximum)
    full_or_1 = np.maximum(full, np.float32(1))
    return np.where(full > 0, opacity(strength, full_or_1, noise), np.float32(0))


def _ridge(strength: Plane, reach: int) -> Plane:
    """By how much each pixel is stronger than those at `reach` on both sides, along that of four
    directions in which it is most."""
    padded = np.pad(strength, reach, mode="edge")
    height, width = strength.shape
    best = np.zeros_like(strength)
    for down, right in _DIRECTIONS:
        step = round(reach / np.hypot(down, right))
        one, other = (
            padded[reach + at * down :, reach + at * right :][:height, :width]
            for at in (-step, step)
        )
        np.maximum(best, strength - np.maximum(one, other), out=best)
    return best
