import numpy as np
import pytest

from mnist_edge.datasets import Dataset
from mnist_edge.datasets import digits as uci
from mnist_edge.datasets.detect_kind import detect_kind
from mnist_edge.image_kind import ImageKind
from mnist_edge.types import Images


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return uci.load()


def glyphs(background: int, ink: int) -> Images:
    """A stroke across the middle of each image, on a background with a little noise."""
    random = np.random.default_rng(0)
    images = np.clip(random.normal(background, 4, (20, 32, 48)), 0, 255).astype(np.uint8)
    images[:, 8:24, 20:26] = ink
    return images


@pytest.mark.parametrize(("background", "ink"), [(0, 255), (240, 20), (128, 200)])
def test_strokes_on_an_even_background_are_glyphs(background: int, ink: int) -> None:
    assert detect_kind(glyphs(background, ink)) is ImageKind.GLYPHS


def test_digits_are_glyphs_and_a_set_says_its_kind(digits: Dataset) -> None:
    assert detect_kind(digits.train.images) is digits.kind is ImageKind.GLYPHS


def test_what_fills_its_image_is_a_photograph() -> None:
    """As clothes do, which cover half of it (Fashion-MNIST: 0.52 are background), and scenes."""
    clothes = np.zeros((20, 28, 28), np.uint8)
    clothes[:, 3:25, 6:23] = np.random.default_rng(0).integers(40, 255, (20, 22, 17))
    scenes = np.cumsum(np.ones((20, 32, 32), np.uint8) * 7, axis=1, dtype=np.uint8)
    assert detect_kind(clothes) is detect_kind(scenes) is ImageKind.PHOTOGRAPHS


def test_what_is_in_colour_is_a_photograph() -> None:
    assert detect_kind(np.repeat(glyphs(0, 255)[..., None], 3, axis=3)) is ImageKind.PHOTOGRAPHS


def test_many_images_are_judged_as_few(digits: Dataset) -> None:
    many = np.concatenate([digits.train.images] * 3)
    assert detect_kind(many) is detect_kind(many[:1]) is ImageKind.GLYPHS
