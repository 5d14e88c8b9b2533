"""Sheets, windows and frames around a digit are found; digits themselves are none."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from mnist_edge.datasets import Dataset
from mnist_edge.preprocess.components import connected_components
from mnist_edge.preprocess.page import Sheet, find_sheets, is_sheet
from tests.preprocess.drawing import Box, Grey, drawing, written


def box_of(sheet: Sheet) -> Box:
    height, width = sheet.grey.shape
    return sheet.left, sheet.top, sheet.left + width, sheet.top + height


def inner(page: Grey) -> Sheet:
    """The innermost sheet of a page that has one; the last of them is always the whole page."""
    sheets = find_sheets(page.astype(np.float32))
    np.testing.assert_array_equal(sheets[-1].grey, page)
    assert len(sheets) > 1
    assert (sheets[-1].left, sheets[-1].top) == (0, 0)
    return sheets[0]


def assert_close(found: Box, wanted: Box, pixels: float) -> None:
    """Within the wanted box, and nowhere more than `pixels` from it."""
    inside = np.array(found) - np.array(wanted)
    inside[2:] *= -1
    assert inside.min() >= -1
    assert inside.max() <= pixels


# Found


@pytest.mark.parametrize("angle", [-12, -6, 0, 3, 9])
@pytest.mark.parametrize(
    ("paper", "ink", "table"), [(230, 30, 90), (160, 60, 20), (60, 240, 200), (210, 120, 30)]
)
def test_a_page_on_a_table(angle: int, paper: int, ink: int, table: int) -> None:
    place = (150, 100, 390, 340)
    layer = Image.new("L", (600, 480), table)
    layer.paste(Image.fromarray(drawing("4", paper, ink, (240, 240))), place[:2])
    mask = Image.new("L", layer.size)
    mask.paste(255, place)
    turned = [
        image.rotate(angle, Image.Resampling.BICUBIC, center=(270, 220), fillcolor=ground)
        for image, ground in ((layer, table), (mask, 0))
    ]

    found = inner(np.asarray(turned[0]))

    rows, columns = np.nonzero(np.asarray(turned[1]) > 127)
    wanted = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert_close(box_of(found), wanted, 20)
    assert np.mean(np.abs(found.grey - table) < 20) < 0.01  # no table is left
    assert np.mean(np.abs(found.grey - ink) < 20) > 0.02  # but the digit is


@pytest.mark.parametrize("shift", [-30, 0, 30])
def test_a_canvas_in_a_window(shift: int) -> None:
    window = np.full((300, 400), 60, np.uint8)
    window[:30] = 200
    window[40:290, 60 + shift : 340 + shift] = 255
    window = written(window, "7", 120, (200 + shift, 160))

    found = inner(window)

    assert_close(box_of(found), (60 + shift, 40, 340 + shift, 290), 12)
    np.testing.assert_array_equal(np.unique(found.grey[:5]), 255)


@pytest.mark.parametrize("margin", [20, 50, 80])
@pytest.mark.parametrize(("ground", "figure", "ink"), [(255, 0, 255), (255, 40, 200), (20, 230, 0)])
def test_a_figure_with_margins(margin: int, ground: int, figure: int, ink: int) -> None:
    page = np.full((300, 400), ground, np.uint8)
    page[margin:-margin, margin:-margin] = figure
    page = written(page, "5", 100, (200, 150), ink)

    found = inner(page)

    assert_close(box_of(found), (margin, margin, 400 - margin, 300 - margin), 12)
    assert not (found.grey == ground).any() or ground == ink


def test_a_sheet_within_a_sheet() -> None:
    page = np.full((300, 400), 10, np.uint8)
    page[20:280, 20:380] = 250
    page[85:225, 100:300] = 60
    page = written(page, "3", 90, (200, 155), 250)

    sheets = find_sheets(page.astype(np.float32))

    assert len(sheets) == 3
    assert_close(box_of(sheets[0]), (100, 85, 300, 225), 16)
    assert_close(box_of(sheets[1]), (20, 20, 380, 280), 12)


def test_beside_slanting_edges_is_the_sheet_itself() -> None:
    layer = Image.new("L", (300, 300), 40)
    ImageDraw.Draw(layer).polygon([(60, 30), (270, 60), (240, 270), (30, 240)], fill=220)
    page = written(np.asarray(layer), "2", 90, (150, 150))

    found = inner(page).grey

    assert (found == 40).mean() < 0.01 < (layer_share := (page == 40).mean())
    assert layer_share > 0.3


def test_paper_runs_out_of_the_picture() -> None:
    page = np.full((200, 300), 50, np.uint8)
    page[:150, :220] = 240
    page = written(page, "6", 80, (110, 75))

    left, top, right, bottom = box_of(inner(page))

    assert (left, top) == (0, 0)  # no rim where the picture ends
    assert 208 <= right <= 220
    assert 138 <= bottom <= 150


# Not found


@pytest.mark.parametrize("text", list("0123456789"))
def test_a_plain_digit_is_no_sheet(text: str) -> None:
    for height, thickness, size in [
        (30, 9, (120, 90)), (90, 1, (90, 90)), (100, 9, (100, 100)), (130, 5, (120, 90))
    ]:  # fmt: skip
        page = drawing(text, size=size, height=height)
        fat = ndimage.grey_dilation(page, (thickness, thickness))
        assert len(find_sheets(fat.astype(np.float32))) == 1
        assert len(find_sheets(255 - fat.astype(np.float32))) == 1


def test_mnist_has_no_sheets(mnist: Dataset) -> None:
    for image in mnist.test.images[:40]:
        page = image.repeat(4, axis=0).repeat(4, axis=1).astype(np.float32)
        assert len(find_sheets(page)) == len(find_sheets(255 - page)) == 1


def test_cropped_mnist_has_hardly_any_sheets(mnist: Dataset) -> None:
    seen = 0
    for image in mnist.test.images[:60]:
        rows, columns = np.nonzero(image > 50)
        cropped = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        page = cropped.repeat(6, axis=0).repeat(6, axis=1).astype(np.float32)
        seen += len(find_sheets(page)) > 1
    assert seen <= 2  # what a thin stroke from edge to edge leaves may look like one


@pytest.mark.parametrize("contrast", [0, 5, 20])
def test_what_differs_little_is_no_sheet(contrast: int) -> None:
    page = np.full((200, 300), 120, np.float32)
    page[40:160, 60:240] += contrast

    assert len(find_sheets(page)) == 1


def test_noise_has_no_sheets() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (150, 200)).astype(np.float32)
    assert len(find_sheets(noise)) == 1


def test_components_tell_sheets_from_strokes() -> None:
    card = np.zeros((100, 100), bool)
    card[20:85, 15:80] = True
    card[40:60, 45:48] = False
    disc = np.hypot(*(np.mgrid[:100, :100] - 50)) < 35
    ring = disc & (np.hypot(*(np.mgrid[:100, :100] - 50)) > 28)
    for mask, wanted in ((card, True), (ring, False), (disc, False)):
        assert is_sheet(connected_components(mask), 0) is wanted
