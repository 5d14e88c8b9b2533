"""Shapes of digits from interchangeable sources, as distances, to be inked with any width."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from mnist_edge.datasets import load_if_here
from tests.difficult.drawn import Curve, style_of, written

Field = NDArray[np.float32]
STEP = 96  # cells of the grid in one height of a digit
_MARGIN = 34  # cells around it, into which a fat stroke grows
LABELS = tuple("0123456789")
_LEVELS = (0.42, 0.5, 0.58)
_UCI_TEST = 1415  # those before train: see mnist_edge/datasets/digits.py
_HOLES = {"0": (1,), "2": (0, 1), "4": (0, 1), "6": (1,), "8": (2,), "9": (1,)}
_FATTEST_CLEAR = 0.074
_WIDEST_ONE = 0.36
_WIDEST_FOOT = 0.28
_GROWTH = 1.3
_RING = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))


@dataclass(frozen=True, slots=True)
class Shape:
    """How far each cell lies from the middle of the stroke, in heights of the digit.

    A pen of half-width w inks the cells with `distance` < w. `natural` is the half-width in
    which it was written, `thinnest` the one below which it would break,
    `fattest` the one above which its loops would fill.
    """

    label: str
    source: str
    distance: Field
    natural: float
    thinnest: float
    fattest: float

    def spine(self) -> Field:
        """The distance from a line one cell wide: for pens thinner than `thinnest`."""
        line = thinned(self.distance < self.natural)
        distance: Field = (ndimage.distance_transform_edt(~line) / STEP).astype(np.float32)
        return distance


class Source(Protocol):
    """Where shapes come from."""

    @property
    def name(self) -> str: ...

    def shape(self, label: str, random: np.random.Generator) -> Shape: ...


@dataclass(frozen=True, slots=True)
class Drawn:
    """Digits that nobody wrote: jittered curves in several national styles."""

    name: str = "drawn"

    def shape(self, label: str, random: np.random.Generator) -> Shape:
        return of_curves(written(style_of(label, random), random), label, self.name)


@dataclass(frozen=True, slots=True)
class Scanned:
    """Digits of a data set's test split, grey (N, H, W), made smooth."""

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def shape(self, label: str, random: np.random.Generator) -> Shape:
        """One that is legible at some level of grey; a drawn one, where none of 30 is."""
        for chosen in random.permutation(np.flatnonzero(self.labels == int(label)))[:30]:
            smooth = _enlarged(self.images[chosen])
            for level in _LEVELS:
                if legible(smooth > level, label):
                    return of_mask(smooth > level, label, self.name)
        return Drawn().shape(label, random)


@dataclass(frozen=True, slots=True)
class Fonts:
    """Digits of the handwriting fonts in a folder."""

    files: tuple[Path, ...]
    name: str = "fonts"

    def shape(self, label: str, random: np.random.Generator) -> Shape:
        font = ImageFont.truetype(self.files[random.integers(len(self.files))], 160)
        return of_text(label, font, label, self.name)


def sources(names: Sequence[str], fonts: Path | None = None) -> list[Source]:
    """The sources of these names that are at hand; MNIST and the digits may be missing."""
    found: list[Source] = []
    for name in names:
        if name == "drawn":
            found.append(Drawn())
        elif name == "fonts":
            files = sorted(fonts.glob("*.[ot]tf")) if fonts else []
            found += [Fonts(tuple(files))] if files else []
        elif name == "digits":
            found += _uci()
        elif data := load_if_here(name):
            found.append(Scanned(name, data.test.images, data.test.labels))
    return found


