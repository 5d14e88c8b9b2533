"""What lies along the edges of a picture and is no ink: a scanner's lid, a desk, dark corners."""

import numpy as np

from mnist_edge.preprocess.components import Components, Mask, dilate

_MIN_COVERED = 0.95  # of a side of the picture, at least, lies under a margin
_MIN_FROM_SIDES = 0.95  # of a margin is reached from the sides straight on
_MAX_CORNER_AREA = 0.35  # less is a corner's; a digit that fills its picture is more


def find_margins(parts: Components) -> Mask:
    """Which pixels (H, W) belong to margins: components that fill the picture from a whole side
    of it on. Strokes that touch a side leave it; what covers it all comes from outside."""
    found = np.zeros(parts.labels.shape, bool)
    for at in np.flatnonzero(_lies_in_corner(parts)):
        part = parts.labels == at
        sides = part[0], part[-1], part[:, 0], part[:, -1]
        if max(float(side.mean()) for side in sides) > _MIN_COVERED and _fills_from_sides(part):
            found |= part
    return found


def is_corner(parts: Components, at: int) -> bool:
    """Whether a component fills a corner of the picture, and leaves its sides nowhere."""
    part = parts.labels == at
    small = parts.area[at] < _MAX_CORNER_AREA * part.size
    return bool(small and _lies_in_corner(parts)[at] and _fills_from_sides(part))


def runs_through(parts: Components, at: int) -> bool:
    """Whether a component runs from one edge of the picture to the opposite one."""
    height, width = parts.labels.shape
    return bool(parts.height[at] == height or parts.width[at] == width)


def _lies_in_corner(parts: Components) -> Mask:
    """Which components (count,) lie in a corner of the picture."""
    corners = parts.labels[[0, 0, -1, -1], [0, -1, 0, -1]]
    found = np.zeros(len(parts), bool)
    found[corners[corners >= 0]] = True
    return found


def _fills_from_sides(part: Mask) -> bool:
    """Whether all of a component, grains aside, is reached from a side without leaving it, no
    deeper than it is long on that side: a stroke that ends at a side is longer."""
    part = ~dilate(~dilate(part))
    reached = np.zeros_like(part)
    for inwards, runs in (
        (part, reached),
        (part[::-1], reached[::-1]),
        (part.T, reached.T),
        (part[:, ::-1].T, reached[:, ::-1].T),
    ):
        depth = int(inwards[0].sum())
        runs[:depth] |= np.logical_and.accumulate(inwards[:depth], axis=0)
    return bool(reached[part].mean() > _MIN_FROM_SIDES)
