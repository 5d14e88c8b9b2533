"""Several digits are never one: how many there are in a picture in which one is looked for."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from mnist_edge import preprocess
from mnist_edge.preprocess import PreparedImage
from tests.difficult import cases, several
from tests.difficult.canvas import Picture
from tests.difficult.strokes import Drawn

SEEDS = 8


def looked(made: Picture | bytes) -> PreparedImage:
    data = made if isinstance(made, bytes) else made.encoded()
    return preprocess.prepare_images([preprocess.load(io.BytesIO(data)).pixels])[0]


@pytest.mark.parametrize("shape", [(1, 2), (1, 4), (2, 2), (3, 5)])
def test_several_digits_are_counted(shape: tuple[int, int]) -> None:
    wanted = shape[0] * shape[1]
    found = [
        looked(several.sheet(np.random.default_rng([3, *shape, seed]), *shape)).digits
        for seed in range(SEEDS)
    ]
    assert sum(count > 1 for count in found) >= SEEDS - 1
    assert np.median(found) == wanted


def test_four_sixes_in_a_row() -> None:
    image = Image.new("L", (300, 80), 255)
    font = ImageFont.load_default(size=60)
    ImageDraw.Draw(image).text((150, 40), "6 6 6 6", 0, font, anchor="mm")
    (found,) = preprocess.prepare_images([np.asarray(image)])
    assert found.digits == 4
    assert found.note() == "several digits (4) are here: --line or --grid"


def test_one_digit_is_one_whatever_lies_around_it() -> None:
    kinds = ["pen", "pencil", "lined", "chalk", "specks", "figure", "screenshot", "squared, photo"]
    found = [(case.name, looked(case.data)) for case in cases([Drawn()], 4, 3, kinds)]
    assert [name for name, each in found if each.digits > 1] == []
    assert [each.note() for _, each in found if each.digits == 1] == [None] * len(found)


def test_what_is_said_of_none() -> None:
    (blank,) = preprocess.prepare_images([np.full((80, 90), 240, np.uint8)])
    shade = np.tile(np.linspace(60, 250, 200), (150, 1)).astype(np.uint8)
    (shaded,) = preprocess.prepare_images([shade])
    assert (blank.digits, blank.note()) == (0, "is blank: there is nothing to read")
    assert (shaded.digits, shaded.note()) == (0, "shows no digit that is clear")
    assert shaded.note("character") == "shows no character that is clear"
