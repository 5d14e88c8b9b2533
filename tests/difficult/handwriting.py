"""What strangers' handwriting brings: dashes and dots in a 0."""

import numpy as np
from PIL import Image, ImageDraw

from tests.difficult.canvas import Picture, Random, blurred, image_of
from tests.difficult.strokes import Field


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


def _either(values: Field, random: Random) -> Field:
    return values if random.random() < 0.5 else 1 - values
