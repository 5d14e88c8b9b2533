"""Digits drawn with Pillow's own font, on pages of any grey: what the tests of pictures read."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Grey = NDArray[np.uint8]
Box = tuple[int, int, int, int]  # left, top, right, bottom: half-open


def drawing(
    text: str = "4",
    paper: int = 0,
    ink: int = 255,
    size: tuple[int, int] = (120, 90),
    height: float | None = None,
) -> Grey:
    """A character a little off the middle of a page of `size` (height, width)."""
    page = Image.new("L", (size[1], size[0]), paper)
    font = ImageFont.load_default(size=height or size[0] / 2)
    place = (size[1] * 0.45, size[0] * 0.47)
    ImageDraw.Draw(page).text(place, text, ink, font, anchor="mm")
    return np.asarray(page)


def written(page: Grey, text: str, height: float, place: tuple[float, float], ink: int = 0) -> Grey:
    """A copy of a page with a character in its middle at `place` (x, y)."""
    image = Image.fromarray(page)
    font = ImageFont.load_default(size=height)
    ImageDraw.Draw(image).text(place, text, ink, font, anchor="mm")
    return np.asarray(image)


def extent(image: Grey, least: int = 0) -> tuple[int, int]:
    """Height and width of what is lighter than `least`."""
    rows, columns = np.nonzero(image > least)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def likeness(one: Grey, other: Grey) -> float:
    """The correlation of two images of 28×28, at the shift of a pixel at which it is best."""
    return max(
        float(np.corrcoef(np.roll(one, (dy, dx), (0, 1)).ravel(), other.ravel())[0, 1])
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    )


def bytes_of(values: NDArray[np.float64]) -> Grey:
    return np.asarray(np.round(values.clip(0, 255)), np.uint8)


def not_yet(reason: str) -> pytest.MarkDecorator:
    """What is known to go wrong; says so when it goes right."""
    return pytest.mark.xfail(reason=reason, strict=True)
