"""A pen: strokes through points -> images in MNIST's form, uint8 (28, 28), 0 = background.

Every pixel's ink follows from its distance to the nearest stroke, so thousands are drawn in
seconds, smooth at any size, without a font or a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge.types import SIDE

_BOX = 20.0  # MNIST's digits are fitted into 20×20 …
_MASS = 14.5  # … and have their centre of mass in the centre of pixel (14, 14)
_PER_SPAN = 5  # straight pieces between two points of a stroke

Floats = NDArray[np.float64]
Stroke = Floats
"""Points that a stroke passes through, float64 (n >= 2, 2): x to the right, y down, any unit.
A point that stands there twice is a corner."""
Glyph = Sequence[Stroke]


@dataclass(frozen=True, slots=True)
class WritingStyle:
    """How a hand writes: limits and standard deviations, in parts of a glyph's height where no
    unit is named. `pen_px` is the range of the pen's width in pixels of the 28×28 image."""

    pen_px: tuple[float, float] = (1.3, 4.2)
    slant: tuple[float, float] = (-0.2, 0.5)
    turn_deg: float = 9.0
    narrow: tuple[float, float] = (0.68, 1.25)
    unsteady: float = 0.025  # of every point
    wobble: float = 0.007  # along a stroke
    pressure: float = 0.2  # of the pen's width, along a stroke


def draw(
    glyphs: Sequence[Glyph], random: np.random.Generator, style: WritingStyle | None = None
) -> NDArray[np.uint8]:
    """Write each glyph once, each in a way of its own: uint8 (N, 28, 28)."""
    images = np.zeros((len(glyphs), SIDE, SIDE), np.uint8)
    for image, glyph in zip(images, glyphs, strict=True):
        image[:] = _write(glyph, random, style or WritingStyle())
    return images


def curve(points: Floats) -> Floats:
    """The Catmull-Rom curve through points (n, 2): 5 straight pieces from each to the next."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    before, start, end, after = (padded[at : at + len(points) - 1, None] for at in range(4))
    t = np.linspace(0, 1, _PER_SPAN, endpoint=False)[None, :, None]
    bend = 2 * before - 5 * start + 4 * end - after
    twist = 3 * (start - end) + after - before
    spans = start + 0.5 * t * ((end - before) + t * (bend + t * twist))  # (n-1, 5, 2)
    return np.concatenate([spans.reshape(-1, 2), points[-1:]])


def rasterize(starts: Floats, ends: Floats, widths_px: Floats) -> NDArray[np.uint8]:
    """Straight pieces (n, 2) to (n, 2), in pixels from the upper left corner, as an image.

    A pixel's grey is the part of it that the nearest piece covers, as area averaging gives it.
    """
    centres = (np.arange(SIDE, dtype=np.float32) + 0.5)[:, None]  # (28, 1)
    (x, y), (dx, dy) = starts.T.astype(np.float32), (ends - starts).T.astype(np.float32)
    across, down = centres - x, centres - y  # (28, n): per column, per row
    length2 = np.maximum(dx * dx + dy * dy, np.float32(1e-6))
    along = ((across * dx)[None] + (down * dy)[:, None]) / length2  # (28 rows, 28 columns, n)
    np.clip(along, 0, 1, out=along)
    distance = (across[None] - along * dx) ** 2
    distance += (down[:, None] - along * dy) ** 2
    np.sqrt(distance, out=distance)
    covered = (widths_px.astype(np.float32) / 2 - distance).max(axis=2) + np.float32(0.5)
    image: NDArray[np.uint8] = np.round(covered.clip(0, 1) * 255).astype(np.uint8)
    return image


def _write(glyph: Glyph, random: np.random.Generator, style: WritingStyle) -> NDArray[np.uint8]:
    change = _style_matrix(random, style)
    lines = [_unsteady_curve(stroke, random, style) @ change for stroke in glyph]
    pen_px = random.uniform(*style.pen_px)
    pieces = np.concatenate([np.stack([line[:-1], line[1:]], axis=1) for line in lines])
    widths = np.concatenate([_pen_widths(len(line) - 1, random, style) for line in lines]) * pen_px
    low, high = pieces.min(axis=(0, 1)), pieces.max(axis=(0, 1))
    pieces *= (_BOX - pen_px) / max(1e-6, (high - low).max())
    lengths = np.linalg.norm(pieces[:, 1] - pieces[:, 0], axis=1)
    mass = lengths @ pieces.mean(axis=1) / max(1e-6, lengths.sum())
    pieces += np.round(_MASS - mass)
    return rasterize(pieces[:, 0], pieces[:, 1], widths)


def _style_matrix(random: np.random.Generator, style: WritingStyle) -> Floats:
    """One writing's slant, turn and proportions, as a matrix (2, 2) for rows of (x, y)."""
    angle = np.radians(random.uniform(-style.turn_deg, style.turn_deg))
    cos, sin = np.cos(angle), np.sin(angle)
    slant, narrow = random.uniform(*style.slant), random.uniform(*style.narrow)
    matrix: Floats = np.diag([narrow, 1]) @ [[1, 0], [-slant, 1]] @ [[cos, sin], [-sin, cos]]
    return matrix


def _unsteady_curve(stroke: Stroke, random: np.random.Generator, style: WritingStyle) -> Floats:
    """A stroke's curve as a hand draws it: its points off a little, its line not quite smooth."""
    corner = np.r_[False, (np.diff(stroke, axis=0) == 0).all(axis=1)]
    error = random.normal(0, style.unsteady, stroke.shape)
    error[corner] = error[np.flatnonzero(corner) - 1]  # a corner stays one
    line = curve(stroke + error)
    knots = random.normal(0, style.wobble, (2, 2 + len(line) // 4))
    places = np.linspace(0, knots.shape[1] - 1, len(line))
    tremor = np.stack([np.interp(places, np.arange(knots.shape[1]), axis) for axis in knots], 1)
    moved: Floats = line + tremor
    return moved


def _pen_widths(pieces: int, random: np.random.Generator, style: WritingStyle) -> Floats:
    """The pen's width along a stroke, (pieces,), about 1."""
    start, middle, end = 1 + random.uniform(-style.pressure, style.pressure, 3)
    return np.asarray(np.interp(np.linspace(0, 2, pieces), [0, 1, 2], [start, middle, end]))
