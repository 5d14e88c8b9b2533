"""One way to read a view: where its digit would be, and how likely that is.

The idea: what is stronger than a level is ink. Its components are weighed by their mass and by
how plausible their place is, and the heaviest is the digit; the level is then set again by that
one's own strength, as a shadow or a blot may have set it first. How likely it all is, is how much
of the ink the digit is, times how much of its outline is an edge in the picture too. A shadow has
mass and place but no edge; that is what tells ink from light when several readings compete.
How the numbers below were found is not recorded (see `preprocess`).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess.components import Components, Mask, box_slices, dilate, group_components
from mnist_edge.preprocess.counting import count_digits
from mnist_edge.preprocess.fading import faded_opacity, find_faded_strokes
from mnist_edge.preprocess.foreground import Ink, Plane, bright_corners, find_ink, opacity
from mnist_edge.preprocess.margins import find_margins, is_corner, runs_through
from mnist_edge.preprocess.outline import edge_share, evenness, paper_share, surroundings_contrast
from mnist_edge.preprocess.ruled_lines import remove_ruled_lines
from mnist_edge.preprocess.selection import cluster, plausibility
from mnist_edge.preprocess.view import Box, View
from mnist_edge.types import Grey

_GROUPING_REACH = 2  # pixels of the view: what is twice as near belongs together
_MIN_STRENGTH = 10.0  # grey values
_MIN_AREA = 12  # pixels of the view: less is dust
_MAX_AREA = 0.9  # of the view: more is the paper
_FAINT_STRENGTH = 30.0  # a digit that is fainter is doubtful
_CORNERS_WEIGHT = 0.3  # quality that corners of paper are worth
_MAX_MARGINS = 3  # one within another
_MANY_PIECES = 5  # pieces: perhaps of the lines of ruled paper
_MIN_QUALITY = 0.2  # quality of what is no ink but a change of the light
_MIN_PAPER_BESIDE = 0.7  # of what lies beside a stroke; beside digits nine parts in ten are
_MIN_NOISES, _STRONG = 4.0, 60.0  # times the noise ink is, or as many grey values
_MIN_STRENGTH_THROUGH = 80.0  # grey values: folds, which light and shade make, are fainter
_NO_SHADE_STRENGTH = 100.0  # and what a change of light leaves, where it is taken for ink
_LAYERED_RATIO = 1.5  # times what is full ink
_MIN_EVENNESS = 0.85  # of what is inside a stroke is as strong
_EDGE_REACH = 5  # pixels on both sides of an outline, in which a blurred edge is


@dataclass(frozen=True, slots=True)
class Candidate:
    """The ink of a `view`, its components, which of them is the digit or most of it (`main`),
    which belong to it (`chosen`), and how strong it is, in grey values.
    `trimmed` is whether something along the view's edges was taken away first, `digits` how many
    there are in the picture.

    Then signs of how likely that is, all 0..1: `sharpness`, its share of all that might be the
    digit, and how much of its outline is an edge; `freedom`, how far it lies from the view's own
    edges; `corners`, the part of them that is paper; `contrast`, its strength relative to the
    range of the view; `layered`, the part of it that is far stronger than most, as what is written
    on a thing, or stands in its shadow.
    """

    view: View
    ink: Ink
    parts: Components
    main: int
    chosen: NDArray[np.bool_]
    full: float
    sharpness: float
    freedom: float
    corners: float
    contrast: float
    layered: float
    trimmed: bool = False
    digits: int = 1

    @property
    def quality(self) -> float:
        """How much it looks like a digit: 0..1."""
        return self.sharpness * (0.5 + 0.5 * self.freedom) * min(1.0, self.full / _FAINT_STRENGTH)

    @property
    def score(self) -> float:
        """The quality, and how much the corners and the contrast speak for its polarity."""
        return self.quality * (0.5 + 0.5 * self.contrast) + _CORNERS_WEIGHT * self.corners

    @property
    def is_ink(self) -> bool:
        """Whether it is written: sharp, with paper on both sides, clear of the paper's own noise,
        no corner of something else, no fold from edge to edge."""
        full, parts, main = self.full, self.parts, self.main
        if self.quality * self.digits <= _MIN_QUALITY:  # of several each has its share
            return False
        if full <= min(_MIN_NOISES * self.ink.noise, _STRONG) or is_corner(parts, main):
            return False
        if full <= _FAINT_STRENGTH and parts.at_edge[main]:
            return False
        if full <= _MIN_STRENGTH_THROUGH and runs_through(parts, main):
            return False
        mask, light, scale = parts.mask_of(self.chosen), self.ink.light, self.view.scale
        return (
            full > _NO_SHADE_STRENGTH
            or paper_share(self.view.grey, mask, full, light, scale) > _MIN_PAPER_BESIDE
        )

    def digit_count(self) -> int:
        """How many digits there are in the view: it is one of them."""
        mass = _ink_masses(self.parts, self.ink.strength)
        return count_digits(self.parts, self.main, self.chosen, mass)

    @property
    def box(self) -> Box:
        """Where the digit lies in the view."""
        left, top, right, bottom = self.parts.box(self.chosen)
        rows, columns = np.nonzero(self._faded_strokes())
        if not len(rows):
            return left, top, right, bottom
        return (
            min(left, int(columns.min())),
            min(top, int(rows.min())),
            max(right, int(columns.max()) + 1),
            max(bottom, int(rows.max()) + 1),
        )

    def _faded_strokes(self) -> Mask:
        """Where its strokes go on, too faint to be of its components."""
        ink = self.ink
        return find_faded_strokes(
            ink.strength, self.parts.mask_of(self.chosen), self.full, ink.noise
        )

    def cut_out(self) -> Grey:
        """The ink of the digit as grey values: 255 where it is full, 0 where it is paper."""
        fading, ink, full = self._faded_strokes(), self.ink, self.full
        mask = self.parts.mask_of(self.chosen) | fading
        around = box_slices(mask, 2)
        near = dilate(dilate(mask[around]))
        soft = opacity(ink.strength[around], full, ink.noise)
        if fading.any():
            soft = np.maximum(soft, faded_opacity(ink.strength, fading, ink.noise)[around])
        return np.round(np.where(near, soft, 0) * 255).astype(np.uint8)


def find_candidate(view: View, light: bool, widest: float) -> Candidate | None:
    """The digit of a view, if its ink is `light` and its strokes no wider than `widest`.

    On a fine view lines of ruled paper are looked for. None when there is no ink.
    """
    whole = find_ink(view.grey, light, widest, view.split)
    ink = _remove_margins(view, whole)
    found = _main_candidate(view, ink)
    if found and view.fine and _may_be_ruled(found):
        strength = remove_ruled_lines(ink.strength, max(_MIN_STRENGTH, 0.15 * found.full))
        found = _main_candidate(view, Ink(strength, ink.noise, ink.light))
    return found if found is None or ink is whole else replace(found, trimmed=True)


def _remove_margins(view: View, ink: Ink) -> Ink:
    """Ink without what fills the view from a side of it on, and without its blurred edge."""
    for _ in range(_MAX_MARGINS):
        levels = _ink_levels(view, ink, _box_blur(ink.strength))
        corners = ink.strength[[0, 0, -1, -1], [0, -1, 0, -1]]
        if levels is None or corners.max() <= levels[1]:
            break
        near = find_margins(group_components(ink.strength > levels[1], 0))
        if not near.any():
            break
        for _ in range(2 + round(view.scale)):
            near = dilate(near)
        ink = Ink(np.where(near, np.float32(0), ink.strength), ink.noise, ink.light)
    return ink


def _ink_levels(view: View, ink: Ink, soft: Plane) -> tuple[float, float] | None:
    """The strength that ink has at least, and one between it and paper. None without ink.

    `soft` is the strength without specks.
    """
    reduced = view.scale < 1
    # In a reduced view a few dark pixels may be a digit; the closer look tells it from dust.
    seen, rank = (ink.strength, 3) if reduced else (soft, 10)
    strongest = float(np.partition(seen.ravel(), -rank)[-rank])
    if strongest < max(_MIN_STRENGTH, (6 if reduced else 2) * ink.noise):
        return None
    least = max(_MIN_STRENGTH, min(4 * ink.noise, 0.3 * strongest))
    return least, max(least, 0.25 * strongest)


def _main_candidate(view: View, ink: Ink) -> Candidate | None:
    """The component that is most plausible by its mass and place, with what is told of it."""
    grey, strength = view.grey, ink.strength
    soft = _box_blur(strength)
    levels = _ink_levels(view, ink, soft)
    if levels is None:
        return None
    least, level = levels
    for _ in range(2):
        parts = group_components(strength > level, _GROUPING_REACH)
        if not len(parts):
            return None
        mass = _ink_masses(parts, strength)
        free = plausibility(parts)
        main = int(np.argmax(mass * free))
        inside = strength[parts.labels == main]
        full = float(np.percentile(inside, 75))
        level = max(least, (0.4 if view.fine else 0.25) * full)
    share = mass[main] * free[main] / float((mass * free).sum())
    least_area = 2 if view.scale < 1 else _MIN_AREA
    if not least_area <= parts.area[main] <= _MAX_AREA * strength.size:
        return None
    mask = parts.labels == main
    sharpness = share * edge_share(grey, mask, full, _EDGE_REACH)
    sharpness *= surroundings_contrast(grey, mask, full, ink.light)
    if view.fine:  # a pixel of an enlarged one may be part ink, part paper
        sharpness *= min(1.0, evenness(soft, mask, full) / _MIN_EVENNESS) ** 2
    layered = float((strength[mask] > _LAYERED_RATIO * full).mean()) if view.fine else 0.0
    corners = _paper_corners(grey > view.split.threshold, ink.light)
    return Candidate(
        view,
        ink,
        parts,
        main,
        cluster(parts, main, mass),
        full,
        float(sharpness),
        float(free[main]),
        corners,
        _contrast(grey, full),
        layered,
    )


def _ink_masses(parts: Components, strength: Plane) -> NDArray[np.float64]:
    """How much ink each component has, float64 (components,)."""
    inked = parts.labels >= 0
    masses = np.bincount(parts.labels[inked], strength[inked], len(parts))
    return masses.astype(np.float64, copy=False)


def _contrast(grey: Plane, full: float) -> float:
    """How strong ink is relative to the range of the view: 0..1."""
    low, high = np.percentile(grey[::2, ::2], [0.5, 99.5])
    return min(1.0, full / max(1.0, float(high - low)))


def _box_blur(strength: Plane) -> Plane:
    """The mean of 3×3 values, so that the strongest of them is no speck."""
    padded = np.empty((strength.shape[0] + 2, strength.shape[1] + 2), np.float32)
    padded[1:-1, 1:-1] = strength
    padded[0], padded[-1] = padded[1], padded[-2]
    padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    mean: Plane = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / np.float32(9)
    return mean


def _paper_corners(bright: Mask, light: bool) -> float:
    """The part of the picture's corners that is paper, if the ink is `light`: 0..1."""
    share = bright_corners(bright)
    return 1 - share if light else share


def _may_be_ruled(found: Candidate) -> bool:
    """Whether something runs from edge to edge, or there are many pieces: ruled paper, perhaps."""
    parts = found.parts
    height, width = parts.labels.shape
    across = (parts.width >= 0.97 * width) | (parts.height >= 0.97 * height)
    return bool(found.chosen.sum() > _MANY_PIECES or across.any())
