"""Copies that are planted among pictures are found, and nothing else."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from mnist_edge.datasets.duplicates import Duplicate, find_duplicates, group_copies, is_blank
from tests.helpers.picture_copies import Picture, darker, resized, saved_anew, shifted

COUNT = 300


def photographs(channels: int, side: int = 32, count: int = COUNT) -> Picture:
    """Smooth random pictures with some noise, uint8 (N, side, side) or (N, side, side, 3)."""
    random = np.random.default_rng(1)
    shape = (7, 7) if channels == 1 else (7, 7, 3)
    pictures = []
    for _ in range(count):
        small = Image.fromarray(random.integers(0, 256, shape, np.uint8))
        pixels = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC), np.float32)
        noisy = pixels + random.normal(0, 3, pixels.shape)
        pictures.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return np.stack(pictures)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("copy", [np.copy, saved_anew, darker, shifted, resized])
def test_planted_copies_are_found_and_no_others(
    channels: int, copy: Callable[[Picture], Picture]
) -> None:
    pictures = photographs(channels)
    planted = np.stack([copy(picture) for picture in pictures[:20]])
    found = find_duplicates(np.concatenate([pictures, planted]))
    assert {(pair.first, pair.second) for pair in found} == {(at, COUNT + at) for at in range(20)}


def test_the_most_alike_come_first_and_the_same_pixels_are_one() -> None:
    pictures = photographs(1)
    found = find_duplicates(np.concatenate([pictures, [darker(pictures[3])], pictures[5:6]]))
    assert found[0] == Duplicate(5, COUNT + 1, 1.0)
    assert (found[1].first, found[1].second) == (3, COUNT)
    assert 0.98 < found[1].similarity <= 1


def test_each_of_several_equal_pictures_is_paired_with_the_first() -> None:
    pictures = photographs(1)
    found = find_duplicates(np.concatenate([pictures, pictures[[7, 7, 7]]]))
    assert [(pair.first, pair.second) for pair in found] == [
        (7, COUNT),
        (7, COUNT + 1),
        (7, COUNT + 2),
    ]


def test_three_copies_that_are_not_equal_are_found() -> None:
    pictures = photographs(1)
    copies = [saved_anew(pictures[7]), darker(pictures[7])]
    found = find_duplicates(np.concatenate([pictures, copies]))
    copied = {at for pair in found for at in (pair.first, pair.second)}
    assert copied == {7, COUNT, COUNT + 1}


def in_colors(grey: Picture, red: float, everywhere: bool = False) -> Picture:
    """A grey picture (H, W) whose middle, or all of it, is in a colour, redder or greener, of the
    same luminance: uint8 (H, W, 3)."""
    rows, columns = np.mgrid[:32, :32]
    inside = (rows - 15) ** 2 + (columns - 12) ** 2 < (10_000 if everywhere else 40)
    offset = red * np.array([100.0, -100 * 0.299 / 0.587, 0.0])  # of no luminance, by BT.601
    colored = 60 + grey[..., None] * 0.45 + inside[..., None] * offset
    return np.asarray(np.round(colored), np.uint8)


@pytest.mark.parametrize("everywhere", [False, True])
def test_pictures_of_one_luminance_in_other_colours_are_no_copies(everywhere: bool) -> None:
    walls = photographs(1, count=60)
    lit = [in_colors(wall, red, everywhere) for wall in walls[:20] for red in (0.6, 0.0, -0.6)]
    grey = np.array(lit) @ [0.299, 0.587, 0.114]
    assert np.abs(grey[0::3] - grey[2::3]).max() < 2  # by their luminance they are copies
    assert find_duplicates(np.stack(lit)) == []


@pytest.mark.parametrize("copy", [saved_anew, darker, shifted, resized])
def test_copies_are_found_among_pictures_of_one_luminance(
    copy: Callable[[Picture], Picture],
) -> None:
    walls = photographs(1, count=20)
    lit = [in_colors(wall, red) for wall in walls for red in (0.6, -0.6)]
    found = find_duplicates(np.stack([*lit, *(copy(picture) for picture in lit[:10])]))
    assert {(pair.first, pair.second) for pair in found} == {(at, 40 + at) for at in range(10)}


def test_poor_copies_of_photographs_are_found() -> None:
    pictures = photographs(3, count=60)
    faint = (pictures // 2 + 60).astype(np.uint8)  # of which JPEG leaves less
    copies = [saved_anew(picture, quality=60) for picture in faint[:10]]
    found = find_duplicates(np.stack([*faint, *copies]))
    assert {(pair.first, pair.second) for pair in found} == {(at, 60 + at) for at in range(10)}


def test_several_poor_copies_of_a_picture_are_found() -> None:
    pictures = photographs(3, count=60)
    copies = [saved_anew(one, quality) for one in pictures[:8] for quality in (70, 60)]
    group = group_copies(76, find_duplicates(np.stack([*pictures, *copies])))
    assert group.tolist() == [*range(60), *(at for at in range(8) for _ in range(2))]


def test_blank_pictures_are_blank_and_no_copies() -> None:
    pictures = photographs(1, count=20)
    blank = np.stack([np.full((32, 32), grey, np.uint8) for grey in (0, 0, 128, 255)])
    together = np.concatenate([pictures, blank])
    assert np.flatnonzero(is_blank(together)).tolist() == [20, 21, 22, 23]
    assert find_duplicates(together) == []


@pytest.mark.parametrize("count", [0, 1, 2])
def test_very_few_pictures_have_no_copies(count: int) -> None:
    assert find_duplicates(photographs(3, count=max(count, 1))[:count]) == []


@pytest.mark.parametrize("size", [(16, 96), (9, 11), (28, 28)])
def test_sizes_need_not_be_square(size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (40, *size), np.uint8)
    found = find_duplicates(np.concatenate([pictures, pictures[:3]]))
    assert [(pair.first, pair.second) for pair in found] == [(0, 40), (1, 41), (2, 42)]


def test_a_picture_of_one_luminance_is_not_blank_where_its_colours_differ() -> None:
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[:, :16] = (200, 50, 60)
    image[:, 16:] = (50, 126, 65)
    assert round(0.299 * 200 + 0.587 * 50 + 0.114 * 60) == round(
        0.299 * 50 + 0.587 * 126 + 0.114 * 65
    )
    assert not is_blank(image).any()
