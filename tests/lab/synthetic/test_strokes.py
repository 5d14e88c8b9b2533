import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline
from sklearn.neighbors import KNeighborsClassifier

from mnist_edge.datasets import Dataset
from mnist_edge.lab.synthetic import glyphs, strokes
from mnist_edge.lab.synthetic.strokes import WritingStyle

STEADY = WritingStyle((2.0, 2.0), (0.0, 0.0), 0.0, (1.0, 1.0), 0.0, 0.0, 0.0)
BAR = [np.array([[0.0, 0.0], [0.0, 1.0]])]


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def of(value: int, count: int, seed: int = 0) -> NDArray[np.uint8]:
    dice = random(seed)
    return strokes.draw([glyphs.digit_glyph(value, dice) for _ in range(count)], dice)


def mass(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Centres of mass, (N, 2), in pixels from the corner."""
    weights = images.astype(float) / images.sum(axis=(1, 2), keepdims=True)
    places = np.arange(28) + 0.5
    return np.stack([weights.sum(axis=2) @ places, weights.sum(axis=1) @ places], axis=1)


def test_the_curve_is_scipys_with_catmull_roms_slopes() -> None:
    points = random().normal(size=(6, 2))
    padded = np.concatenate([points[:1], points, points[-1:]])
    slopes = (padded[2:] - padded[:-2]) / 2
    expected = CubicHermiteSpline(np.arange(6), points, slopes)(np.linspace(0, 5, 26))
    np.testing.assert_allclose(strokes.curve(points), expected, atol=1e-12)


def test_a_corner_stays_sharp() -> None:
    line = strokes.curve(np.array([[0.0, 0], [1, 0], [1, 0], [1, 1]]))
    assert (np.abs(line - [1, 0]).sum(axis=1) < 1e-12).any()
    assert (line >= -0.1).all()
    assert (line <= 1.1).all()


def test_ink_is_the_covered_part_of_each_pixel() -> None:
    """Against 16 × 16 points in every pixel; corners of pixels are approximate."""
    starts, ends = np.array([[5.2, 6.1], [8.0, 20.0]]), np.array([[22.7, 15.3], [8.0, 22.0]])
    fine = (np.arange(28 * 16) + 0.5) / 16
    spots = np.stack(np.meshgrid(fine, fine), axis=-1)
    covered = np.zeros(spots.shape[:2], bool)
    for start, end in zip(starts, ends, strict=True):
        way = end - start
        along = np.clip((spots - start) @ way / (way @ way), 0, 1)[..., None]
        covered |= np.linalg.norm(spots - start - along * way, axis=-1) < 1.5
    expected = covered.reshape(28, 16, 28, 16).mean(axis=(1, 3))
    drawn = strokes.rasterize(starts, ends, np.array([3.0, 3.0])) / 255
    np.testing.assert_allclose(drawn, expected, atol=0.16)
    assert np.abs(drawn - expected).mean() < 0.005


def test_a_steady_bar_is_twenty_pixels_high_and_as_wide_as_the_pen() -> None:
    (bar,) = strokes.draw([BAR], random(), STEADY)
    ink = bar / 255
    assert ink[14].sum() == pytest.approx(2, abs=0.02)
    assert ink.max(axis=1).sum() == pytest.approx(20, abs=1)


@pytest.mark.parametrize("value", range(10))
def test_digits_have_mnists_form(value: int) -> None:
    images = of(value, 60)
    assert images.dtype == np.uint8
    assert images.shape == (60, 28, 28)
    assert (images.max(axis=(1, 2)) > 200).all()
    edge = np.concatenate([images[:, [0, -1]].ravel(), images[:, :, [0, -1]].ravel()])
    assert (edge > 0).mean() < 0.03  # a wide 7 hangs far from its mass
    assert np.abs(mass(images) - 14.5).max() < 2.5
    heights = [np.ptp(np.flatnonzero((image > 127).any(axis=1))) + 1 for image in images]
    widths = [np.ptp(np.flatnonzero((image > 127).any(axis=0))) + 1 for image in images]
    sizes = np.maximum(heights, widths)
    assert sizes.min() >= 18
    assert sizes.max() <= 22


def test_no_two_are_written_alike() -> None:
    images = of(7, 100).reshape(100, -1)
    assert len(np.unique(images, axis=0)) == 100


def test_the_seed_decides_everything() -> None:
    np.testing.assert_array_equal(of(4, 10, seed=5), of(4, 10, seed=5))
    assert (of(4, 10, seed=5) != of(4, 10, seed=6)).any()


def test_a_point_is_a_dot_and_no_error() -> None:
    (dot,) = strokes.draw([[np.zeros((2, 2))]], random())
    assert 0 < (dot > 0).sum() < 100


def test_who_learned_from_mnist_alone_reads_most_of_them(mnist: Dataset) -> None:
    """Their labels are right: nearest neighbours never saw the pen."""
    some = mnist.train[slice(0, 2000)]
    reader = KNeighborsClassifier(3).fit(some.images.reshape(2000, -1), some.labels)
    right = [(reader.predict(of(v, 20).reshape(20, -1)) == v).mean() for v in range(10)]
    assert np.mean(right) > 0.7
    assert min(right) > 0.3
