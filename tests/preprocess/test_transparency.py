"""Pictures with transparent parts: the ground that the ink is seen on."""

import io

import numpy as np
import pytest
from PIL import Image

from mnist_edge import preprocess
from mnist_edge.preprocess import load
from tests.preprocess.drawing import Grey, drawing, likeness


def on_nothing(ink: object, mode: str, garbage: int | None = None) -> Image.Image:
    """A drawing in one colour on a transparent canvas, with noise or not under what is not seen."""
    alpha = drawing()
    page = Image.new(mode, alpha.shape[::-1], ink)  # type: ignore[arg-type]
    if garbage is not None:
        values = np.array(page)
        hidden = np.random.default_rng(garbage).integers(0, 256, values.shape, np.uint8)
        page = Image.fromarray(np.where((alpha == 0)[:, :, None], hidden, values))
    page.putalpha(Image.fromarray(alpha))
    return page


@pytest.mark.parametrize("garbage", [None, 0, 1])
@pytest.mark.parametrize(
    ("mode", "ink", "light"),
    [
        ("LA", (0, 0), False),
        ("LA", (255, 0), True),
        ("RGBA", (0, 0, 0, 0), False),
        ("RGBA", (255, 255, 255, 0), True),
        ("RGBA", (20, 20, 60, 0), False),
        ("RGBA", (255, 240, 200, 0), True),
    ],
)
def test_ink_on_a_transparent_canvas_is_seen(
    mode: str, ink: tuple[int, ...], light: bool, garbage: int | None
) -> None:
    pixels = load(on_nothing(ink, mode, garbage)).pixels

    hidden = drawing() == 0
    assert (pixels[hidden] == (0 if light else 255)).all()
    wanted = preprocess.extract_digit(drawing(paper=0 if light else 255, ink=255 if light else 0))
    page = on_nothing(ink, mode, garbage).convert("RGBA")
    ground = Image.new("RGBA", page.size, "black" if light else "white")
    opaque = np.asarray(Image.alpha_composite(ground, page).convert("RGB"))
    seen = pixels if pixels.ndim == 3 else np.dstack([pixels] * 3)
    np.testing.assert_array_equal(seen, opaque)
    assert likeness(preprocess.extract_digit(pixels), wanted) > 0.98


def test_transparent_colour_of_a_palette() -> None:
    bits = (drawing() > 127).astype(np.uint8)
    page = Image.fromarray(bits, "P")
    page.putpalette([0, 0, 0, 0, 0, 0])  # black on a black that is not seen
    file = io.BytesIO()
    page.save(file, "GIF", transparency=0)

    np.testing.assert_array_equal(load(file_again(file)).pixels, np.where(bits, 0, 255))


def test_transparent_grey_of_a_png() -> None:
    page = np.where(drawing() > 127, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(page).save(file, "PNG", transparency=255)

    np.testing.assert_array_equal(load(file_again(file)).pixels, page)


def file_again(file: io.BytesIO) -> io.BytesIO:
    return io.BytesIO(file.getvalue())


@pytest.mark.parametrize("paper", [30, 128, 250])
def test_transparent_corners_of_an_opaque_page_become_paper(paper: int) -> None:
    page: Grey = drawing(paper=paper, ink=250 if paper < 128 else 10)
    alpha = np.full(page.shape, 255, np.uint8)
    alpha[:20, :20] = alpha[-10:] = 0
    hidden = np.where(alpha == 0, 255 - page, page).astype(np.uint8)

    pixels = load(Image.merge("LA", [Image.fromarray(hidden), Image.fromarray(alpha)])).pixels

    np.testing.assert_array_equal(pixels, np.where(alpha == 0, paper, page))


def test_half_transparent_ink_is_half_strong() -> None:
    alpha = np.zeros((20, 20), np.uint8)
    alpha[5:15, 5:15] = 51

    pixels = load(Image.merge("LA", [Image.new("L", (20, 20)), Image.fromarray(alpha)])).pixels

    assert set(np.unique(pixels)) == {204, 255}


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_wholly_transparent_is_blank(mode: str) -> None:
    assert not preprocess.read_picture(Image.new(mode, (40, 40))).any()
