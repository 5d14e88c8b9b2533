"""Digits that are at hand everywhere: inputs to time, not to score."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mnist_edge.types import SIDE


def render_digits(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Digits in Pillow's own font, uint8 (count, 28, 28), each of another size and place.

    They stand in for test images where no data set is at hand: inputs to time, not to score.
    """
    random = np.random.default_rng(seed)
    fonts = [ImageFont.load_default(size=size) for size in range(16, 27, 2)]
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for at in range(count):
        field = Image.new("L", (SIDE, SIDE))
        place = tuple(random.uniform(10, 18, 2))
        font = fonts[random.integers(len(fonts))]
        ImageDraw.Draw(field).text(place, str(at % 10), 255, font, anchor="mm")
        images[at] = np.asarray(field)
    return images
