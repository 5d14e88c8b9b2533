import numpy as np
import pytest

from mnist_edge import preprocess
from mnist_edge.image_shape import MNIST_SHAPE, Fit
from mnist_edge.preprocess.canvas import match_drawing, prepare_drawing
from mnist_edge.preprocess.mnist_format import has_mnist_format
from mnist_edge.types import Grey
from tests.preprocess.drawing import drawing, likeness, written
from tests.web.drawings import read, scribble

DRAWINGS = read()


@pytest.mark.parametrize(
    ("ink", "wanted", "boxed"), [one[1:] for one in DRAWINGS], ids=[one[0] for one in DRAWINGS]
)
def test_drawings_become_the_bytes_that_every_language_makes_of_them(
    ink: preprocess.Pixels, wanted: Grey, boxed: Grey
) -> None:
    assert np.array_equal(prepare_drawing(ink), wanted)
    assert np.array_equal(preprocess.fit_image(ink, MNIST_SHAPE, Fit.ZERO_PAD), boxed)


@pytest.mark.parametrize("seed", range(8))
def test_a_picture_of_a_drawing_becomes_the_same(seed: int) -> None:
    ink = scribble(seed, 280, 20)
    wanted = prepare_drawing(ink)
    assert match_drawing(ink) is not None
    assert np.array_equal(preprocess.extract_digit(ink), wanted)
    assert np.array_equal(preprocess.extract_digit(255 - ink), wanted)
    assert np.array_equal(
        preprocess.extract_digit(np.stack([255 - ink] * 3, axis=2)[:, :, 0]), wanted
    )


def test_digits_have_the_form_and_stay_what_they_are() -> None:
    for text in "0123456789":
        image = prepare_drawing(drawing(text, size=(280, 280)))
        assert has_mnist_format(image)
        assert likeness(image, prepare_drawing(drawing(text, size=(140, 140)))) > 0.9


def test_a_drawing_may_lie_anywhere() -> None:
    ink = drawing("4", size=(120, 90))
    moved = np.zeros((280, 280), np.uint8)
    moved[150:270, 5:95] = ink
    assert np.array_equal(prepare_drawing(moved), prepare_drawing(ink))


def test_specks_are_left_out_and_the_bar_of_a_5_is_not() -> None:
    ink = drawing("4", size=(280, 280)).copy()
    clean = prepare_drawing(ink)
    ink[4:8, 4:8] = 255
    assert np.array_equal(prepare_drawing(ink), clean)
    ink[4:50, 4:50] = 255
    assert not np.array_equal(prepare_drawing(ink), clean)


def test_an_empty_canvas_is_all_zeros() -> None:
    assert not prepare_drawing(np.zeros((280, 280), np.uint8)).any()


def _framed() -> preprocess.Pixels:
    page = drawing("4", size=(200, 200)).copy()
    page[10:13, 10:190] = page[187:190, 10:190] = 255
    page[10:190, 10:13] = page[10:190, 187:190] = 255
    return page


@pytest.mark.parametrize(
    "pixels",
    [
        _framed(),
        written(drawing("8", size=(200, 200)), "1", 30, (185, 20), ink=255),
        drawing("4", paper=3),
        drawing("4", size=(40, 40)),
        drawing("4") // 2,
        np.full((90, 90), 255, np.uint8),
        np.zeros((90, 90), np.uint8),
        np.pad(np.full((100, 100), 255, np.uint8), 30),
        np.random.default_rng(0).integers(0, 256, (90, 90), dtype=np.uint8),
        np.zeros((90, 90, 3), np.uint8),
    ],
    ids=[
        "frame",
        "two",
        "grey paper",
        "small",
        "faint",
        "white",
        "black",
        "square",
        "noise",
        "RGB",
    ],
)
def test_what_is_no_clean_drawing_of_one_digit_is_left_to_the_search(
    pixels: preprocess.Pixels,
) -> None:
    assert match_drawing(pixels) is None
