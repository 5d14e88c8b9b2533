"""What the outline of a component tells of it."""

import numpy as np
import pytest
from scipy import ndimage

from mnist_edge.preprocess.outline import paper_share
from tests.preprocess.drawing import drawing

INKED = drawing("3", size=(120, 120), height=80)


@pytest.mark.parametrize("light", [True, False])
@pytest.mark.parametrize("blur", [0.0, 1.5])
def test_paper_lies_on_both_sides_of_a_stroke(light: bool, blur: float) -> None:
    grey = ndimage.gaussian_filter(INKED.astype(np.float32), blur) * 0.6 + 20
    shown = grey if light else 255 - grey
    assert paper_share(shown, INKED > 127, 150, light, scale=1) > 0.95


def test_and_in_a_shadow_too() -> None:
    light = np.linspace(1, 0.5, 120, dtype=np.float32)[None, :]
    assert paper_share((230 - 0.7 * INKED) * light, INKED > 127, 150, False, scale=1) > 0.95


def test_the_edge_of_a_shadow_has_one_side() -> None:
    page = np.full((120, 120), 230, np.float32)
    page[:, 60:] = 120
    band = np.zeros((120, 120), bool)
    band[:, 60:72] = True
    assert paper_share(page, band, 110, light=False, scale=1) == pytest.approx(0.5, abs=0.1)


def test_a_slope_has_none() -> None:
    page = np.tile(np.linspace(230, 100, 120, dtype=np.float32), (120, 1))
    band = np.zeros((120, 120), bool)
    band[20:100, 90:105] = True
    assert paper_share(page, band, 60, light=False, scale=1) < 0.2
