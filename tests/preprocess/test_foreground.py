"""Ink and paper told apart: polarity, light and colours, against scipy and what was drawn."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from mnist_edge.preprocess import foreground as module
from mnist_edge.preprocess.colour import project_to_grey
from mnist_edge.preprocess.foreground import Plane, extreme_filter, find_ink, lightness, otsu
from tests.preprocess.drawing import Grey, drawing, likeness

LUMINANCE = (0.299, 0.587, 0.114)
INKED = drawing("5")  # how much ink there is: 0..255


def page(paper: int, ink: int) -> Plane:
    return drawing("5", paper, ink).astype(np.float32)


def light(kind: str, shape: tuple[int, int] = INKED.shape) -> Plane:
    """How bright each place is: 0.35..1."""
    y, x = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    kinds = {
        "even": np.ones(shape),
        "from the left": 1 - 0.6 * x,
        "from a corner": 1 - 0.3 * (x + y),
        "lamp": 1 - 0.4 * ((x - 0.3) ** 2 + (y - 0.4) ** 2),
    }
    return np.asarray(kinds[kind], np.float32)


# Polarity and strength


@pytest.mark.parametrize(("paper", "ink"), [(0, 255), (60, 200), (140, 250), (10, 50), (100, 140)])
@pytest.mark.parametrize("inverted", [False, True])
def test_polarity_both_ways(paper: int, ink: int, inverted: bool) -> None:
    grey = page(paper, ink)
    sure = lightness(255 - grey if inverted else grey)

    assert sure < -3 if inverted else sure > 3


def test_polarity_is_antisymmetric() -> None:
    noise = np.random.default_rng(0).normal(128, 20, (60, 40)).astype(np.float32)

    assert lightness(noise) == pytest.approx(-lightness(255 - noise), abs=1e-3)
    assert abs(lightness(noise)) < 3
    assert lightness(np.full((60, 40), 99, np.float32)) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (180, 30), (200, 160), (0, 255), (60, 200)])
def test_strength_is_the_contrast_on_ink_and_0_on_paper(paper: int, ink: int) -> None:
    found = find_ink(page(paper, ink), ink > paper)

    assert found.light is (ink > paper)
    assert found.noise < 0.5
    assert found.strength.min() >= 0
    np.testing.assert_allclose(found.strength[INKED == 0], 0, atol=0.5)
    np.testing.assert_allclose(found.strength[INKED == 255], abs(ink - paper), atol=0.5)


@pytest.mark.parametrize("kind", ["from the left", "from a corner", "lamp"])
def test_dark_ink_is_even_under_uneven_light(kind: str) -> None:
    widest = 0.05 if kind == "lamp" else 0.33  # what bends is followed by a narrow closing only
    found = find_ink(page(200, 60) * light(kind), False, widest)

    full = found.strength[INKED == 255]
    assert np.percentile(found.strength[INKED == 0], 99) < 8
    assert np.ptp(full) < 0.12 * full.mean()
    assert lightness(page(200, 60) * light(kind)) < (0 if kind == "lamp" else -3)


@pytest.mark.parametrize("kind", ["from the left", "from a corner", "lamp"])
def test_light_ink_stands_out_of_uneven_ground(kind: str) -> None:
    found = find_ink(100 * light(kind) + 100 * page(0, 1), light=True)

    assert np.percentile(found.strength[INKED == 0], 99) < 4
    np.testing.assert_allclose(found.strength[INKED == 255], 100, atol=5)
    assert lightness(100 * light(kind) + 100 * page(0, 1)) > 3


@pytest.mark.parametrize("spread", [2, 5, 10])
def test_noise_of_the_paper_is_measured(spread: float) -> None:
    noise = np.random.default_rng(0).normal(0, spread, (400, 300)).astype(np.float32)

    found = find_ink(150 + noise, light=False)

    assert found.noise == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize("dark", [10, 40, 90])
def test_a_wide_shadow_is_no_ink(dark: int) -> None:
    grey = np.full((128, 128), 200, np.float32)
    grey[:, 70:] -= dark
    grey[40:90, 30:36] -= 60  # a stroke

    found = find_ink(grey, light=False, widest=0.1)

    assert found.strength[40:90, 30:36].min() > 50
    assert (found.strength > 15).sum() < 50 * 6 + 4 * 128  # but for the shadow's edge


# Colours


def coloured(paper: tuple[int, int, int], ink: tuple[int, int, int]) -> Grey:
    much = INKED[:, :, None] / 255
    mixed = much * np.array(ink) + (1 - much) * np.array(paper)
    return np.asarray(np.round(mixed), np.uint8)


@pytest.mark.parametrize(
    ("paper", "ink"),
    [
        ((0, 102, 0), (200, 0, 0)),  # red on a green of the same luminance
        ((200, 0, 0), (0, 102, 0)),
        ((120, 120, 120), (40, 125, 255)),
        ((255, 80, 80), (80, 170, 80)),
    ],
)
def test_colours_of_one_luminance_differ(
    paper: tuple[int, int, int], ink: tuple[int, int, int]
) -> None:
    assert abs(np.dot(LUMINANCE, paper) - np.dot(LUMINANCE, ink)) < 12

    values = project_to_grey(coloured(paper, ink))

    assert values.dtype == np.float32
    assert -1e-3 <= values.min() <= values.max() <= 255 + 1e-3
    step = float(np.median(values[INKED == 255]) - np.median(values[INKED == 0]))
    assert abs(step) > 40
    assert np.ptp(values[INKED == 0]) < 2
    shown = values - values.min() if step > 0 else values.max() - values
    assert likeness(shown.astype(np.uint8), INKED) > 0.99


@pytest.mark.parametrize("ink", [(20, 30, 120), (0, 0, 0), (180, 20, 30)])
def test_ink_on_white_is_seen_by_its_luminance(ink: tuple[int, int, int]) -> None:
    pixels = coloured((255, 255, 255), ink)
    np.testing.assert_allclose(project_to_grey(pixels), pixels @ np.array(LUMINANCE), atol=1e-3)


def test_noise_has_no_colours() -> None:
    pixels = np.random.default_rng(0).integers(120, 124, (60, 50, 3), np.uint8)
    np.testing.assert_allclose(project_to_grey(pixels), pixels @ np.array(LUMINANCE), atol=1e-3)


def test_grey_is_as_it_was() -> None:
    np.testing.assert_array_equal(project_to_grey(INKED), INKED)


# Parts


@pytest.mark.parametrize("size", [1, 3, 5, 9, 21, 63])
@pytest.mark.parametrize("shape", [(40, 30), (1, 50), (7, 7)])
def test_extremes_are_those_of_scipy(size: int, shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(0, 9, shape).astype(np.float32)
    kept = values.copy()

    highest, lowest = (
        extreme_filter(values, size, np.maximum),
        extreme_filter(values, size, np.minimum),
    )

    square = (size, size)
    np.testing.assert_array_equal(highest, ndimage.grey_dilation(values, square, mode="nearest"))
    np.testing.assert_array_equal(lowest, ndimage.grey_erosion(values, square, mode="nearest"))
    np.testing.assert_array_equal(values, kept)


@pytest.mark.parametrize("outliers", [0, 0.15, 0.3])
@pytest.mark.parametrize("shape", [(64, 48), (100, 128)])
def test_plane_is_found_under_outliers(outliers: float, shape: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    wanted = 120 + 30 * x - 45 * y
    values = wanted + random.normal(0, 1, shape)
    values[random.random(shape) < outliers] -= 90

    everywhere: NDArray[np.bool_] = np.ones(shape, bool)
    found = module._fit_plane(values.astype(np.float32), everywhere)

    # By a few hundredths of its slope too level, and 90 × 30 % = 27 lower it is not.
    assert np.abs(found - wanted).max() < (2.5 if not outliers else 8)
    basis = np.stack([np.ones(x.size), x.ravel(), y.ravel()], 1)
    least = (basis @ np.linalg.lstsq(basis, values.ravel(), rcond=None)[0]).reshape(shape)
    if outliers:
        assert np.abs(found - wanted).mean() < 0.4 * np.abs(least - wanted).mean()


def test_plane_through_part_of_the_values() -> None:
    values = np.full((50, 50), 7, np.float32)
    values[10:40, 10:40] = 255
    ring = values == 7

    np.testing.assert_allclose(module._fit_plane(values, ring), 7, atol=0.1)


def test_copies_are_reduced_by_area() -> None:
    values = np.random.default_rng(0).random((256, 192)).astype(np.float32) * 255

    small = module.reduce_plane(values, 64)

    np.testing.assert_allclose(small, values.reshape(64, 4, 48, 4).mean((1, 3)), atol=1e-3)
    np.testing.assert_array_equal(module.reduce_plane(values, 300), values)
    assert Image.fromarray(module.reduce_plane(values[:1], 64)).size == (64, 1)


# Otsu


def variance_between(values: Grey, threshold: int) -> float:
    below, above = values[values <= threshold], values[values > threshold]
    if not len(below) or not len(above):
        return 0.0
    step = float(above.mean()) - float(below.mean())
    return len(below) * len(above) * step * step


@pytest.mark.parametrize("seed", range(6))
def test_otsu_is_the_best_of_all_thresholds(seed: int) -> None:
    random = np.random.default_rng(seed)
    low = random.normal(random.uniform(30, 90), random.uniform(3, 30), 600)
    high = random.normal(random.uniform(140, 230), random.uniform(3, 30), int(200 + 300 * seed))
    # One value to a bin of 2: what all thresholds can tell apart.
    values = np.concatenate([low, high, [0, 254]]).clip(0, 254).astype(np.uint8) // 2 * 2

    threshold, contrast = otsu(values.astype(np.float32))

    best = max(variance_between(values, other) for other in range(255))
    assert variance_between(values, int(threshold)) == pytest.approx(best, rel=1e-3)
    above, below = values[values > threshold], values[values <= threshold]
    assert contrast == pytest.approx(above.mean() - below.mean(), abs=2)


def test_otsu_of_one_value_has_no_contrast() -> None:
    assert otsu(np.full((9, 9), 77, np.float32)) == (77, 0)
