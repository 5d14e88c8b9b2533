"""One way to read a view: where its digit would be, and how likely that is."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess.components import Components, Mask, grouped, grown
from mnist_edge.preprocess.counting import count_digits
from mnist_edge.preprocess.fading import faded, faded_opacity
from mnist_edge.preprocess.foreground import Ink, Plane, bright_corners, find_ink, opacity
from mnist_edge.preprocess.margins import is_corner, margins, runs_through, touches_edge
from mnist_edge.preprocess.outline import edged, evenness, outstanding, two_sided
from mnist_edge.preprocess.ruled_lines import without_rules
from mnist_edge.preprocess.selection import cluster, plausible
from mnist_edge.preprocess.view import Box, View

Grey = NDArray[np.uint8]

_GAP = 2  # pixels of the view: what is twice as near belongs together
_FAINTEST = 10.0  # grey values
_LEAST_AREA = 12  # pixels of the view: less is dust
_MOST_AREA = 0.9  # of the view: more is the paper
_FAINT = 30.0  # a digit that is fainter is doubtful
_CORNERS = 0.3  # quality that corners of paper are worth
_MOST_MARGINS = 3  # one within another
_MANY = 5  # pieces: perhaps of the lines of ruled paper
_NOTHING = 0.2  # quality of what is no ink but a change of the light
_TWO_SIDED = 0.7  # of what lies beside a stroke is paper; beside digits nine parts in ten are
_CLEAR_OF_NOISE, _STRONG = 4.0, 60.0  # times the noise ink is, or as many grey values
_FAINTEST_THROUGH = 80.0  # grey values: folds, which light and shade make, are fainter
_NO_SHADE = 100.0  # and what a change of light leaves, where it is taken for ink
_FAR_STRONGER = 1.5  # times what is full ink
_EVEN = 0.85  # of what is inside a stroke is as strong
_AROUND = 5  # pixels on both sides of an outline, in which a blurred edge is


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
        return self.sharpness * (0.5 + 0.5 * self.freedom) * min(1.0, self.full / _FAINT)

    @property
    def score(self) -> float:
        """The quality, and how much the corners and the contrast speak for its polarity."""
        return self.quality * (0.5 + 0.5 * self.contrast) + _CORNERS * self.corners

    @property
    def is_ink(self) -> bool:
        """Whether it is written: sharp, with paper on both sides, clear of the paper's own noise,
        no corner of something else, no fold from edge to edge."""
        full, parts, main = self.full, self.parts, self.main
        if self.quality * self.digits <= _NOTHING:  # of several each has its share
            return False
        if full <= min(_CLEAR_OF_NOISE * self.ink.noise, _STRONG) or is_corner(parts, main):
            return False
        if full <= _FAINT and touches_edge(parts, main):
            return False
        if full <= _FAINTEST_THROUGH and runs_through(parts, main):
            return False
        mask, light, scale = parts.only(self.chosen), self.ink.light, self.view.scale
        return full > _NO_SHADE or two_sided(self.view.grey, mask, full, light, scale) > _TWO_SIDED

    def counted(self) -> int:
        """How many digits there are in the view: it is one of them."""
        mass = _masses(self.parts, self.ink.strength)
        return count_digits(self.parts, self.main, self.chosen, mass)

    @property
    def box(self) -> Box:
        """Where the digit lies in the view."""
        left, top, right, bottom = self.parts.box(self.chosen)
        rows, columns = np.nonzero(self._faded())
        if not len(rows):
            return left, top, right, bottom
        return (
            min(left, int(columns.min())),
            min(top, int(rows.min())),
            max(right, int(columns.max()) + 1),
            max(bottom, int(rows.max()) + 1),
        )

    def _faded(self) -> Mask:
        """Where its strokes go on, too faint to be of its components."""
        ink = self.ink
        return faded(ink.strength, self.parts.only(self.chosen), self.full, ink.noise)

    def cut_out(self) -> Grey:
        """The ink of the digit as grey values: 255 where it is full, 0 where it is paper."""
        fading, ink, full = self._faded(), self.ink, self.full
        mask = self.parts.only(self.chosen) | fading
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        around = (
            slice(max(0, rows[0] - 2), rows[-1] + 3),
            slice(max(0, columns[0] - 2), columns[-1] + 3),
        )
        near = grown(grown(mask[around]))
        soft = opacity(ink.strength[around], full, ink.noise)
        if fading.any():
            soft = np.maximum(soft, faded_opacity(ink.strength, fading, ink.noise)[around])
        return np.round(np.where(near, soft, 0) * 255).astype(np.uint8)


def candidate(view: View, light: bool, widest: float) -> Candidate | None:
    """The digit of a view, if its ink is `light` and its strokes no wider than `widest`.

    On a fine view lines of ruled paper are looked for. None when there is no ink.
    """
    whole = find_ink(view.grey, light, widest, view.split)
    ink = _without_margins(view, whole)
    found = _main(view, ink)
    if found and view.fine and _may_be_ruled(found):
        strength = without_rules(ink.strength, max(_FAINTEST, 0.15 * found.full))
        found = _main(view, Ink(strength, ink.noise, ink.light))
    return found if found is None or ink is whole else replace(found, trimmed=True)


def _without_margins(view: View, ink: Ink) -> Ink:
    """Ink without what fills the view from a side of it on, and without its blurred edge."""
    for _ in range(_MOST_MARGINS):
        levels = _levels(view, ink, _softened(ink.strength))
        corners = ink.strength[[0, 0, -1, -1], [0, -1, 0, -1]]
        if levels is None or corners.max() <= levels[1]:
            break
        near = margins(grouped(ink.strength > levels[1], 0))
        if not near.any():
            break
        for _ in range(2 + round(view.scale)):
            near = grown(near)
        ink = Ink(np.where(near, np.float32(0), ink.strength), ink.noise, ink.light)
    return ink


def _levels(view: View, ink: Ink, soft: Plane) -> tuple[float, float] | None:
    """The strength that ink has at least, and one between it and paper. None without ink.

    `soft` is the strength without specks.
    """
    reduced = view.scale < 1
    # In a reduced view a few dark pixels may be a digit; the closer look tells it from dust.
    seen, rank = (ink.strength, 3) if reduced else (soft, 10)
    strongest = float(np.partition(seen.ravel(), -rank)[-rank])
    if strongest < max(_FAINTEST, (6 if reduced else 2) * ink.noise):
        return None
    least = max(_FAINTEST, min(4 * ink.noise, 0.3 * strongest))
    return least, max(least, 0.25 * strongest)


def _main(view: View, ink: Ink) -> Candidate | None:
    """The component that is most plausible by its mass and place, with what is told of it."""
    grey, strength = view.grey, ink.strength
    soft = _softened(strength)
    levels = _levels(view, ink, soft)
    if levels is None:
        return None
    least, level = levels
    for _ in range(2):
        parts = grouped(strength > level, _GAP)
        if not len(parts):
            return None
        mass = _masses(parts, strength)
        free = plausible(parts)
        main = int(np.argmax(mass * free))
        inside = strength[parts.labels == main]
        full = float(np.percentile(inside, 75))
        level = max(least, (0.4 if view.fine else 0.25) * full)
    share = mass[main] * free[main] / float((mass * free).sum())
    least_area = 2 if view.scale < 1 else _LEAST_AREA
    if not least_area <= parts.area[main] <= _MOST_AREA * strength.size:
        return None
    mask = parts.labels == main
    sharpness = share * edged(grey, mask, full, _AROUND) * outstanding(grey, mask, full, ink.light)
    if view.fine:  # a pixel of an enlarged one may be part ink, part paper
        sharpness *= min(1.0, evenness(soft, mask, full) / _EVEN) ** 2
    layered = float((strength[mask] > _FAR_STRONGER * full).mean()) if view.fine else 0.0
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


def _masses(parts: Components, strength: Plane) -> NDArray[np.float64]:
    """How much ink each component has, float64 (components,)."""
    inked = parts.labels >= 0
    masses = np.bincount(parts.labels[inked], strength[inked], len(parts))
    return masses.astype(np.float64, copy=False)


def _contrast(grey: Plane, full: float) -> float:
    """How strong ink is relative to the range of the view: 0..1."""
    low, high = np.percentile(grey[::2, ::2], [0.5, 99.5])
    return min(1.0, full / max(1.0, float(high - low)))


def _softened(strength: Plane) -> Plane:
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
    return bool(found.chosen.sum() > _MANY or across.any())
