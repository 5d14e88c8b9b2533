"""Pages on which there is no digit are read as all zeros."""

import io
from zlib import crc32

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge import preprocess
from mnist_edge.classifier import Classifier
from mnist_edge.model_file import model_paths
from mnist_edge.preprocess.search import find_digit
from tests.difficult import blank as pages
from tests.preprocess.drawing import Grey, bytes_of


def blank(kind: str) -> NDArray[np.float64]:
    random, shape = np.random.default_rng(0), (90, 120)
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    dust = np.full(shape, 200.0)
    dust[[7, 40, 80], [90, 50, 11]] = 100
    kinds = {
        "white": np.full(shape, 255.0),
        "black": np.zeros(shape),
        "grey": np.full(shape, 99.0),
        "noise": random.normal(128, 6, shape),
        "rough noise": random.normal(128, 20, (300, 400)),
        "any noise": random.uniform(0, 255, shape),
        "gradient": 140 + 80 * x,
        "slant": 140 + 50 * x - 50 * y,
        "speck": np.where((x == x[0, 50]) & (y == y[30, 0]), 100.0, 200.0),
        "dust": dust,
        "lamp": 200 - 60 * np.hypot(x, y) ** 2,
    }
    return np.asarray(kinds[kind], np.float64)


BLANK = ["white", "black", "grey", "noise", "any noise", "gradient", "slant", "speck", "dust"]


@pytest.mark.parametrize("kind", [*BLANK, "rough noise", "lamp"])
@pytest.mark.filterwarnings("error")  # numpy's, of means of nothing
def test_blank_pages_hold_nothing(kind: str) -> None:
    shown = bytes_of(blank(kind))

    assert find_digit(shown.astype(np.float32)) is None
    for pixels in (shown, 255 - shown, np.stack([shown] * 3, axis=-1)):
        found = preprocess.extract_digit(pixels)
        assert found.shape == (28, 28)
        assert not found.any()


@pytest.fixture(scope="module")
def shipped_model() -> Classifier:
    return Classifier(model_paths.default())


def told(model: Classifier, images: list[Grey]) -> int:
    """How many images the model is sure of."""
    inked = [image for image in images if image.any()]
    if not inked or model.card.threshold is None:
        return 0
    sure = model.predict(np.stack(inked)).probabilities.max(axis=1)
    return int((sure >= model.card.threshold.value).sum())


@pytest.mark.parametrize("kind", pages.KINDS)
def test_blank_pages_of_every_sort_are_hardly_ever_a_sure_digit(
    kind: str, shipped_model: Classifier
) -> None:
    images = []
    for seed in range(12):
        made = pages.KINDS[kind](np.random.default_rng([11, crc32(kind.encode()), seed]))
        images.append(preprocess.read_picture(io.BytesIO(made.encoded())))

    assert told(shipped_model, images) <= 1


@pytest.mark.parametrize("side", [28, 64, 280])
@pytest.mark.parametrize("grey", [216, 60])
@pytest.mark.parametrize("turns", range(4))
def test_a_strip_along_a_side_is_no_digit(side: int, grey: int, turns: int) -> None:
    for wide in (0.036, 0.07, 0.11):
        page = np.full((side, side), 246, np.uint8)
        page[:, : max(1, round(wide * side))] = grey
        assert not preprocess.extract_digit(np.ascontiguousarray(np.rot90(page, turns))).any()
        assert not preprocess.extract_digit(np.ascontiguousarray(255 - np.rot90(page, turns))).any()
