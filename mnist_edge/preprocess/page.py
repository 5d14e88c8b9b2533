"""The sheet, card, screen or frame that a digit stands on, cut out of what lies around it.

The idea: split the picture in two greys, and take a large component of either, with its holes, for
a sheet if it is four-cornered, has some ink inside but hardly any on its rim, and what lies around
it is of another grey. Each test refuses something else that is large: a fat digit has no four
corners, the lit half of a page is crossed by a stroke or has nothing on it, and the paper inside of
a 0 is as light as what is around. How the numbers below were found is not recorded (see
`preprocess`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnist_edge.preprocess.components import Components, Mask, connected_components, dilate
from mnist_edge.preprocess.foreground import Plane, otsu, reduce_plane

_COARSE_SIDE = 128  # the longer side at which sheets are looked for
_MAX_SHEETS = 3
_MIN_CONTRAST = 24.0  # grey values between a sheet and what lies around it
_MIN_AREA = 0.12  # of the picture
_MIN_INK = 0.003  # of a sheet, at least, is ink
_MIN_BOX_FILL = 0.65  # a page turned by 12° fills as much of its box, a triangle half
_MAX_RIM_INK = 0.02  # of a sheet's rim may be ink: what is written stands within it
_MAX_SURROUNDINGS_ALIKE = 0.4  # of what is around a sheet may be as light as it
_MIN_SQUARENESS = 0.88  # how well a sheet fits its own corners


@dataclass(frozen=True, slots=True)
class Sheet:
    """A part of a picture: `grey` float32 (H, W), its corner at (`left`, `top`) of the whole."""

    grey: Plane
    left: int
    top: int


def find_sheets(grey: Plane) -> list[Sheet]:
    """The sheets of a picture (H, W), each within the next, and at last the picture itself.

    A page on a table, a canvas in a window, a figure in its frame. What lies outside a sheet's
    slanting edges is filled with the grey of the edge.
    """
    sheets = [Sheet(grey, 0, 0)]
    for _ in range(_MAX_SHEETS):
        inner = _inner_sheet(sheets[0].grey)
        if inner is None:
            break
        left, top = sheets[0].left + inner.left, sheets[0].top + inner.top
        sheets.insert(0, Sheet(inner.grey, left, top))
    return sheets


def _inner_sheet(grey: Plane) -> Sheet | None:
    coarse = reduce_plane(grey, _COARSE_SIDE)
    threshold, contrast = otsu(coarse)
    if contrast < _MIN_CONTRAST:
        return None
    found: tuple[int, Mask] | None = None
    for mask in (coarse > threshold, coarse <= threshold):
        parts = connected_components(mask)
        for at in np.flatnonzero(parts.area > _MIN_AREA * 0.5 * mask.size):
            area, filled = _measure_sheet(parts, int(at), coarse)
            if area and (found is None or area > found[0]):
                found = area, filled
    return None if found is None else _cut_out(grey, found[1])


def is_sheet(parts: Components, at: int) -> bool:
    """Whether a component is a sheet with something on it, rather than a stroke."""
    full = parts.area[at] > 0.4 * parts.height[at] * parts.width[at]
    return bool(full and _measure_sheet(parts, at)[0])


def _measure_sheet(parts: Components, at: int, grey: Plane | None = None) -> tuple[int, Mask]:
    """The area of a component with its holes, in pixels, and that mask; 0 when it is no sheet.

    Ink that is nearer to the sheet's grey than to its surroundings' is looked for in `grey`.
    """
    part = parts.labels == at
    filled = fill_between(part)
    area = int(filled.sum())
    height, width = part.shape
    high, wide = int(parts.height[at]), int(parts.width[at])
    inside = ~dilate(dilate(~filled))
    rim = inside & dilate(dilate(~inside))
    outside = ~filled
    alike = float((outside & (parts.labels >= 0)).sum()) / max(1, int(outside.sum()))
    crossed = float((rim & ~part).sum()) / max(1, int(rim.sum()))
    written = float((inside & ~part).sum()) / max(1, int(inside.sum()))
    if grey is not None and written <= _MIN_INK and inside.any():
        threshold, contrast = otsu(grey[inside])
        if contrast >= _MIN_CONTRAST:
            darker = float((grey[inside] <= threshold).mean())
            written = min(darker, 1 - darker)
    roomy = min(high, wide) > 0.45 * max(height, width) and min(high, wide) > 0.5 * max(high, wide)
    free_sides = (
        int(parts.top[at] > 0)
        + int(parts.left[at] > 0)
        + int(parts.bottom[at] < height)
        + int(parts.right[at] < width)
    )
    square = (
        free_sides > 0
        and area > _MIN_AREA * part.size
        and area > _MIN_BOX_FILL * high * wide
        and min(high, wide) > 0.3 * max(high, wide)
        and (_MIN_INK < written < 0.4 or (written <= _MIN_INK and roomy and area > 0.3 * part.size))
        and alike < _MAX_SURROUNDINGS_ALIKE
        and crossed < _MAX_RIM_INK
        and _squareness(filled) > _MIN_SQUARENESS
    )
    return (area if square else 0), filled


def fill_between(part: Mask) -> Mask:
    """A component with what lies between its pixels both along its row and along its column."""
    rows = np.logical_or.accumulate(part, 1) & np.logical_or.accumulate(part[:, ::-1], 1)[:, ::-1]
    columns = np.logical_or.accumulate(part, 0) & np.logical_or.accumulate(part[::-1], 0)[::-1]
    both: Mask = rows & columns
    return both


def polygon_overlap(corners: NDArray[np.number], filled: Mask) -> float:
    """How well the polygon between corners (4, 2) fits a mask: intersection over union."""
    drawn = Image.new("1", filled.shape[::-1])
    points = [(float(x), float(y)) for x, y in corners]
    ImageDraw.Draw(drawn).polygon(points, fill=1, outline=1)
    ideal = np.asarray(drawn)
    return float((ideal & filled).sum() / (ideal | filled).sum())


def _squareness(filled: Mask) -> float:
    """How well a mask is covered by the quadrilateral of its extreme points along the diagonals,
    as intersection over union: nearly 1 for a sheet, turned or not, 0.64 for a disc."""
    y, x = np.nonzero(filled)
    corners = [int(np.argmax(key)) for key in (-x - y, x - y, x + y, y - x)]
    return polygon_overlap(np.stack([x[corners], y[corners]], axis=1), filled)


def _cut_out(grey: Plane, filled: Mask) -> Sheet:
    """The sheet's part of a picture, what is beside its edges replaced by their grey."""
    scale_y, scale_x = grey.shape[0] / filled.shape[0], grey.shape[1] / filled.shape[1]
    used = np.flatnonzero(filled.any(axis=1))
    rim = max(1, round(0.02 * max(filled.shape)))
    first = filled[used].argmax(axis=1) + _rim_width(filled[:, 0], used, rim)
    last = filled.shape[1] - 1 - filled[used, ::-1].argmax(axis=1)
    last = last - _rim_width(filled[:, -1], used, rim)
    top = used[0] + (rim if used[0] > 0 else 0)
    bottom = used[-1] + 1 - (rim if used[-1] + 1 < filled.shape[0] else 0)
    rows = np.arange(round(top * scale_y), max(round(bottom * scale_y), round(top * scale_y) + 1))
    at = (rows + 0.5) / scale_y - 0.5
    lows = np.interp(at, used, first) * scale_x
    highs = np.maximum(np.interp(at, used, last) * scale_x, lows)
    left, right = int(lows.min()), min(grey.shape[1], int(np.ceil(highs.max())) + 1)
    columns = np.arange(left, right)
    index = np.clip(columns, np.ceil(lows)[:, None], np.floor(highs)[:, None]).astype(int)
    index = index.clip(0, grey.shape[1] - 1)
    return Sheet(np.take_along_axis(grey[rows], index, axis=1), left, int(rows[0]))


def _rim_width(edge: NDArray[np.bool_], used: NDArray[np.int64], rim: int) -> NDArray[np.int64]:
    """How far to stay away from a sheet's edge in each row: not where the picture ends there."""
    return np.where(edge[used], 0, rim)
