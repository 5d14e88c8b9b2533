"""Which sizes of pictures are findings, and that those which vary by nature are none."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mnist_edge.datasets import ImageOptions, load
from mnist_edge.datasets.odd_sizes import enlargement, find_odd_sizes, is_odd_sized
from mnist_edge.image_shape import Fit, ImageShape

Sizes = NDArray[np.int64]
SHAPE = ImageShape(64, 64)


def sizes(*pairs: tuple[int, int]) -> Sizes:
    return np.array(pairs, np.int64)


def odd(pairs: Sizes, labels: list[int] | None = None) -> list[int]:
    own = np.zeros(len(pairs), np.int64) if labels is None else np.array(labels, np.int64)
    return np.flatnonzero(is_odd_sized(pairs, own)).tolist()


@pytest.mark.parametrize(
    ("fit", "times"), [(Fit.PAD, [1.0, 2.0, 1.0, 0.5, 0.0]), (Fit.CROP, [1.0, 4.0, 8.0, 0.5, 0.0])]
)
def test_how_many_times_a_picture_is_enlarged(fit: Fit, times: list[float]) -> None:
    pictures = sizes((64, 64), (32, 16), (8, 64), (128, 128), (0, 0))
    assert enlargement(pictures, SHAPE, fit).tolist() == times


@pytest.mark.parametrize("one", [(30, 30), (140, 140), (64, 30), (200, 64)])
def test_one_that_differs_from_all_others_is_odd(one: tuple[int, int]) -> None:
    for others in (3, 12, 400):
        assert odd(sizes(*[(64, 64)] * others, one)) == [others]


@pytest.mark.parametrize("one", [(64, 48), (48, 64), (40, 44), (90, 96)])
def test_what_differs_a_little_is_not(one: tuple[int, int]) -> None:
    assert odd(sizes(*[(64, 64)] * 40, one)) == []


def test_sizes_that_vary_by_nature_are_not_odd() -> None:
    random = np.random.default_rng(0)
    uniform = random.integers(20, 200, (500, 2))
    scales = np.exp(random.normal(4, 0.7, (500, 1)))  # a third above twice, or below half
    lognormal = np.maximum(1, scales * np.exp(random.normal(0, 0.2, (500, 2)))).astype(np.int64)
    two_cameras = sizes(*[(640, 480)] * 80, *[(100, 100)] * 20)
    upright = sizes(*[(640, 480)] * 80, *[(480, 640)] * 5)
    for pictures in (uniform, lognormal, two_cameras, upright):
        assert len(odd(pictures)) <= 0.01 * len(pictures)
    assert odd(np.concatenate([lognormal, sizes((4000, 3000), (60, 900))])) == [500, 501]


def test_a_class_of_narrow_things_is_not_odd() -> None:
    ones, others = [(10, 40)] * 8, [(30, 40)] * 92
    labels = [1] * 8 + [0] * 92
    assert odd(sizes(*ones, *others), labels) == []
    assert odd(sizes(*ones, *others), [1] * 7 + [0] * 93) == [7]


def test_tiny_ones_come_smallest_first_and_are_not_odd_besides() -> None:
    pictures = sizes(*[(64, 64)] * 50, (31, 20), (8, 8), (300, 30), (0, 0))
    found = find_odd_sizes(pictures, np.zeros(54, np.int64), SHAPE, Fit.PAD)
    assert found is not None
    assert found.tiny == {51: 8.0, 50: 64 / 31}
    assert found.odd == (52,)
    assert found.median == (64, 64)
    assert not found.is_of_tiny


def test_where_many_are_tiny_it_is_the_set_that_is_said_to_be() -> None:
    pictures = sizes(*[(20, 20)] * 30, *[(64, 64)] * 70)
    found = find_odd_sizes(pictures, np.zeros(100, np.int64), SHAPE, Fit.PAD)
    assert found is not None
    assert (len(found.tiny), found.is_of_tiny, found.odd) == (30, True, ())


def test_sizes_that_nobody_knows_say_nothing() -> None:
    assert find_odd_sizes(sizes((0, 0)), np.zeros(1, np.int64), SHAPE, Fit.PAD) is None


def test_the_sizes_of_joined_sets_are_those_of_their_parts(tmp_path: Path) -> None:
    for name, side in (("0", 40), ("1", 50)):
        (tmp_path / name).mkdir()
        for at in range(8):
            Image.new("L", (side, side + at), 10 * at).save(tmp_path / name / f"{at}.png")
    own = load(f"folder:{tmp_path}", options=ImageOptions((28, 28), False))
    joined = load(f"digits+folder:{tmp_path}")
    assert own.sizes is not None
    assert joined.sizes is not None
    places = [at for at, name in enumerate(joined.names) if not name.startswith("digits/")]
    assert np.array_equal(joined.sizes[places], own.sizes)
    assert joined.sizes.sum() == own.sizes.sum()
    assert len(joined.sizes) == len(joined.train) + len(joined.test)
