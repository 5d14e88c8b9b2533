"""Parts of a picture at the size at which they are looked at."""

import numpy as np
import pytest
from PIL import Image

from mnist_edge.preprocess.foreground import Plane
from mnist_edge.preprocess.view import Box, View, closer_box, view_of


def noise(height: int, width: int) -> Plane:
    return np.random.default_rng(0).uniform(0, 255, (height, width)).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "longest"),
    [((8, 8), 112), ((50, 112), 112), ((150, 100), 150), ((300, 192), 192), ((1500, 40), 192)],
)
def test_a_view_is_112_to_192_long(shape: tuple[int, int], longest: int) -> None:
    height, width = shape
    view = view_of(noise(height, width), (0, 0, width, height))

    assert max(view.grey.shape) == longest
    assert view.scale == pytest.approx(longest / max(shape))
    wanted = [max(1, side * view.scale) for side in shape]
    np.testing.assert_allclose(view.grey.shape, wanted, atol=0.51)
    assert view.grey.dtype == np.float32


@pytest.mark.parametrize("scale", [2, 3])
def test_large_parts_are_reduced_by_area(scale: int) -> None:
    grey = noise(192 * scale + 10, 120 * scale + 20)

    view = view_of(grey, (20, 10, 20 + 120 * scale, 10 + 192 * scale))

    part = grey[10:, 20:].reshape(192, scale, 120, scale)
    np.testing.assert_allclose(view.grey, part.mean((1, 3)), atol=1e-2)
    assert (view.left, view.top) == (20, 10)


def test_middle_sizes_are_left() -> None:
    grey = noise(200, 180)
    np.testing.assert_array_equal(view_of(grey, (10, 20, 160, 170)).grey, grey[20:170, 10:160])


def test_small_parts_are_enlarged_as_pillow_does() -> None:
    grey = noise(60, 56)
    wanted = Image.fromarray(grey[:56]).resize((112, 112), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(view_of(grey, (0, 0, 56, 56)).grey, np.asarray(wanted))


SHAPE = (1000, 1500)


def whole(shape: tuple[int, int] = SHAPE) -> View:
    return view_of(noise(*shape), (0, 0, shape[1], shape[0]))


@pytest.mark.parametrize("box", [(10, 10, 20, 20), (100, 60, 130, 100), (0, 0, 9, 30)])
def test_a_closer_part_holds_the_box_and_its_margin(box: Box) -> None:
    view = whole()

    part = closer_box(view, box, SHAPE)

    assert part is not None
    left, top, right, bottom = part
    assert 0 <= left < right <= SHAPE[1]
    assert 0 <= top < bottom <= SHAPE[0]
    margin = 4 / view.scale - 1
    assert left <= max(0, box[0] / view.scale - margin)
    assert top <= max(0, box[1] / view.scale - margin)
    assert right >= min(SHAPE[1], box[2] / view.scale + margin)
    assert bottom >= min(SHAPE[0], box[3] / view.scale + margin)
    assert max(right - left, bottom - top) < 0.8 * max(SHAPE)


def test_closer_parts_add_up() -> None:
    grey = noise(*SHAPE)
    first = view_of(grey, (500, 300, 1268, 900))

    part = closer_box(first, (40, 30, 60, 50), SHAPE)

    assert part is not None
    assert part[0] < 500 + 40 / first.scale < 500 + 60 / first.scale < part[2]
    assert part[1] < 300 + 30 / first.scale < 300 + 50 / first.scale < part[3]


def test_large_boxes_need_no_closer_look() -> None:
    assert closer_box(whole(), (10, 10, 90, 100), SHAPE) is None


def test_small_pictures_have_no_more_to_show() -> None:
    view = whole((60, 50))
    assert closer_box(view, (40, 40, 60, 60), (60, 50)) is None


def test_what_is_hardly_closer_is_not_looked_at() -> None:
    view = whole((150, 150))
    assert closer_box(view, (40, 40, 108, 100), (150, 150)) is None
