"""The digit on a page: found wherever it is, whatever lies around it, in both polarities."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from mnist_edge import preprocess
from mnist_edge.datasets import Dataset
from mnist_edge.preprocess.mnist_format import to_mnist_format
from tests.preprocess.drawing import Grey, bytes_of, drawing, likeness, not_yet, written

SIDE, HEIGHT = 200, 130
Y, X = np.mgrid[:SIDE, :SIDE] / (SIDE - 1)


def page(text: str, paper: int = 255, ink: int = 0) -> NDArray[np.float64]:
    return drawing(text, paper, ink, (SIDE, SIDE), HEIGHT).astype(np.float64)


def clean(text: str) -> Grey:
    """What each of the pages below should be read as."""
    return to_mnist_format(drawing(text, size=(SIDE, SIDE), height=HEIGHT))


def framed(text: str, margin: int, thickness: int = 3) -> Grey:
    image = Image.fromarray(bytes_of(page(text)))
    box = (margin, margin, SIDE - 1 - margin, SIDE - 1 - margin)
    ImageDraw.Draw(image).rectangle(box, outline=0, width=thickness)
    return np.asarray(image)


def specked(text: str, seed: int = 0) -> Grey:
    result = bytes_of(page(text)).copy()
    away = ndimage.distance_transform_edt(result > 128)
    for y, x in np.random.default_rng(seed).integers(2, SIDE - 2, (60, 2)):
        if away[y, x] > 8:
            result[y : y + 2, x : x + 2] = 0
    return result


def ruled(text: str, squared: bool) -> Grey:
    lines = Image.new("L", (300, 300), 255)
    draw = ImageDraw.Draw(lines)
    for at in range(0, 300, 25):
        draw.line((0, at, 300, at), 150, 1)
        if squared:
            draw.line((at, 0, at, 300), 150, 1)
    turned = lines.rotate(3, Image.Resampling.BICUBIC).crop((50, 50, 50 + SIDE, 50 + SIDE))
    return np.asarray(np.minimum(bytes_of(page(text)), np.asarray(turned)), np.uint8)


def noisy(text: str, paper: int, ink: int, spread: float) -> Grey:
    noise = np.random.default_rng(int(text)).normal(0, spread, (SIDE, SIDE))
    return bytes_of(page(text, paper, ink) + noise)


def cropped(text: str, *sides: str) -> Grey:
    """Cut so that the digit touches these sides."""
    whole = bytes_of(page(text))
    rows = np.flatnonzero((whole < 128).any(axis=1))
    columns = np.flatnonzero((whole < 128).any(axis=0))
    top, bottom = ("top" in sides) * rows[0], rows[-1] + 1 if "bottom" in sides else SIDE
    left, right = ("left" in sides) * columns[0], columns[-1] + 1 if "right" in sides else SIDE
    return whole[top:bottom, left:right]


def in_shadow(text: str, factor: float) -> Grey:
    """An edge of light straight through the digit."""
    return bytes_of(page(text, 230, 40) * np.where(X + Y < 0.9, factor, 1))


PAGES: dict[str, Callable[[str], Grey]] = {
    "plain": lambda text: bytes_of(page(text)),
    "gradient": lambda text: bytes_of(page(text, 230, 40) * (1 - 0.5 * X - 0.2 * Y)),
    "lamp": lambda text: bytes_of(page(text, 230, 40) * (1 - 0.8 * (X - 0.5) ** 2 - 0.5 * Y**2)),
    "light shadow": lambda text: in_shadow(text, 0.8),
    "frame": lambda text: framed(text, 6),
    "frame at the border": lambda text: framed(text, 0, 4),
    "specks": specked,
    "noise": lambda text: noisy(text, 200, 60, 15),
    "faint": lambda text: noisy(text, 200, 160, 3),
    "touches one side": lambda text: cropped(text, "bottom"),
    "touches two sides": lambda text: cropped(text, "left", "top"),
    "ruled": lambda text: ruled(text, squared=False),
    "fat": lambda text: ndimage.grey_erosion(bytes_of(page(text)), (11, 11)),
    "thin": lambda text: ndimage.grey_dilation(bytes_of(page(text)), (5, 5)),
}


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("text", "28")
def test_digits_are_read_as_from_a_clean_page(kind: str, text: str) -> None:
    shown = PAGES[kind](text)

    found, inverted = preprocess.extract_digit(shown), preprocess.extract_digit(255 - shown)

    assert likeness(found, clean(text)) > 0.8
    assert likeness(inverted, clean(text)) > 0.8


@pytest.mark.parametrize(
    "text", ["2", pytest.param("5", marks=not_yet("pieces of squares join the digit"))]
)
def test_squared_paper(text: str) -> None:
    assert likeness(preprocess.extract_digit(ruled(text, squared=True)), clean(text)) > 0.75


def test_a_fat_digit_that_fills_its_picture_is_no_sheet() -> None:
    shown = Image.new("L", (80, 124), 0)
    ImageDraw.Draw(shown).line([(0, 15), (65, 15), (64, 60), (45, 124)], 255, 28, joint="curve")
    seven = np.asarray(shown)
    assert likeness(preprocess.extract_digit(seven), to_mnist_format(seven)) > 0.9
    assert likeness(preprocess.extract_digit(255 - seven), to_mnist_format(seven)) > 0.9


DARKEST = not_yet("the edge of a shadow that takes half the light is read as ink")


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        *((text, 0.8) for text in "0123456789"),
        *((text, 0.65) for text in "0123456789"),
        pytest.param("4", 0.5, marks=DARKEST),
        pytest.param("7", 0.5, marks=DARKEST),
    ],
)
def test_shadows_through_the_digit(text: str, factor: float) -> None:
    assert likeness(preprocess.extract_digit(in_shadow(text, factor)), clean(text)) > 0.8


@pytest.mark.parametrize("text", "358")
def test_digits_that_fill_their_picture(text: str) -> None:
    shown = cropped(text, "left", "right", "top", "bottom")
    assert likeness(preprocess.extract_digit(shown), clean(text)) > 0.8
    assert likeness(preprocess.extract_digit(255 - shown), clean(text)) > 0.8


def test_most_tight_crops_of_mnist_are_read(mnist: Dataset) -> None:
    alike = []
    for image in mnist.test.images[100:120]:
        rows, columns = np.nonzero(image > 50)
        cropped = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        large = cropped.repeat(6, axis=0).repeat(6, axis=1)
        alike += [
            likeness(preprocess.extract_digit(shown), image) for shown in (large, 255 - large)
        ]

    assert np.mean(np.array(alike) > 0.75) > 0.95


@pytest.mark.parametrize("text", "0123456789")
@pytest.mark.parametrize("side", [8, 12])
def test_very_small_pictures(text: str, side: int) -> None:
    height = HEIGHT * (1.5 if side == 8 else 1.3)
    large = drawing(text, 255, 0, (SIDE, SIDE), height)
    small = np.asarray(Image.fromarray(large).resize((side, side), Image.Resampling.BOX))

    assert likeness(preprocess.extract_digit(small), clean(text)) > 0.6
    assert likeness(preprocess.extract_digit(255 - small), clean(text)) > 0.6


@pytest.mark.parametrize(("text", "place"), [("3", (1460, 40)), ("7", (40, 1455)), ("5", (750, 9))])
@pytest.mark.parametrize("height", [30, 60])
def test_tiny_in_a_corner_of_a_large_canvas(text: str, place: tuple[int, int], height: int) -> None:
    x, y = place[0], max(place[1], height // 2)
    canvas = written(np.full((1500, 1500), 255, np.uint8), text, height, (x, y))
    assert likeness(preprocess.extract_digit(canvas), clean(text)) > 0.8


def test_place_and_margins_do_not_matter() -> None:
    wanted = preprocess.extract_digit(bytes_of(page("4")))
    for place in [(60, 200), (300, 90), (180, 120)]:
        moved = written(np.full((300, 400), 255, np.uint8), "4", HEIGHT, place)
        assert likeness(preprocess.extract_digit(moved), wanted) > 0.95


def test_the_larger_of_two_is_taken() -> None:
    both = written(bytes_of(page("8")), "1", 30, (185, 20))
    assert likeness(preprocess.extract_digit(both), clean("8")) > 0.8


def test_parts_of_one_digit_stay_together() -> None:
    broken = bytes_of(page("5"))
    rows = np.flatnonzero((broken < 128).any(axis=1))
    broken[rows[len(rows) // 6] : rows[len(rows) // 6] + 8] = 255  # its bar is loose
    assert likeness(preprocess.extract_digit(broken), clean("5")) > 0.8


def test_reading_twice_gives_the_same() -> None:
    for kind in ("gradient", "specks", "noise"):
        np.testing.assert_array_equal(
            preprocess.extract_digit(PAGES[kind]("6")),
            preprocess.extract_digit(PAGES[kind]("6").copy()),
        )


def test_pixels_are_left_as_they_were() -> None:
    shown = specked("9")
    kept = shown.copy()
    shown.setflags(write=False)

    assert preprocess.extract_digit(shown).any()
    np.testing.assert_array_equal(shown, kept)


COLOURS = {
    "white": (255, 255, 255),
    "green": (0, 102, 0),  # as light as the red
    "red": (200, 0, 0),
    "blue": (20, 30, 160),
    "yellow": (240, 230, 120),
}


@pytest.mark.parametrize(
    ("ink", "paper"),
    [("red", "green"), ("green", "red"), ("blue", "white"), ("red", "yellow"), ("yellow", "blue")],
)
def test_coloured_ink_on_coloured_paper(ink: str, paper: str) -> None:
    much = page("2", 0, 1)[:, :, None]
    shown = bytes_of(much * np.array(COLOURS[ink]) + (1 - much) * np.array(COLOURS[paper]))
    assert likeness(preprocess.extract_digit(shown), clean("2")) > 0.8
