"""Names in any script, in pictures: never two alike."""

import io
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFont

from mnist_edge.report import contact_sheet, fonts
from mnist_edge.report.training_curves import plot_run

NAMES = ("猫", "犬", "é", "è", "\u03b1", "ж", "한", "क", "\U0001f600", "\u0378")
EPOCH = {"epoch": 1, "loss": 1.0, "validation_correct": 1, "validation_total": 2}


def drawn(caption: str) -> NDArray[np.uint8]:
    return np.asarray(contact_sheet.draw(np.zeros((1, 28, 28), np.uint8), [f"{caption} " * 6], 1))


def differ(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    return one.shape != other.shape or bool((one != other).any())


def test_captions_of_other_names_look_different() -> None:
    for one, other in combinations(map(drawn, NAMES), 2):
        assert differ(one, other)


def test_the_font_is_an_installed_one_where_it_has_more(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")  # whose font has Greek letters
    font, texts = fonts.pillow_font(["\u03b1\u03b2", "ж"], 12)
    assert texts == ["\u03b1\u03b2", "ж"]
    assert isinstance(font, ImageFont.FreeTypeFont)
    assert font.getname() != ImageFont.load_default(12).getname()  # type: ignore[union-attr]
    font, texts = fonts.pillow_font(["abc"], 12)
    assert font.getname() == ImageFont.load_default(12).getname()  # type: ignore[union-attr]


def test_what_no_font_has_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_FILES", "no-such-font.ttf")
    monkeypatch.setattr(fonts, "_matplotlib_file", tuple)
    assert fonts.pillow_font(["a猫 b", "\u0378"], 12)[1] == ["a\\u732b b", "\\u0378"]


def test_titles_of_curves_look_different() -> None:
    found = []
    for name in ("\u0378", "\u0379", "猫", "犬"):  # the first two are letters of no script
        with Image.open(io.BytesIO(plot_run([EPOCH], name))) as image:
            found.append(np.asarray(image))
    assert all(differ(one, other) for one, other in combinations(found, 2))
