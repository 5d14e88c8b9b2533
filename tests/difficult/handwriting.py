"""What strangers' pictures bring: dashes in a 0, strokes that fade, turned sheets, tight crops."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.difficult.canvas import Picture, Random, blurred, image_of, render
from tests.difficult.strokes import Field, Shape

Grey = NDArray[np.uint8]

_FINER = 4


def ring(random: Random) -> Picture:
    """A 0 with a dash or a dot in it, that touches two edges of its picture."""
    wide, high = int(random.integers(26, 40)), 56
    left = int(random.integers(4, 60 - wide))
    width = int(random.integers(3, 6))
    image = Image.new("L", (60, high), 255)
    pen = ImageDraw.Draw(image)
    pen.ellipse((left, 0, left + wide, high - 1), outline=0, width=width)
    x, y = left + wide // 2 + int(random.integers(-3, 4)), int(random.integers(17, 26))
    pen.line((x, y, x + 1, y + int(random.integers(4, 15))), 0, width)
    values: Field = np.asarray(image, np.float32) / np.float32(255)
    return Picture(image_of(_either(blurred(values, random.uniform(0, 0.7)), random)), "PNG")


def fading_eight(random: Random) -> Picture:
    """An 8 whose upper left arc is fainter and thinner than the rest."""
    at, wide, grey = random.uniform(24, 28), random.uniform(2.5, 3.5), random.uniform(150, 190)
    upper, lower = ((at - 9, 6, at + 9, 24), (at - 10, 24, at + 10, 44))
    arcs = [
        (upper, 90, 270, 0.55 * wide, grey),
        (lower, 250, 290, 0.8 * wide, grey - 60),
        (upper, -90, 90, wide, 10),
        (lower, -70, 250, wide, 10),
    ]
    image = Image.new("L", (50 * _FINER, 52 * _FINER), 255)
    pen = ImageDraw.Draw(image)
    for box, start, end, width, level in arcs:
        pen.arc(_fine(box), start, end, round(level), round(width * _FINER))
    values: Field = np.asarray(image.reduce(_FINER), np.float32) / np.float32(255)
    return Picture(image_of(_either(blurred(values, 1), random)), "PNG")


def _fine(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return left * _FINER, top * _FINER, right * _FINER, bottom * _FINER


def _either(values: Field, random: Random) -> Field:
    return values if random.random() < 0.5 else 1 - values


def turned_sheet(shape: Shape, random: Random) -> Picture:
    """A sheet turned by up to 35° on a table, from edge to edge of the picture or not; specks."""
    wide, high = 150, 170
    ink = render(shape, random.uniform(95, 115), random.uniform(0.045, 0.055))
    page = np.ones((high, wide), np.float32)
    top, left = (high - ink.shape[0]) // 2, (wide - ink.shape[1]) // 2
    page[top : top + ink.shape[0], left : left + ink.shape[1]] -= ink
    degrees = float(random.uniform(-35, 35))
    turned = image_of(page).rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    values: Field = np.asarray(turned, np.float32) / np.float32(255)
    values = np.where(random.random(values.shape) < 0.01, np.float32(1), values)
    beside = int(random.integers(0, 20)) * int(random.integers(0, 2))
    return Picture(image_of(_either(np.pad(values, beside), random)), "PNG")


def tight_crop(image: Grey, random: Random) -> Picture:
    """An MNIST digit (28, 28) without any paper around it, enlarged."""
    rows, columns = np.nonzero(image > 30)
    crop = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    zoom = int(random.choice([4, 6]))
    large = crop.repeat(zoom, axis=0).repeat(zoom, axis=1)
    return Picture(Image.fromarray(large if random.random() < 0.5 else 255 - large), "PNG")
