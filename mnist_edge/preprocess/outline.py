"""What the outline of a component tells: whether it is a stroke on paper, or a change of light."""

import numpy as np

from mnist_edge.preprocess.components import Mask, box_slices, dilate
from mnist_edge.preprocess.foreground import Plane, extreme_filter

_MIN_STEP = 0.35  # of full ink: less is no edge
_PAPER_DISTANCE = 4  # pixels beside an outline, where a blurred edge has ended
_HALF_STEP = 0.5  # of the step from a stroke to its paper
_MIN_INSIDE = 12  # pixels of the view: less has no inside
_EVEN_STRENGTH = 0.65  # of what is full ink


def edge_share(grey: Plane, mask: Mask, full: float, reach: int) -> float:
    """The part of a mask's outline that is an edge in the picture too, within `reach` pixels."""
    part, values = box_slices(mask, 4), grey
    mask, values = mask[part], values[part]
    outline = dilate(mask) & ~mask
    steps = _local_range(values, 2 * reach + 1)
    return float((steps[outline] > _MIN_STEP * full).mean()) if outline.any() else 0.0


def paper_share(grey: Plane, mask: Mask, full: float, light: bool, scale: float) -> float:
    """The part of what lies beside a component that is paper, as much lighter or darker than the
    ink next to it as there is a step at all: 0..1.

    Paper is on both sides of a stroke. Where light changes, only one side of what is taken for ink
    differs from it, and a slope has no sides. `scale` is the view's: enlarged edges are wider.
    """
    beside = max(_PAPER_DISTANCE, round(scale))
    window = box_slices(mask, 2 * beside + 4)
    mask, values = mask[window], grey[window]
    inner = mask
    for _ in range(beside - 1):
        inner = dilate(inner)
    ring = dilate(inner) & ~inner
    if not ring.any():
        return 1.0
    size = 2 * (beside + 3) + 1
    count = _box_sums(mask.astype(np.float32), size)
    near = _box_sums(np.where(mask, values, 0), size) / np.maximum(count, 1)
    step = near - values if light else values - near
    wanted = np.minimum(full, _local_range(values, size))
    seen = (step > _HALF_STEP * wanted) & (wanted > _MIN_STEP * full * _HALF_STEP)
    return float(seen[ring & (count > 0)].mean())


def surroundings_contrast(grey: Plane, mask: Mask, full: float, light: bool) -> float:
    """How much a component differs from what lies around its box, in the ink's direction: 0..1.

    The paper inside a loop looks like ink of the other polarity; but it is as light as the paper
    around the digit.
    """
    around = box_slices(mask, max(6, max(mask[box_slices(mask)].shape) // 2))
    outside = np.ones(mask.shape, bool)
    outside[box_slices(mask, 4)] = False
    surroundings = grey[around][outside[around]]
    if surroundings.size < 0.05 * mask.size:
        return 1.0
    step = float(np.median(grey[mask])) - float(np.median(surroundings))
    return float(np.clip((step if light else -step) / (_MIN_STEP * full), 0, 1))


def evenness(soft: Plane, mask: Mask, full: float) -> float:
    """The part of the inside of a component, away from its outline, that is as strong as ink.

    What a shadow's edge leaves is strong in one place and weak in another; a stroke is even.
    """
    inside = ~dilate(~mask)
    if inside.sum() < _MIN_INSIDE:
        return 1.0
    return float((soft[inside] > _EVEN_STRENGTH * full).mean())


def _local_range(values: Plane, size: int) -> Plane:
    """How far values differ within a square of `size` (odd) around each pixel."""
    return extreme_filter(values, size, np.maximum) - extreme_filter(values, size, np.minimum)


def _box_sums(values: Plane, size: int) -> Plane:
    """The sum of what lies in a square of `size` (odd) around each pixel."""
    half = size // 2
    total = np.pad(values.astype(np.float64), ((half + 1, half), (half + 1, half)))
    total = total.cumsum(axis=0).cumsum(axis=1)
    inside = total[size:, size:] - total[:-size, size:] - total[size:, :-size]
    return np.asarray(inside + total[:-size, :-size], np.float32)
