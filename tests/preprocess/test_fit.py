"""Pictures fitted into an image's shape: by properties, by a reference, and by shared vectors."""

import json
from itertools import product

import numpy as np
import pytest
from PIL import Image

from mnist_edge.image_shape import MNIST_SHAPE, Fit, ImageShape
from mnist_edge.preprocess import Pixels, fit_image, prepare_images
from tests.preprocess import fit_vectors

FITS = (Fit.PAD, Fit.CROP, Fit.ZERO_PAD)
SHAPES = (MNIST_SHAPE, ImageShape(32, 32, 3), ImageShape(96, 48, 3), ImageShape(20, 64))
SIZES = ((28, 28), (56, 56), (14, 28), (100, 30), (1, 500), (7, 7), (31, 333), (64, 20), (96, 48))


def noise(*dims: int) -> Pixels:
    return np.random.default_rng(sum(dims)).integers(0, 256, dims, np.uint8)


def test_the_vectors_are_as_written() -> None:
    written = json.loads(fit_vectors.FILE.read_text())
    assert written == [fit_vectors.expected(*case) for case in fit_vectors.CASES]
    assert len({one["sha256"] for one in written}) > 40  # no two pictures become the same


@pytest.mark.parametrize(("shape", "fit"), [*product(SHAPES, FITS)])
def test_every_picture_becomes_an_image_of_the_shape(shape: ImageShape, fit: Fit) -> None:
    for size in SIZES:
        for dims in (size, (*size, 3)):
            image = fit_image(noise(*dims), shape, fit)
            assert shape.holds(image[np.newaxis])


@pytest.mark.parametrize(("shape", "fit"), [*product(SHAPES, FITS)])
def test_a_picture_of_the_shape_stays_bit_by_bit(shape: ImageShape, fit: Fit) -> None:
    own = noise(*shape.dims)
    np.testing.assert_array_equal(fit_image(own, shape, fit), own)


@pytest.mark.parametrize("fit", FITS)
def test_colours_become_grey_by_their_luminance_and_grey_is_repeated(fit: Fit) -> None:
    grey, colour = noise(28, 28), noise(28, 28, 3)
    red, green, blue = colour.astype(np.int64).transpose(2, 0, 1)
    luminance = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16
    np.testing.assert_array_equal(fit_image(colour, MNIST_SHAPE, fit), luminance)
    repeated = fit_image(grey, ImageShape(28, 28, 3), fit)
    np.testing.assert_array_equal(repeated, np.stack([grey] * 3, axis=2))


@pytest.mark.parametrize(("size", "shape", "fit"), [*product(SIZES, SHAPES, FITS)])
def test_grey_among_colours_and_each_channel_are_fitted_alike(
    size: tuple[int, int], shape: ImageShape, fit: Fit
) -> None:
    in_grey, in_colour = (
        ImageShape(shape.height, shape.width),
        ImageShape(shape.height, shape.width, 3),
    )
    pixels = noise(*size, 3)
    image = fit_image(pixels, in_colour, fit)
    for channel in range(3):
        alone = fit_image(pixels[:, :, channel], in_grey, fit)
        np.testing.assert_array_equal(image[:, :, channel], alone)
        repeated = fit_image(pixels[:, :, channel], in_colour, fit)
        np.testing.assert_array_equal(repeated, np.stack([alone] * 3, axis=2))


@pytest.mark.parametrize(("size", "shape"), [*product(SIZES, SHAPES)])
def test_padding_keeps_the_aspect_in_the_middle(size: tuple[int, int], shape: ImageShape) -> None:
    image = fit_image(np.full(size, 90, np.uint8), shape, Fit.ZERO_PAD)
    used = (image if image.ndim == 2 else image[:, :, 0]) > 0
    scale = min(shape.height / size[0], shape.width / size[1])
    for axis, (side, whole) in enumerate(zip(size, shape.dims, strict=False)):
        filled = np.flatnonzero(used.any(axis=1 - axis))
        assert len(filled) == max(1, round(side * scale))
        assert abs((filled[0] + filled[-1] + 1) / 2 - whole / 2) <= 0.5
    assert set(np.unique(image)) <= {0, 90}


