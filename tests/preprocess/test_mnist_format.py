"""MNIST's form: recognised as it is, and made as it was made; against MNIST, scipy and Pillow."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from mnist_edge import preprocess
from mnist_edge.datasets import Dataset
from mnist_edge.preprocess import mnist_format
from mnist_edge.preprocess.mnist_format import (
    centre,
    has_mnist_format,
    have_mnist_format,
    stroke_width,
    to_mnist_format,
)
from tests.preprocess.drawing import Grey, drawing, extent

SHAPES = [(1, 1), (1, 300), (300, 1), (5, 28), (28, 28), (700, 40)]
EIGHT = np.ones((3, 3), int)


def ring(radius: float, width: float, side: int = 200) -> Grey:
    """A ring with soft edges: every angle alike, so that its width is known."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    away = np.abs(np.hypot(x, y) - radius)
    return np.asarray(np.round(np.clip(width / 2 + 0.5 - away, 0, 1) * 255), np.uint8)


def pieces(image: Grey) -> int:
    return int(ndimage.label(image > 127, EIGHT)[1])


# Recognised


def test_all_of_mnist_has_the_form(mnist: Dataset) -> None:
    assert all(has_mnist_format(image) for image in mnist.test.images)
    assert all(has_mnist_format(image) for image in mnist.train.images[::25])


def test_mnist_passes_unchanged_and_inverted_too(mnist: Dataset) -> None:
    for image in mnist.test.images:
        assert np.array_equal(preprocess.extract_digit(image), image)
    for image in mnist.test.images[::10]:
        assert np.array_equal(preprocess.extract_digit(255 - image), image)


