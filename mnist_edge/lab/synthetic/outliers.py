"""What is no digit: images with which a network learns to be unsure.

Training towards even probabilities on such images is outlier exposure (Hendrycks et al. 2019,
arXiv 1812.04606). Nothing here is what a person might read as a digit: neither round letters nor
single upright strokes.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from mnist_edge.datasets import Split
from mnist_edge.lab.synthetic import strokes
from mnist_edge.lab.synthetic.glyphs import arc
from mnist_edge.lab.synthetic.strokes import Floats, Glyph
from mnist_edge.types import SIDE, Images

Random = np.random.Generator
_TURNED = (2, 3, 7)  # digits that are none when they lie on a side


def draw_outliers(count: int, digits: Split, random: Random) -> Images:
    """Images of many kinds, uint8 (count, 28, 28), in no order; `digits` serve as material."""
    kinds = random.choice(len(_KINDS), count, p=[share for _, share in _KINDS])
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    for at, kind in enumerate(kinds):
        images[at] = _KINDS[kind][0](digits, random)
    return images


def _letter_or_sign(digits: Split, random: Random) -> Images:
    """A letter or a sign that is like no digit."""
    return _draw(_SIGNS[random.integers(len(_SIGNS))], random)


def _scribble(digits: Split, random: Random) -> Images:
    """A pen that goes to and fro."""
    points = np.cumsum(random.normal(0, 1, (random.integers(13, 28), 2)), axis=0)
    if random.random() < 0.5:
        points = random.uniform(0, 1, (len(points), 2))
    return _draw([points / max(1e-6, float(np.ptp(points, axis=0).max()))], random)


def _lines(digits: Split, random: Random) -> Images:
    """Straight lines: one that lies, some side by side, or some across each other."""
    if random.random() < 0.25:
        angle = np.radians(random.uniform(-20, 20))
        end = np.array([np.cos(angle), np.sin(angle)])
        return _draw([np.stack([0 * end, end])], random)
    count = random.integers(2, 6)
    if random.random() < 0.4:  # side by side
        steps = np.linspace(0, 1, count + 1)
        return _draw([np.array([[x, 0], [x, 1]]) for x in steps], random)
    middles = random.uniform(0.3, 0.7, (count, 2))
    turns = random.uniform(0, np.pi) + np.arange(count) * np.pi / count  # across each other
    ways = np.stack([np.cos(turns), np.sin(turns)], axis=1) * random.uniform(0.25, 0.5, (count, 1))
    return _draw([np.stack([m - w, m + w]) for m, w in zip(middles, ways, strict=True)], random)


def _specks(digits: Split, random: Random) -> Images:
    """A blank sheet, or one with dust on it."""
    image = np.zeros((SIDE, SIDE), np.uint8)
    if random.random() < 0.25:
        return image
    starts = random.uniform(2, SIDE - 2, (random.integers(1, 9), 2))
    size = random.uniform(0.6, 3, len(starts))
    return strokes.rasterize(starts, starts + random.normal(0, 0.7, starts.shape), size)


def _blob(digits: Split, random: Random) -> Images:
    """A filled shape without an outline of its own, or a texture: what a photograph leaves."""
    grain = random.integers(2, 13)
    noise = random.random((grain, grain)).astype(np.float32)
    field = np.asarray(Image.fromarray(noise).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    ink = (field - np.quantile(field, random.uniform(0.2, 0.85))) * random.uniform(2, 40) + 0.5
    if random.random() < 0.6:
        places = np.arange(SIDE) - (SIDE - 1) / 2
        radius = random.uniform(6, 11)
        ink = ink * (np.hypot(places[:, None], places) < radius)
    margin = random.integers(0, 5)
    framed = np.zeros((SIDE, SIDE), np.uint8)
    inside = slice(margin, SIDE - margin)
    framed[inside, inside] = (ink.clip(0, 1) * 255)[inside, inside]
    return framed


def _stripes(digits: Split, random: Random) -> Images:
    """Waves and squares, as cloth and ruled paper have them."""
    places = (np.arange(SIDE) - SIDE / 2) * random.uniform(0.4, 1.6)
    turn = random.uniform(0, np.pi)
    wave = np.sin(places[:, None] * np.sin(turn) + places * np.cos(turn))
    if random.random() < 0.5:
        wave = wave * np.sin(places[:, None] * np.cos(turn) - places * np.sin(turn))
    ink = (wave * random.uniform(0.6, 6) + random.uniform(-0.5, 0.5)).clip(0, 1) * 255
    framed = np.zeros((SIDE, SIDE), np.uint8)
    framed[4:24, 4:24] = ink[4:24, 4:24]
    return framed


def _two_digits(digits: Split, random: Random) -> Images:
    """Two digits in one box, side by side."""
    one, other = (_random_digit(digits, random) for _ in range(2))
    small, size = [], int(random.integers(11, 15))
    for image in (one, other):
        inner = Image.fromarray(image[4:24, 4:24])
        small.append(np.asarray(inner.resize((size, size), Image.Resampling.BOX)))
    field = np.zeros((SIDE, SIDE), np.uint8)
    near, middle = 14 - size + int(random.integers(0, 2)), (SIDE - size) // 2
    for image, left in zip(small, (near, 14), strict=True):
        place = field[middle : middle + size, left : left + size]
        np.maximum(place, image, out=place)
    return field


def _turned_digit(digits: Split, random: Random) -> Images:
    """A digit on its side, or a 3 in a mirror."""
    chosen = np.flatnonzero(np.isin(digits.labels, _TURNED))
    if not len(chosen):
        return _scribble(digits, random)
    at = chosen[random.integers(len(chosen))]
    image: Images = digits.images[at]
    if digits.labels[at] == 3 and random.random() < 0.5:
        return np.fliplr(image)
    return np.rot90(image, random.choice([1, 3]))


def _random_digit(digits: Split, random: Random) -> Images:
    image: Images = digits.images[random.integers(len(digits))]
    return image


def _draw(glyph: Glyph, random: Random) -> Images:
    image: Images = strokes.draw([glyph], random)[0]
    return image


def _strokes(*lines: str) -> list[Floats]:
    """Strokes from text: two figures a point, x and y in tenths; the same point twice: a corner."""
    return [
        np.array([[int(point[0]) / 9, int(point[1]) / 9] for point in line.split()])
        for line in lines
    ]


# Letters and signs: x and y from 0 to 9.
_SIGNS: tuple[Glyph, ...] = (
    _strokes("09 40 40 79", "16 66"),  # A
    _strokes("70 10 10 19 19 79", "15 55"),  # E
    _strokes("70 10 10 19", "15 55"),  # F
    _strokes("10 19", "80 89", "14 84"),  # H
    _strokes("10 19", "70 15 15 79"),  # K
    _strokes("10 19 19 79"),  # L
    _strokes("09 10 10 45 45 80 80 99"),  # M
    _strokes("09 00 00 89 89 80"),  # N
    _strokes("19 10 10 50 72 54 15"),  # P
    _strokes("19 10 10 50 72 54 15 15 79"),  # R
    _strokes("00 29 29 53 53 79 79 90"),  # W
    _strokes("10 79", "70 19"),  # X
    _strokes("70 41 49", "14 74"),  # f
    _strokes("20 29 29 25 54 75 79"),  # h
    _strokes("10 19", "63 26 26 69"),  # k
    _strokes("03 09 09 05 23 44 49 49 45 63 84 89"),  # m
    _strokes("13 19 19 15 43 64 69"),  # n
    _strokes("13 19 19 15 43 64"),  # r
    _strokes("03 19 44 44 69 83"),  # w
    _strokes("03 29 29 90"),  # a tick
    _strokes("40 49", "05 95"),  # +
    _strokes("03 93", "06 96"),  # =
    _strokes("05 95", "42 42 43", "47 47 48"),  # ÷
    _strokes("90 09", "11 21 22 12 11", "77 87 88 78 77"),  # %
    _strokes("30 29", "70 69", "03 93", "06 96"),  # #
    _strokes("40 49", "02 97", "07 92"),  # *
    _strokes("05 95", "62 95 95 68"),  # →
    _strokes("49 40", "13 40 40 73"),  # ↑
    _strokes("19 51 51 99 99 19"),  # a triangle
    _strokes("49 05 03 21 43 61 83 85 49"),  # a heart
    _strokes("09 40 40 99 99 03 03 93 93 09"),  # a star
    _strokes("06 23 45 67 94"),  # ~
    _strokes("00 29 40 69 80 99"),  # zigzag
    _strokes("05 23 45 67 85 73 45 17 05"),  # ∞
    _strokes("45 54 65 46 23 52 86 68 29 04 20 90"),  # a spiral
    [arc((0.5, 0.5), (0.5, 0.5), 0, 370), *_strokes("33 34", "63 64", "36 57 66")],  # a face
    _strokes("00 08 08 98 98 00", "00 98", "08 90"),  # a crossed box
)

_KINDS: tuple[tuple[Callable[[Split, Random], Images], float], ...] = (
    (_letter_or_sign, 0.34),
    (_scribble, 0.14),
    (_lines, 0.1),
    (_specks, 0.06),
    (_blob, 0.12),
    (_stripes, 0.04),
    (_two_digits, 0.12),
    (_turned_digit, 0.08),
)
