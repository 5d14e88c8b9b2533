"""A sheet that lies turned on a table, cut out and set upright."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_edge.preprocess.components import Mask, connected_components, dilate
from mnist_edge.preprocess.foreground import Plane, otsu, reduce_plane
from mnist_edge.preprocess.page import fill_between, polygon_overlap

Corners = NDArray[np.float64]  # (4, 2): x, y, clockwise

_COARSE_SIDE = 128  # the longer side at which it is looked for
_MAX_SIDE = 2048  # of what is set upright: more would cost memory, and tell no more
_MIN_CONTRAST = 24.0  # grey values between the sheet and the table
_MIN_AREA = 0.15  # of the picture
_MIN_SQUARENESS = 0.93  # of sheet and rectangle together is both; of round digits it is less
_MAX_COSINE = 0.2  # cosine of the sheet's corners
_MIN_ASPECT = 0.45  # of the longer side the shorter one is, at least: a fat 1 is narrower
_RIM_WIDTH = 0.03  # of the sheet's sides, along its edges, is left out
_MAX_RIM_INK = 0.05  # of the rim may be ink: what is written stands within
_INK_RANGE = (0.003, 0.4)  # of a sheet is ink


def rectify_sheet(grey: Plane) -> Plane | None:
    """The sheet of a picture (H, W), turned by some 4 to 45°, float32 without the table around it.

    It may touch all edges of the picture. None where there is none. A tight crop of a digit is
    none, however fat: its outline is no rectangle, or nothing is written within it.
    """
    coarse = reduce_plane(grey, _COARSE_SIDE)
    threshold, contrast = otsu(coarse)
    if contrast < _MIN_CONTRAST:
        return None
    for mask in (coarse > threshold, coarse <= threshold):
        corners = _sheet_corners(mask)
        if corners is not None:
            fine = reduce_plane(grey, _MAX_SIDE)
            ratio = fine.shape[1] / coarse.shape[1], fine.shape[0] / coarse.shape[0]
            return _rectify(fine, (corners + 0.5) * ratio)
    return None


def _sheet_corners(mask: Mask) -> Corners | None:
    """The corners of the sheet that the greatest component of a mask is, from its upper left one
    on. None if that is no sheet."""
    parts = connected_components(mask)
    if not len(parts):
        return None
    filled = fill_between(parts.labels == int(parts.area.argmax()))
    if filled.mean() < _MIN_AREA:
        return None
    corners = _extreme_points(filled)
    return corners if _is_rectangle(corners, filled) and _is_written(mask, filled) else None


def _extreme_points(filled: Mask) -> Corners:
    """The middles of a mask's pixels on the left, upper, right and lower edge, beginning with the
    one that is the upper left corner of a sheet turned by less than 45°."""
    rows, columns = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
    left, right = (float(np.median(np.flatnonzero(filled[:, columns[x]]))) for x in (0, -1))
    upper, lower = (float(np.median(np.flatnonzero(filled[rows[y]]))) for y in (0, -1))
    found = np.array(
        [(columns[0], left), (upper, rows[0]), (columns[-1], right), (lower, rows[-1])], float
    )
    along = found[2] - found[1]
    return np.roll(found, -1, axis=0) if along[1] < along[0] else found


def _is_rectangle(corners: Corners, filled: Mask) -> bool:
    """Whether a mask is all but the rectangle between four corners, and that not too slender."""
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(*sides.T)
    if lengths.min() < _MIN_ASPECT * lengths.max():
        return False
    cosines = (sides * np.roll(sides, 1, axis=0)).sum(axis=1) / lengths / np.roll(lengths, 1)
    if np.abs(cosines).max() > _MAX_COSINE:
        return False
    return polygon_overlap(corners, filled) > _MIN_SQUARENESS


def _is_written(mask: Mask, filled: Mask) -> bool:
    """Whether there is ink on a sheet, and not on its edges."""
    inside = ~dilate(dilate(~filled))
    rim = inside & dilate(dilate(~inside))
    if not rim.any():
        return False
    written = float((inside & ~mask).sum() / inside.sum())
    crossed = float((rim & ~mask).sum() / rim.sum())
    return _INK_RANGE[0] < written < _INK_RANGE[1] and crossed < _MAX_RIM_INK


def _rectify(grey: Plane, corners: Corners) -> Plane:
    """What lies between four corners of a picture, a little within them, as a rectangle."""
    one, two, three, four = corners
    wide, high = (
        round(float(np.hypot(*(one - two)) + np.hypot(*(three - four))) / 2),
        round(float(np.hypot(*(two - three)) + np.hypot(*(four - one))) / 2),
    )

    def within(x: float, y: float) -> Corners:
        upper, lower = one + x * (two - one), four + x * (three - four)
        found: Corners = upper + y * (lower - upper)
        return found

    low, most = _RIM_WIDTH, 1 - _RIM_WIDTH
    quad = [within(x, y) for x, y in ((low, low), (low, most), (most, most), (most, low))]
    size = max(1, round(wide * (1 - 2 * _RIM_WIDTH))), max(1, round(high * (1 - 2 * _RIM_WIDTH)))
    data = tuple(float(value) for corner in quad for value in corner)
    turned = Image.fromarray(grey).transform(
        size, Image.Transform.QUAD, data, Image.Resampling.BICUBIC
    )
    return np.asarray(turned, np.float32)
