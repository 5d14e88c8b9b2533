"""The strokes of a page with several digits: its ink, looked at where the digits are and as close
as they need, without the lines, frames and specks that are no digits.

The idea: on a page of digits most ink is in digits, so the height of which half of the ink is in
higher components is a digit's. What is far higher, smaller or fainter than that is none. A first
look at the whole page finds that height, a second one is taken where digits are about 72 pixels
high, and the levels are set again by their own strength. How the numbers below were found is not
recorded (see `preprocess`).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess.components import Components, group_components
from mnist_edge.preprocess.foreground import Ink, find_ink, lightness
from mnist_edge.preprocess.outline import edge_share
from mnist_edge.preprocess.page import Sheet
from mnist_edge.preprocess.ruled_lines import remove_ruled_lines
from mnist_edge.preprocess.several.frames import remove_frames
from mnist_edge.preprocess.view import Box, View, resample

DIGIT_HEIGHT = 72  # pixels of the second look to the height of a digit
_MIN_VIEW, _MAX_VIEW = 480, 1280  # the longer side of the first
_MAX_CLOSE_VIEW = 3200  # the longer side of the second
_MAX_SCALE = 6.0
_MIN_STRENGTH = 10.0  # grey values
_EDGE_REACH = 3  # pixels on both sides of an outline, in which its edge is
_SURE_LIGHTNESS = 3.0  # of the polarity
_CLEAR_QUALITY = 0.8  # quality enough not to look for a better
_MIN_STROKE_WIDTH = 0.055  # of the longer side, as `find_ink` sees it


@dataclass(frozen=True, slots=True)
class Strokes:
    """The ink of a view and its components, of which `digits` (count,) marks those that may be
    digits or parts of them. A digit is about `high` pixels high; its ink is about `full`."""

    view: View
    ink: Ink
    parts: Components
    digits: NDArray[np.bool_]
    high: float
    full: float
    quality: float

    @property
    def count(self) -> int:
        """How many components are as high as a digit."""
        return int((self.digits & (self.parts.height > 0.5 * self.high)).sum())


def find_strokes(sheet: Sheet) -> Strokes | None:
    """The strokes of a sheet, every digit some 72 pixels high; None when it is blank."""
    height, width = sheet.grey.shape
    longest = max(height, width)
    scale = float(np.clip(longest, _MIN_VIEW, _MAX_VIEW)) / longest
    first = _clearest_strokes(_view_of_sheet(sheet, (0, 0, width, height), min(scale, _MAX_SCALE)))
    if first is None or not first.count:
        return None
    box, scale = _closer_view(first, sheet)
    second = _strokes_of_view(
        _view_of_sheet(sheet, box, scale), first.ink.light, DIGIT_HEIGHT * 0.5
    )
    return second if second and second.count else first


def _view_of_sheet(sheet: Sheet, box: Box, scale: float) -> View:
    view = resample(sheet.grey, box, scale)
    return replace(view, left=sheet.left + view.left, top=sheet.top + view.top)


def _closer_view(found: Strokes, sheet: Sheet) -> tuple[Box, float]:
    """The part of a sheet where the digits are, and the scale at which they are `DIGIT_HEIGHT`."""
    parts, scale = found.parts, found.view.scale
    chosen = found.digits & (parts.height > 0.25 * found.high)
    margin = 0.6 * found.high
    edges = (
        int((parts.left[chosen].min() - margin) / scale),
        int((parts.top[chosen].min() - margin) / scale),
        int((parts.right[chosen].max() + margin) / scale) + 1,
        int((parts.bottom[chosen].max() + margin) / scale) + 1,
    )
    height, width = sheet.grey.shape
    box = (max(0, edges[0]), max(0, edges[1]), min(width, edges[2]), min(height, edges[3]))
    most = _MAX_CLOSE_VIEW / max(box[2] - box[0], box[3] - box[1])
    return box, min(DIGIT_HEIGHT * scale / found.high, _MAX_SCALE, max(most, scale))


def _clearest_strokes(view: View) -> Strokes | None:
    """The strokes of a view, of either polarity where it is in doubt, the light as uneven as it
    must be."""
    sure = lightness(view.grey)
    best: Strokes | None = None
    shape = view.grey.shape
    for part in (0.33, 0.12):
        for light in [sure > 0] if abs(sure) > _SURE_LIGHTNESS else [sure > 0, sure <= 0]:
            found = _strokes_of_view(view, light, part * min(shape))
            if found and (best is None or found.quality > best.quality + 0.05):
                best = found
        if best and best.quality > _CLEAR_QUALITY:
            break
    return best


def _strokes_of_view(view: View, light: bool, widest: float) -> Strokes | None:
    """The strokes of a view; they are at most `widest` pixels wide."""
    grey = view.grey
    ink = find_ink(grey, light, max(_MIN_STROKE_WIDTH, widest / max(grey.shape)))
    least = max(_MIN_STRENGTH, 4 * ink.noise)
    strongest = float(np.partition(ink.strength.ravel(), -20)[-20])
    if strongest < least:
        return None
    found = _select_digits(view, ink, max(least, 0.25 * strongest))
    if found is None:
        return None
    if _runs_across(found.parts):
        strength = remove_ruled_lines(ink.strength, least)
        ink = Ink(strength, ink.noise, ink.light)
    return _select_digits(view, ink, max(least, 0.35 * found.full))


def _runs_across(parts: Components) -> bool:
    height, width = parts.labels.shape
    return bool(((parts.width >= 0.95 * width) | (parts.height >= 0.95 * height)).any())


def _select_digits(view: View, ink: Ink, level: float) -> Strokes | None:
    """The components above a level, and which of them may be digits."""
    mask = remove_frames(ink.strength > level)
    reach = 2 if max(mask.shape) > 700 else 1
    parts = group_components(mask, reach)
    if not len(parts):
        return None
    inked = parts.labels >= 0
    mass = np.bincount(parts.labels[inked], ink.strength[inked].astype(np.float64), len(parts))
    free = ~_is_border(parts) & ~_is_ground(parts)
    if not free.any():
        return None
    high = _usual_height(parts, np.where(free, mass, 0.0))
    digits = free & (parts.height < 2.2 * high) & (parts.area > 0.003 * high * high)
    digits &= (parts.height > 0.08 * high) | (parts.width > 0.08 * high)
    if not digits.any():
        return None
    inside = np.append(digits, False)[parts.labels]
    full = float(np.percentile(ink.strength[inside], 75))
    mean = mass / np.maximum(parts.area, 1)
    digits &= mean > 0.3 * full
    share = float(mass[digits].sum() / mass.sum())
    quality = share * edge_share(view.grey, parts.mask_of(digits), full, _EDGE_REACH)
    return Strokes(view, ink, parts, digits, high, full, quality)


def _is_border(parts: Components) -> NDArray[np.bool_]:
    """What lies along an edge of the picture, or in its corner: no digit that was cut off."""
    height, width = parts.labels.shape
    upright = (parts.left == 0) | (parts.right == width)
    level = (parts.top == 0) | (parts.bottom == height)
    border = upright & (parts.height > 0.7 * height) & (parts.height > 1.5 * parts.width)
    border |= level & (parts.width > 0.5 * width) & (parts.width > 1.5 * parts.height)
    border |= upright & level & (np.maximum(parts.width / width, parts.height / height) > 0.3)
    # A number that fills its picture touches its edges: what is as high may well be a digit.
    alone = len(parts) == 1 or bool(border.all())
    return np.zeros(len(parts), bool) if alone else border


def _is_ground(parts: Components) -> NDArray[np.bool_]:
    """What is filled and large: a sheet on a dark table, when its paper is taken for ink."""
    height, width = parts.labels.shape
    large = (parts.height > 0.3 * height) & (parts.width > 0.3 * width)
    both: NDArray[np.bool_] = large & (parts.area > 0.66 * parts.height * parts.width)
    return both


def _usual_height(parts: Components, mass: NDArray[np.float64]) -> float:
    """The height of a digit: half of the ink is in components that are higher."""
    order = np.argsort(parts.height)
    shares = np.cumsum(mass[order])
    return float(parts.height[order][np.searchsorted(shares, 0.5 * shares[-1])])
