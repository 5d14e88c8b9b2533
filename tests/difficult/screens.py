"""Digits that were drawn in a paint program: every size of canvas, brush, place and turn."""

import numpy as np
from PIL import Image

from tests.difficult.canvas import (
    INKS,
    Hand,
    Kind,
    Picture,
    Random,
    grain,
    grey,
    image_of,
    laid,
    pen_colour,
    plane,
    render,
    roughness,
    write,
)
from tests.difficult.strokes import Field, Shape

_SIDES = (64, 100, 140, 200, 256, 280, 400, 500)


def square(random: Random) -> tuple[int, int]:
    side = int(_SIDES[random.integers(len(_SIDES))])
    return side, side


def either(cover: Field, random: Random, light_on_dark: float = 0.5) -> Image.Image:
    """Black on white or white on black."""
    values = cover if random.random() < light_on_dark else 1 - cover
    return image_of(values)


def lossless(image: Image.Image, random: Random) -> Picture:
    name = ["PNG", "BMP", "GIF", "TIFF"][random.choice(4, p=[0.7, 0.1, 0.1, 0.1])]
    return Picture(image, name)


def paint(shape: Shape, random: Random) -> Picture:
    """A paint program with a round brush, anti-aliased or hard."""
    hand = Hand((0.4, 0.85), (0.02, 0.08), 0.8, stray=0.7)
    cover = write(shape, random, square(random), hand, bool(random.random() < 0.5))
    return lossless(either(cover, random), random)


def one_pixel(shape: Shape, random: Random) -> Picture:
    """A pencil tool: hard strokes of one to three pixels on a canvas of 64 to 280."""
    side = int(random.choice([64, 100, 140, 200, 280]))
    half = random.uniform(0.7, 1.6)
    hand = Hand((0.4, 0.85), (0.0, 0.0), half, stray=0.7)
    return lossless(either(write(shape, random, (side, side), hand, True), random), random)


def large_canvas(shape: Shape, random: Random) -> Picture:
    """A canvas of 1500 pixels, with a thin or a fat brush."""
    hand = Hand((0.25, 0.9), (0.004, 0.07), 1.0, stray=0.8)
    return lossless(either(write(shape, random, (1500, 1500), hand), random), random)


