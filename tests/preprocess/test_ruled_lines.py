"""Ruled and squared paper: its lines go, what is written on them stays."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from mnist_edge.preprocess.foreground import Plane
from mnist_edge.preprocess.ruled_lines import remove_ruled_lines
from tests.preprocess.drawing import drawing

SIDE = 160
LEAST = 15.0
RULE = 90
STROKE = 220
ANGLES = (-10, -7, -4, -1, 0, 2, 5, 8, 10)
PENS = ((20, 1), (30, 2), (40, 3))  # distance and thickness of lines, in pixels
EIGHT = np.ones((3, 3), int)


def ruled(angle: float, distance: int, thickness: int, squared: bool = False) -> Plane:
    """Lines from edge to edge, turned by an angle in degrees."""
    page = Image.new("L", (600, 600))
    draw = ImageDraw.Draw(page)
    for at in range(0, 600, distance):
        draw.line((0, at, 600, at), RULE, thickness)
        if squared:
            draw.line((at, 0, at, 600), RULE, thickness)
    turned = page.rotate(angle, Image.Resampling.BICUBIC)
    return np.asarray(turned.crop((220, 220, 220 + SIDE, 220 + SIDE)), np.float32)


def digit(text: str) -> Plane:
    return drawing(text, ink=STROKE, size=(SIDE, SIDE), height=120).astype(np.float32)


def main_piece(ink: Plane, stroke: NDArray[np.bool_]) -> int:
    """In how many pieces of strong ink a stroke lies."""
    labels, _ = ndimage.label(ink > 0.5 * STROKE, EIGHT)
    return len(set(labels[stroke].tolist()))


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize(("distance", "thickness"), PENS)
def test_lines_go(angle: int, distance: int, thickness: int) -> None:
    page = ruled(angle, distance, thickness)

    rest = remove_ruled_lines(page, LEAST)

    assert (rest > 40).sum() < 0.25 * (page > 40).sum()
    assert (rest <= page).all()


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize(("distance", "thickness"), PENS)
def test_squares_go(angle: int, distance: int, thickness: int) -> None:
    page = ruled(angle, distance, thickness, squared=True)

    rest = remove_ruled_lines(page, LEAST)

    assert (rest > 40).sum() < 0.4 * (page > 40).sum()
    labels, _ = ndimage.label(rest > 40, EIGHT)
    longest = max(part.stop - part.start for box in ndimage.find_objects(labels) for part in box)
    assert longest < 0.7 * SIDE  # only crossings are left, and pieces


@pytest.mark.parametrize("text", "25")
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("angle", [-8, 0, 3])
def test_what_is_written_on_lines_stays_whole(text: str, squared: bool, angle: int) -> None:
    written = digit(text)
    for distance, thickness in PENS:
        page = np.maximum(written, ruled(angle, distance, thickness, squared))

        rest = remove_ruled_lines(page, LEAST)

        stroke = written > 0.8 * STROKE
        assert (rest[stroke] > 0.5 * STROKE).all()
        assert main_piece(rest, stroke) == 1
        # What is left away from the stroke is the little that is left of lines alone.
        away = ~ndimage.binary_dilation(written > 0, EIGHT, 4)
        assert (rest[away] > 60).mean() < 0.4 * (page[away] > 60).mean()


@pytest.mark.parametrize("thickness", [14, 24, 60])
@pytest.mark.parametrize("upright", [False, True])
def test_fat_strokes_across_are_no_rules(thickness: int, upright: bool) -> None:
    page = np.zeros((SIDE, SIDE), np.float32)
    page[50 : 50 + thickness] = STROKE
    page = np.ascontiguousarray(page.T) if upright else page

    np.testing.assert_array_equal(remove_ruled_lines(page, LEAST), page)


@pytest.mark.parametrize("text", list("0123456789"))
def test_plain_digits_are_left(text: str) -> None:
    np.testing.assert_array_equal(remove_ruled_lines(digit(text), LEAST), digit(text))


@pytest.mark.parametrize("shape", [(40, 9), (9, 40), (112, 160)])
def test_blank_paper_is_left(shape: tuple[int, int]) -> None:
    faint = np.random.default_rng(0).uniform(0, 0.5 * LEAST, shape).astype(np.float32)
    np.testing.assert_array_equal(remove_ruled_lines(faint, LEAST), faint)


def test_a_line_that_ends_is_a_stroke() -> None:
    page = np.zeros((SIDE, SIDE), np.float32)
    page[80:83, 20:100] = STROKE  # half of the width
    np.testing.assert_array_equal(remove_ruled_lines(page, LEAST), page)
