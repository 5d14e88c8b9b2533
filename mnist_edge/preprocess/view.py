"""Parts of a picture, at a size at which strokes are some pixels wide."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from mnist_edge.preprocess.foreground import Plane, Split, flat_lightness, otsu

Box = tuple[int, int, int, int]  # left, top, right, bottom: half-open

_MIN_VIEW, _MAX_VIEW = 112, 192  # the longer side of what is looked at
_MIN_SIDE = 4
_LARGE_ENOUGH = 72  # pixels of the view: a smaller digit is looked at again, closer


@dataclass(frozen=True)
class View:
    """A part of the picture, resampled: `scale` pixels of it to one of the picture."""

    grey: Plane
    left: int
    top: int
    scale: float

    def box_of(self, box: Box) -> tuple[float, float, float, float]:
        """Where a box of the view lies in the picture."""
        left, top, right, bottom = (edge / self.scale for edge in box)
        return self.left + left, self.top + top, self.left + right, self.top + bottom

    @cached_property
    def split(self) -> Split:
        """Otsu's, of its grey values."""
        return otsu(self.grey)

    @cached_property
    def flat_lightness(self) -> float:
        """`ink.flat_lightness` of it: how sure it is that ink is light, were it of two greys."""
        return flat_lightness(self.grey, self.split)

    @property
    def fine(self) -> bool:
        """Whether a pixel of the picture is fine enough here to be the width of a rule."""
        return self.scale < 2


def view_of(grey: Plane, box: Box) -> View:
    """A part of a picture (H, W) at a size between 112 and 192 pixels."""
    left, top, right, bottom = box
    longest = max(right - left, bottom - top)
    scale = float(np.clip(longest, _MIN_VIEW, _MAX_VIEW)) / longest
    return resample(grey, box, scale)


def resample(grey: Plane, box: Box, scale: float) -> View:
    """A part of a picture (H, W), `scale` pixels for one."""
    left, top, right, bottom = box
    part = grey[top:bottom, left:right]
    if scale != 1:
        size = tuple(max(_MIN_SIDE, round(side * scale)) for side in part.shape[::-1])
        kind = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
        part = np.asarray(Image.fromarray(part).resize(size, kind), np.float32)
    return View(part, left, top, scale)


def closer_box(view: View, box: Box, shape: tuple[int, int]) -> Box | None:
    """The part of a picture of `shape` (H, W) for a closer look at a box of the view, when it is
    small in this one and the picture has more. None when it has not."""
    left, top, right, bottom = box
    side = max(right - left, bottom - top)
    if side >= _LARGE_ENOUGH or (view.scale >= 1 and max(view.grey.shape) <= _MIN_VIEW):
        return None
    margin = max(4, side // 2)
    wanted = _box_in_picture(view, (left - margin, top - margin, right + margin, bottom + margin))
    part = (
        max(0, wanted[0]),
        max(0, wanted[1]),
        min(shape[1], wanted[2]),
        min(shape[0], wanted[3]),
    )
    now = max(view.grey.shape) / view.scale
    return part if max(part[2] - part[0], part[3] - part[1]) < 0.8 * now else None


def _box_in_picture(view: View, box: Box) -> Box:
    left, top, right, bottom = box
    return (
        view.left + int(left / view.scale),
        view.top + int(top / view.scale),
        view.left + max(int(left / view.scale) + 1, round(right / view.scale)),
        view.top + max(int(top / view.scale) + 1, round(bottom / view.scale)),
    )
