"""Strokes that fade, beside what is no stroke of the digit: shadows, rules and blurred edges."""

import numpy as np
import pytest

from mnist_edge.preprocess.components import Mask
from mnist_edge.preprocess.fading import faded_opacity, find_faded_strokes
from mnist_edge.preprocess.foreground import Plane
from tests.difficult.canvas import blurred

SIDE = 120
FULL, FAINT = 200.0, 40.0


def stem() -> tuple[Plane, Mask]:
    """A full, upright stroke in the middle of a view, and where it is."""
    strength = np.zeros((SIDE, SIDE), np.float32)
    strength[20:70, 57:63] = FULL
    return strength, strength > 0


def test_a_stroke_goes_on_where_it_fades() -> None:
    strength, mask = stem()
    strength[70:100, 58:62] = FAINT

    found = find_faded_strokes(strength, mask, FULL, 1.0)

    assert found[80:98, 59:61].all()
    assert not found[strength == 0].any()
    assert not (found & mask).any()
    full = faded_opacity(strength, found, 1.0)
    np.testing.assert_allclose(full[80:98, 59:61], 1)
    assert full[:40].max() == 0


@pytest.mark.parametrize("sigma", [1, 2, 4])
def test_a_blurred_edge_is_no_stroke(sigma: float) -> None:
    strength = blurred(stem()[0], sigma)
    found = find_faded_strokes(strength, strength > 0.4 * FULL, FULL, 1.0)
    assert not found[30:60].any()  # beside the stroke; its end may be a little longer


@pytest.mark.parametrize("soft", [0.1, 0.3])
def test_the_soft_edge_of_a_bar_thinner_than_the_stem_is_no_stroke(soft: float) -> None:
    strength, mask = stem()
    strength[20:70, 52:66] = strength[40:44, 30:90] = FULL
    mask = strength > 0
    strength[44, 30:90] = np.maximum(strength[44, 30:90], soft * FULL)
    assert not find_faded_strokes(strength, mask, FULL, 1.0).any()


def test_a_shadow_is_no_stroke() -> None:
    strength, mask = stem()
    strength[60:110, 30:90] = np.where(mask[60:110, 30:90], FULL, FAINT)
    assert not find_faded_strokes(strength, mask, FULL, 1.0).any()


def test_a_rule_of_the_paper_is_no_stroke() -> None:
    strength, mask = stem()
    strength[50:53] = np.where(mask[50:53], FULL, FAINT)
    strength[70:100, 58:62] = FAINT
    assert not find_faded_strokes(strength, mask, FULL, 1.0).any()


def test_what_lies_apart_is_no_part_of_a_stroke() -> None:
    strength, mask = stem()
    strength[80:110, 58:62] = FAINT
    assert not find_faded_strokes(strength, mask, FULL, 1.0).any()


def test_grain_of_the_paper_is_no_stroke() -> None:
    strength, mask = stem()
    grain = np.random.default_rng(0).normal(0, 10, strength.shape).astype(np.float32)
    assert not find_faded_strokes(np.maximum(strength + grain, 0), mask, FULL, 10.0).any()


@pytest.mark.parametrize("long", [2, 4])
def test_a_smudge_is_no_stroke(long: int) -> None:
    strength, mask = stem()
    strength[70 : 70 + long, 58:62] = FAINT
    assert not find_faded_strokes(strength, mask, FULL, 1.0).any()