def test_what_was_moved_or_fattened_has_not_the_form(mnist: Dataset) -> None:
    images = mnist.test.images[:500]
    for shift in [(2, 0), (0, -2), (3, 3)]:
        assert not any(has_mnist_format(np.roll(image, shift, (0, 1))) for image in images)
    fat = [ndimage.grey_dilation(image, (5, 5)) for image in images]
    assert not any(map(has_mnist_format, fat))
    thin = [ndimage.grey_erosion(image, (3, 3)) for image in images]
    assert np.mean([has_mnist_format(image) for image in thin]) < 0.25
    assert not any(has_mnist_format(image // 2) for image in images)
    assert not any(has_mnist_format(255 - image) for image in images)


@pytest.mark.parametrize("density", [0.02, 0.1, 0.5, 0.9, 1.0])
def test_noise_has_not_the_form(density: float) -> None:
    random = np.random.default_rng(0)
    dots = np.where(random.random((200, 28, 28)) < density, 255, 0).astype(np.uint8)
    assert not any(map(has_mnist_format, dots))
    assert not any(map(has_mnist_format, (dots * random.random((200, 28, 28))).astype(np.uint8)))


@pytest.mark.parametrize("shape", [(28, 27), (20, 20), (56, 56)])
def test_only_28_by_28_can_have_the_form(shape: tuple[int, int]) -> None:
    assert not has_mnist_format(
        np.asarray(Image.fromarray(to_mnist_format(drawing())).resize(shape[::-1]))
    )
    assert has_mnist_format(to_mnist_format(drawing()))


# Measured


def masks() -> list[NDArray[np.bool_]]:
    random = np.random.default_rng(0)
    sparse = [random.random((28, 28)) < density for density in np.geomspace(0.002, 1, 60)]
    dots = np.eye(28 * 28, dtype=bool)[:: 28 * 27 // 28].reshape(-1, 28, 28)
    return [mask for mask in [*sparse, *dots, ~dots[5]] if mask.any()]


def test_extents_are_those_of_the_boxes() -> None:
    for mask in masks():
        stacked = np.stack([mask])
        found = tuple(mnist_format._extent(stacked.max(axis=axis))[0] for axis in (2, 1))
        assert found == extent(np.where(mask, 255, 0).astype(np.uint8))


def test_many_are_told_as_each_alone() -> None:
    random = np.random.default_rng(1)
    written = [to_mnist_format(drawing(str(text), size=(60, 50))) for text in range(10)]
    moved = [np.roll(image, 2, 1) for image in written]
    noise = random.integers(0, 256, (20, 28, 28)).astype(np.uint8)
    images = np.stack([*written, *moved, *noise, np.zeros((28, 28), np.uint8)])
    told = have_mnist_format(images)
    assert told.tolist() == [has_mnist_format(image) for image in images]
    assert told[:10].all()
    assert not told[10:].any()


def test_outline_is_what_scipy_sees() -> None:
    for mask in masks()[::4]:
        neighbours = ndimage.convolve(
            mask.astype(int), np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]), mode="constant"
        )
        edges = int((4 - neighbours)[mask].sum())
        wanted = 2 * mask.sum() / (edges * np.pi / 4)
        assert stroke_width(np.where(mask, 255, 0).astype(np.uint8)) == pytest.approx(wanted)


@pytest.mark.parametrize("width", [4, 8, 15, 30])
def test_stroke_width_of_rings(width: int) -> None:
    assert stroke_width(ring(70, width)) == pytest.approx(width, rel=0.03)


@pytest.mark.parametrize("width", [3, 5, 9])
def test_stroke_width_of_bars_at_all_angles(width: int) -> None:
    bar = Image.new("L", (200, 200))
    bar.paste(255, (20, 100 - width // 2, 180, 100 - width // 2 + width))
    turned = [bar.rotate(angle, Image.Resampling.BICUBIC) for angle in range(0, 90, 5)]

    found = [stroke_width(np.asarray(image)) for image in turned]

    assert np.mean(found) == pytest.approx(width * 160 / (160 + width), rel=0.06)
    assert stroke_width(np.zeros((9, 9), np.uint8)) == 0


# Made


@pytest.mark.parametrize("text", list("0123456789"))
@pytest.mark.parametrize("size", [(40, 40), (64, 200), (700, 300)])
def test_ink_is_20_long_with_its_mass_in_the_middle(text: str, size: tuple[int, int]) -> None:
    page = drawing(text, size=size)

    found = to_mnist_format(page)

    height, width = extent(found, 0)
    assert max(height, width) == pytest.approx(20, abs=1)
    wanted = extent(page, round(0.15 * 255))
    assert height / width == pytest.approx(wanted[0] / wanted[1], rel=0.2)
    np.testing.assert_allclose(ndimage.center_of_mass(found), (14, 14), atol=0.5 + 1e-9)
    assert found.max() == 255
    assert has_mnist_format(found)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form_of", [centre, to_mnist_format])
def test_extreme_shapes(form_of: object, shape: tuple[int, int]) -> None:
    found = form_of(np.full(shape, 255, np.uint8))  # type: ignore[operator]

    assert (found.shape, found.dtype) == ((28, 28), np.dtype(np.uint8))
    assert max(extent(found)) >= 17  # fat ones are eroded
    np.testing.assert_allclose(ndimage.center_of_mass(found), (14, 14), atol=0.5 + 1e-9)


@pytest.mark.parametrize("form_of", [centre, to_mnist_format])
def test_nothing_stays_nothing(form_of: object) -> None:
    for shape in [(40, 30), (1, 1)]:
        assert not form_of(np.zeros(shape, np.uint8)).any()  # type: ignore[operator]


def test_mass_far_from_the_middle_stays_in_the_field() -> None:
    lopsided = np.zeros((100, 100), np.uint8)
    lopsided[10:90, 10:14] = 255  # a heavy stroke, and far away
    lopsided[88:90, 10:95] = 255

    assert max(extent(centre(lopsided))) == 20


def test_real_mnist_lies_where_it_would_be_placed(mnist: Dataset) -> None:
    moved = []
    for image in mnist.test.images[:300]:
        large = image.repeat(10, axis=0).repeat(10, axis=1)
        shift = np.subtract(ndimage.center_of_mass(centre(large)), ndimage.center_of_mass(image))
        moved.append(np.abs(shift).max())

    assert np.median(moved) < 0.05
    assert np.mean(np.array(moved) > 0.5) < 0.03  # rounded to the other pixel


@pytest.mark.parametrize("width", [1.5, 3, 6, 12, 20, 35])
def test_strokes_come_to_the_widths_of_mnist(width: float) -> None:
    found = to_mnist_format(ring(80, width))

    assert 1.6 <= stroke_width(found) <= 4.4
    assert pieces(found) == 1
    assert pieces(255 - found) == 2  # its hole is there


@pytest.mark.parametrize("text", list("0123456789"))
@pytest.mark.parametrize("thickness", [-5, 1, 11, 21])
def test_strokes_stay_in_one_piece(text: str, thickness: int) -> None:
    page = drawing(text, size=(200, 200), height=160)
    square = (abs(thickness), abs(thickness))
    page = (ndimage.grey_erosion if thickness < 0 else ndimage.grey_dilation)(page, square)
    assert pieces(page) == 1

    found = to_mnist_format(page)

    assert pieces(found) == 1
    assert 1.5 <= stroke_width(found) <= 6


def test_strokes_within_the_range_are_left() -> None:
    page = ring(80, 22)  # 182 from edge to edge
    assert stroke_width(to_mnist_format(page)) == pytest.approx(22 * 20 / 182, rel=0.05)


@pytest.mark.parametrize("side", [56, 112])
@pytest.mark.parametrize("thin", [0.4, 0.5, 0.6, 0.7])
def test_a_thin_pen_leaves_a_narrow_head_open(thin: float, side: int) -> None:
    unit, pen = 4 * side / 28, round(4 * side / 28 * thin)
    page = Image.new("L", (4 * side, 4 * side))
    draw = ImageDraw.Draw(page)
    head = (12.2 * unit, 4 * unit, 15.8 * unit, 12 * unit)
    draw.ellipse(head, outline=255, width=pen)
    draw.line((head[2] - pen / 2, 8 * unit, 13.8 * unit, 24 * unit), 255, pen)

    found = to_mnist_format(np.asarray(page.reduce(4)))

    assert 1.9 <= stroke_width(found) <= 2.4
    assert pieces(255 - found) == 2


def test_grains_are_joined() -> None:
    random = np.random.default_rng(0)
    chalk = np.where(random.random((200, 200)) < 0.6, ring(80, 22), 0).astype(np.uint8)
    assert pieces(chalk) > 4

    assert pieces(to_mnist_format(chalk)) == 1


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_dilation_is_an_octagon(steps: int) -> None:
    dot = np.zeros((21, 21), np.uint8)
    dot[10, 10] = 200
    wanted: Grey = dot
    cross = ndimage.generate_binary_structure(2, 1)
    for step in range(steps):
        footprint = EIGHT if step % 2 else cross
        wanted = ndimage.grey_dilation(wanted, footprint=footprint)

    grown = mnist_format._dilate(dot, steps)[steps + 1 : -steps - 1, steps + 1 : -steps - 1]

    np.testing.assert_array_equal(grown, wanted)