def corner(shape: Shape, random: Random) -> Picture:
    """A small digit in a corner of a large canvas."""
    side = int(random.choice([200, 280, 500]))
    small = int(side * random.uniform(0.18, 0.3))
    cover = np.zeros((side, side), np.float32)
    part = write(shape, random, (small, small), Hand((0.85, 1.0), (0.025, 0.08), 0.7))
    near = int(random.integers(1, side // 20))
    top, left = (near if random.random() < 0.5 else side - small - near for _ in range(2))
    cover[top : top + small, left : left + small] = part
    return lossless(either(cover, random), random)


def filling(shape: Shape, random: Random) -> Picture:
    """The digit fills the canvas and touches its borders."""
    ink = render(shape, float(random.choice([64, 200, 280, 500])), random.uniform(0.02, 0.08))
    wide = max(ink.shape[1], int(ink.shape[0] * random.uniform(0.2, 1.0)))
    page = np.zeros((ink.shape[0], wide), np.float32)
    left = int(random.integers(0, wide - ink.shape[1] + 1))
    page[:, left : left + ink.shape[1]] = ink
    return lossless(either(page, random), random)


def touching(shape: Shape, random: Random) -> Picture:
    """The digit touches one border, or is cut by it a little."""
    size = square(random)
    cover = write(shape, random, size, Hand((0.6, 0.85), (0.025, 0.07), 0.8))
    rows, columns = np.nonzero(cover > 0.5)
    cut = 1 + int(0.02 * size[0] * random.random())
    side = random.integers(4)
    parts = [
        cover[rows.min() + cut :],
        cover[: rows.max() - cut],
        cover[:, columns.min() + cut :],
        cover[:, : columns.max() - cut],
    ]
    return lossless(either(parts[side], random), random)


def mouse(shape: Shape, random: Random) -> Picture:
    """28×28, drawn with the mouse: a thin or a fat line, not centred."""
    thin = random.random() < 0.5
    half = random.uniform(0.5, 0.75) if thin else random.uniform(1.0, 1.9)
    hand = Hand((0.5, 0.85), (0.0, 0.0), half, 10, stray=0.9)
    cover = write(shape, random, (28, 28), hand, bool(random.random() < 0.6))
    return lossless(either(cover, random), random)


def jpeg20(shape: Shape, random: Random) -> Picture:
    """A small picture at JPEG quality 20."""
    side = int(random.integers(28, 110))
    cover = write(shape, random, (side, side), Hand((0.55, 0.85), (0.03, 0.075), 0.9))
    values = laid(plane((side, side), grey(0.97)), cover, pen_colour(random))
    image = image_of(values) if random.random() < 0.6 else either(cover, random)
    return Picture(image, "JPEG", 20)


def thin(shape: Shape, random: Random) -> Picture:
    """Hair lines."""
    hand = Hand((0.5, 0.85), (0.003, 0.01), 0.6)
    return lossless(either(write(shape, random, square(random), hand), random), random)


def fat(shape: Shape, random: Random) -> Picture:
    """As fat as can be read."""
    hand = Hand((0.5, 0.8), (0.075, 0.1), 1.0)
    return lossless(either(write(shape, random, square(random), hand), random), random)


def off_centre(shape: Shape, random: Random) -> Picture:
    """Small, anywhere on the canvas."""
    size = (int(random.integers(80, 500)), int(random.integers(80, 500)))
    cover = write(shape, random, size, Hand((0.25, 0.5), (0.03, 0.075), 0.8, stray=1.0))
    return lossless(either(cover, random), random)


def rotated(shape: Shape, random: Random) -> Picture:
    """Turned by 10 to 20 degrees."""
    turn = random.uniform(10, 20) * random.choice([-1, 1])
    ink = render(shape, random.uniform(60, 300), random.uniform(0.025, 0.07), turn)
    pad = int(max(ink.shape) * random.uniform(0.1, 0.4))
    return lossless(either(np.pad(ink, pad), random), random)


def inverted(shape: Shape, random: Random) -> Picture:
    """Light ink on dark paper: coloured pencils, gel pens, a night theme."""
    size = square(random)
    cover = write(shape, random, size, Hand((0.45, 0.8), (0.02, 0.065), 0.9))
    cover = cover * roughness(random, size, 0.25)
    names = list(INKS)
    dark = tuple(band * 0.6 for band in INKS[names[random.integers(len(names))]])
    values = laid(
        plane(size, (dark[0], dark[1], dark[2])), cover, (0.9, 0.9, random.uniform(0.5, 1))
    )
    return Picture(image_of(values + grain(random, size, 0.015)[..., None]), "JPEG", 85)


def eight(shape: Shape, random: Random) -> Picture:
    """8×8, as scikit-learn shows its digits."""
    ink = render(shape, 31, 0.058)
    side = 32 if max(ink.shape) <= 32 else max(ink.shape)
    page = np.zeros((side, side), np.float32)
    top, left = (side - ink.shape[0]) // 2, (side - ink.shape[1]) // 2
    page[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    image = image_of(page).resize((8, 8), Image.Resampling.BOX)
    values = np.asarray(image, np.float32) / 255
    return Picture(either(values / values.max(), random), "PNG")


KINDS: dict[str, Kind] = {
    "paint": paint,
    "one pixel": one_pixel,
    "corner": corner,
    "filling": filling,
    "touching": touching,
    "mouse 28x28": mouse,
    "JPEG 20": jpeg20,
    "thin": thin,
    "fat": fat,
    "off centre": off_centre,
    "rotated": rotated,
    "inverted": inverted,
    "8x8": eight,
}
LARGE: dict[str, Kind] = {"canvas 1500": large_canvas}
