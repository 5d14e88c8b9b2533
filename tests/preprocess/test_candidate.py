"""One reading of a view: its digit, and the signs by which it is preferred to another."""

import numpy as np
import pytest
from scipy import ndimage

from mnist_edge.preprocess import candidate as module
from mnist_edge.preprocess.candidate import Candidate, find_candidate
from mnist_edge.preprocess.outline import edge_share, surroundings_contrast
from mnist_edge.preprocess.view import View
from tests.preprocess.drawing import Grey, drawing, extent

SIDE = 120


def page(text: str = "3", paper: int = 230, ink: int = 40) -> Grey:
    return drawing(text, paper, ink, (SIDE, SIDE), 80)


def view(shown: Grey, scale: float = 1) -> View:
    return View(shown.astype(np.float32), 0, 0, scale)


def found_on(shown: Grey) -> Candidate:
    found = find_candidate(view(shown), light=False, widest=0.33)
    assert found is not None
    return found


INKED = drawing("3", size=(SIDE, SIDE), height=80)


def test_a_clear_digit_has_all_signs() -> None:
    found = found_on(page())

    assert found.full == pytest.approx(190, abs=5)
    assert found.contrast == pytest.approx(1, abs=0.05)
    assert found.corners == 1
    assert found.freedom > 0.9
    assert found.sharpness > 0.9
    assert found.quality > 0.9
    assert found.score > found.quality


def test_ink_of_two_strengths_is_less_likely() -> None:
    even = found_on(page())
    shaded = page().astype(np.float32)
    shaded[:60] = 230 - (230 - shaded[:60]) * 0.5  # as strokes that end where a shadow begins
    assert found_on(shaded.astype(np.uint8)).sharpness < 0.7 * even.sharpness


def test_its_box_is_that_of_the_ink() -> None:
    left, top, right, bottom = found_on(page()).box
    rows, columns = np.nonzero(INKED > 60)

    wanted = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    np.testing.assert_allclose((left, top, right, bottom), wanted, atol=1.01)


def test_what_is_cut_out_is_the_ink_in_its_greys() -> None:
    cut = found_on(page()).cut_out()

    assert cut.dtype == np.uint8
    assert extent(cut, 127) == pytest.approx(extent(INKED, 127), abs=1)
    rows, columns = np.nonzero(INKED > 127)
    inked = INKED[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    rows, columns = np.nonzero(cut > 127)
    held = cut[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert np.corrcoef(held.ravel(), inked.ravel())[0, 1] > 0.97
    assert (held[inked == 255] == 255).all()
    assert (held[inked == 0] < 60).all()


def test_the_wrong_polarity_scores_less() -> None:
    for text in "0168":
        right = found_on(page(text))
        wrong = find_candidate(view(page(text)), light=True, widest=0.33)
        assert wrong is None or wrong.score < right.score - 0.2


def test_near_edges_it_is_less_free() -> None:
    inner = found_on(page())
    rows, columns = np.nonzero(INKED)
    touching = found_on(page()[: rows.max() - 5, columns.min() + 5 :])

    assert touching.freedom < inner.freedom
    assert touching.quality < inner.quality


def test_faint_ink_is_doubtful() -> None:
    assert found_on(page(paper=200, ink=182)).quality < 0.75 * found_on(page()).quality


@pytest.mark.parametrize("spread", [0, 3, 8])
def test_blank_views_have_no_candidate(spread: float) -> None:
    noise = np.random.default_rng(0).normal(150, spread, (SIDE, SIDE)).astype(np.float32)
    for light in (True, False):
        assert find_candidate(View(noise, 0, 0, 1), light, 0.33) is None


def test_rules_are_taken_out_of_fine_views_only() -> None:
    ruled = page().copy()
    ruled[10::25] = np.minimum(ruled[10::25], 120)

    left, _, right, _ = found_on(ruled).box
    coarse = find_candidate(view(ruled, scale=3), light=False, widest=0.33)

    assert 0 < left < right < SIDE
    assert coarse is not None
    assert extent(coarse.cut_out())[1] > extent(found_on(ruled).cut_out())[1] + 20


def test_few_dark_pixels_are_ink_in_a_reduced_view_only() -> None:
    dots = np.full((SIDE, SIDE), 255, np.uint8)
    dots[50:53, 60:62] = 100
    assert find_candidate(view(dots, scale=1), light=False, widest=0.33) is None
    assert find_candidate(view(dots, scale=0.2), light=False, widest=0.33) is not None


# Signs


def test_strongest_is_softened_as_by_scipy() -> None:
    values = np.random.default_rng(0).normal(0, 9, (30, 40)).astype(np.float32)
    wanted = ndimage.uniform_filter(values, 3, mode="nearest")
    np.testing.assert_allclose(module._box_blur(values), wanted, atol=1e-4)


def test_edges_are_where_the_picture_has_some() -> None:
    grey = page().astype(np.float32)
    inked = INKED > 127
    shifted = np.zeros_like(inked)
    shifted[2:12, 2:60] = True  # in the empty paper

    assert edge_share(grey, inked, 190, 5) == 1
    assert edge_share(grey, shifted, 190, 5) == 0
    assert edge_share(grey, np.ones_like(inked), 190, 5) == 0  # it has no outline


def test_the_hole_of_a_loop_does_not_stand_out() -> None:
    grey = page("0").astype(np.float32)
    inked = grey < 135
    hole = ndimage.binary_fill_holes(inked) & ~inked

    assert surroundings_contrast(grey, inked, 190, light=False) == 1
    assert surroundings_contrast(grey, hole, 190, light=True) < 0.1


@pytest.mark.parametrize("dark", range(5))
def test_corners_of_paper_are_counted(dark: int) -> None:
    grey = page().astype(np.float32)
    corners = [(slice(15), slice(15)), (slice(15), slice(-15, None)),
               (slice(-15, None), slice(15)), (slice(-15, None), slice(-15, None))]  # fmt: skip
    for corner in corners[:dark]:
        grey[corner] = 40

    assert module._paper_corners(grey > 135, light=False) == 1 - dark / 4
    assert module._paper_corners(grey > 135, light=True) == dark / 4