def _uci() -> list[Source]:
    """The UCI digits as they are, 8×8: our own form of them has gone through `centre`."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        return []
    bunch = load_digits()
    grey = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    return [Scanned("digits", grey[_UCI_TEST:], labels[_UCI_TEST:])]


def of_curves(curves: list[Curve], label: str, source: str) -> Shape:
    """A shape from curves (N, 2) of x, y, scaled to one height (or width, where that is more)."""
    points = np.vstack(curves)
    low = points.min(axis=0)
    scale = STEP / max(np.ptp(points, axis=0).max(), 0.2)
    size = np.ceil(np.ptp(points, axis=0) * scale).astype(int) + 2 * _MARGIN + 1
    field = Image.new("L", (int(size[0]), int(size[1])))
    pen = ImageDraw.Draw(field)
    for curve in curves:
        pen.line([tuple(point) for point in (curve - low) * scale + _MARGIN], 255, 1)
    distance = ndimage.distance_transform_edt(np.asarray(field) == 0) / STEP
    fattest = min(0.11, 0.7 * _loops(distance < 0.5 / STEP, distance))
    return Shape(label, source, distance.astype(np.float32), 0.045, 0.0, fattest)


def _enlarged(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Light ink on black, (H, W), of a few pixels or many, smooth, 0..1, on a shape's grid."""
    rows, columns = np.nonzero(grey > 0.3 * grey.max())
    cut = grey[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    height, width = cut.shape
    scale = STEP / max(height, width)
    pad = int(np.ceil(_MARGIN / scale))
    big = Image.fromarray(np.pad(cut, pad))
    size = (round((width + 2 * pad) * scale), round((height + 2 * pad) * scale))
    smooth = np.asarray(big.resize(size, Image.Resampling.BICUBIC), np.float64)
    smooth = ndimage.gaussian_filter(smooth, 0.35 * scale)
    result: NDArray[np.float64] = smooth / smooth.max()
    return result


def of_text(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, label: str, source: str
) -> Shape:
    """A shape from text in a font."""
    left, top, right, bottom = font.getbbox(text)
    field = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8))
    ImageDraw.Draw(field).text((4 - left, 4 - top), text, 255, font)
    return of_mask(_enlarged(np.asarray(field)) > 0.5, label, source)


def of_mask(mask: NDArray[np.bool_], label: str, source: str) -> Shape:
    """A shape from ink that has a width already."""
    inside = ndimage.distance_transform_edt(mask)
    outside = ndimage.distance_transform_edt(~mask)
    ridge = inside[(inside == ndimage.maximum_filter(inside, 5)) & mask]
    half = float(np.median(ridge))
    thinnest = max(0.0, half - 0.5 * float(np.percentile(ridge, 15)))
    signed = (outside - inside + half) / STEP
    half, thinnest = half / STEP, thinnest / STEP
    room = half + 0.6 * _loops(mask, outside / STEP)
    fattest = max(half, min(0.11, _GROWTH * half, room))  # gaps close as loops do
    return Shape(label, source, signed.astype(np.float32), half, thinnest, fattest)


def _loops(mask: NDArray[np.bool_], distance: NDArray[np.float64]) -> float:
    """How far the middle of the smallest loop is from its stroke; 1 without loops."""
    parts, count = ndimage.label(~mask)
    deepest = ndimage.maximum(distance, parts, np.arange(1, count + 1))
    inside = [float(deep) for at, deep in enumerate(deepest, 1) if at != parts[0, 0]]
    return min((deep for deep in inside if deep > 0.02), default=1.0)


def has_its_loops(mask: NDArray[np.bool_], label: str) -> bool:
    """Whether the ink encloses as many fields as the digit should, e.g. two of an eight."""
    return ndimage.label(~mask)[1] - 1 in _HOLES.get(label, (0,))


def legible(mask: NDArray[np.bool_], label: str) -> bool:
    """Whether a person can read it: one piece, the loops that its digit has, no fatter than a
    marker's, a one that could be no seven, a four and a seven on one foot."""
    parts, _ = ndimage.label(mask)
    sizes = np.bincount(parts.ravel())[1:]
    if sizes.max() < 0.95 * sizes.sum():
        return False
    if not has_its_loops(mask, label):
        return False
    rows, columns = np.nonzero(mask)
    if label == "1" and np.ptp(columns) > _WIDEST_ONE * STEP:
        return False
    foot = columns[rows > rows.max() - 0.15 * STEP]
    if label in "47" and np.ptp(foot) > _WIDEST_FOOT * STEP:
        return False
    right_top = rows[columns > (columns.min() + 2 * columns.max()) / 3].min()
    if label == "4" and right_top > rows.min() + 0.22 * STEP:
        return False  # its right stroke is too short: it looks like a six
    inside = ndimage.distance_transform_edt(mask)
    return bool(np.median(inside[(inside == ndimage.maximum_filter(inside, 5)) & mask])
                < _FATTEST_CLEAR * STEP)  # fmt: skip


def thinned(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A skeleton one cell wide (Zhang and Suen 1984)."""
    line, before = np.pad(mask, 1), -1
    while line.sum() != before:
        before = int(line.sum())
        for first in (True, False):
            ring = [np.roll(line, shift, (0, 1)) for shift in _RING]
            count = np.sum(ring, axis=0)
            turns = np.sum([~a & b for a, b in zip(ring, ring[1:] + ring[:1], strict=True)], axis=0)
            north, east, south, west = ring[::2]
            inner = (east & south & (north | west)) if first else (north & west & (east | south))
            line = line & ~((count >= 2) & (count <= 6) & (turns == 1) & ~inner)
    return line[1:-1, 1:-1]