def test_what_is_left_over_gets_the_mean_of_the_border() -> None:
    pixels = np.zeros((32, 64, 3), np.uint8)  # halved, each channel by itself
    pixels[:] = 10, 200, 77
    pixels[8:-8, 8:-8] = 255  # out of the reach of the resampled border
    image = fit_image(pixels, ImageShape(32, 32, 3), Fit.PAD)
    for side in (image[:8], image[24:]):
        assert (side == [10, 200, 77]).all()
    zeros = fit_image(pixels, ImageShape(32, 32, 3), Fit.ZERO_PAD)
    assert not zeros[:8].any()
    np.testing.assert_array_equal(zeros[8:24], image[8:24])


def test_the_mean_counts_each_pixel_of_the_border_once_and_rounds_halves_up() -> None:
    pixels = np.zeros((16, 32), np.uint8)
    pixels[0, :] = 3  # 32 of the 92 at the border: 1.04
    image = fit_image(pixels, ImageShape(32, 32), Fit.PAD)
    assert (image[:8] == 1).all()
    pixels[:, 0], pixels[15, 1:15] = 3, 0  # 47: 1.53
    assert (fit_image(pixels, ImageShape(32, 32), Fit.PAD)[:8] == 2).all()
    half = np.zeros((16, 32), np.uint8)
    half[0], half[15, :14] = 1, 1  # 46 of 92
    assert (fit_image(half, ImageShape(32, 32), Fit.PAD)[:8] == 1).all()


def test_cropping_takes_the_middle_and_changes_no_pixel_that_need_not_change() -> None:
    wide, high = noise(32, 75, 3), noise(90, 48, 3)
    np.testing.assert_array_equal(fit_image(wide, ImageShape(32, 32, 3), Fit.CROP), wide[:, 21:53])
    np.testing.assert_array_equal(fit_image(high, ImageShape(48, 48, 3), Fit.CROP), high[21:69])


@pytest.mark.parametrize("shape", SHAPES)
def test_cropping_keeps_the_aspect(shape: ImageShape) -> None:
    """A square in the middle is as high as it is wide, whatever is left out beside it."""
    for high, wide in ((400, 400), (400, 700), (700, 400)):
        pixels = np.zeros((high, wide), np.uint8)
        pixels[high // 2 - 60 : high // 2 + 60, wide // 2 - 60 : wide // 2 + 60] = 255
        image = fit_image(pixels, shape, Fit.CROP)
        bright = (image if image.ndim == 2 else image[:, :, 0]).astype(np.float64) / 255
        assert abs(bright.max(axis=0).sum() - bright.max(axis=1).sum()) < 1


def test_resampling_is_near_to_what_pillow_makes_in_one_call() -> None:
    pixels = noise(120, 90, 3)
    image = fit_image(pixels, ImageShape(64, 48, 3), Fit.PAD)
    wanted = Image.fromarray(pixels).resize((48, 64), Image.Resampling.BICUBIC)
    assert np.abs(image.astype(int) - np.asarray(wanted).astype(int)).max() <= 1


def test_digits_are_looked_for_elsewhere() -> None:
    with pytest.raises(ValueError, match="prepare_images"):
        fit_image(noise(28, 28), MNIST_SHAPE, Fit.DIGIT)
    with pytest.raises(ValueError, match="28×28 grey, not of 32×32 colour"):
        prepare_images([noise(60, 60)], ImageShape(32, 32, 3))
    (found,) = prepare_images([noise(60, 60, 3)], ImageShape(32, 32, 3), Fit.PAD)
    assert (found.image.shape, found.digits, found.note()) == ((32, 32, 3), 1, None)
