import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from mnist_edge.errors import EdgeError
from mnist_edge.lab.training.augment import Augmentation, random_grid, sample, warp

NONE = Augmentation(0, 0, 0, 0, 0)
FULL = Augmentation()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blobs(count: int, side: int = 28, seed: int = 0) -> Tensor:
    """Smooth ink in the middle, 0..255, on a background of 0."""
    noise = np.random.default_rng(seed).normal(size=(count, side, side))
    window = np.zeros((side, side))
    window[8:-8, 8:-8] = 1
    soft = ndimage.gaussian_filter(noise, (0, 1.5, 1.5))
    ink = (soft / np.abs(soft).max() * 255).clip(0, 255) * window
    return torch.from_numpy(ink.astype(np.uint8))


def maps(grid: Tensor) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], ...]:
    """The affine maps of a grid in pixels, as matrix (N, 2, 2) and shift (N, 2), in (x, y)."""
    side = grid.shape[1]
    pixels = ((grid.double() + 1) * side - 1) / 2  # (N, H, W, 2)
    across, down = pixels[:, 0, 1] - pixels[:, 0, 0], pixels[:, 1, 0] - pixels[:, 0, 0]
    matrix = torch.stack([across, down], dim=2).numpy()
    return matrix, (pixels.mean(dim=(1, 2)) - (side - 1) / 2).numpy()


def test_zero_augmentation_is_the_identity() -> None:
    images = blobs(5)
    torch.testing.assert_close(warp(images, NONE, seeded()), images.float(), atol=1e-2, rtol=0)


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(40, 0, 0, 0, 0),
        Augmentation(0, 0.3, 0, 0, 0),
        Augmentation(0, 0, 0.4, 0, 0),
        Augmentation(0, 0, 0, 0.2, 0),
        Augmentation(30, 0.2, 0.2, 0.1, 0),
    ],
)
def test_affine_warp_equals_scipys(augmentation: Augmentation) -> None:
    images = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (6, 28, 28), np.uint8))
    grid = random_grid(6, 28, 28, augmentation, seeded(1))
    warped = sample(images, grid).numpy()
    middle = np.full(2, 13.5)
    for at, (matrix, shift) in enumerate(zip(*maps(grid), strict=True)):
        rows = matrix[::-1, ::-1]  # scipy's coordinates are (row, column)
        expected = ndimage.affine_transform(
            images[at].numpy().astype(np.float64),
            rows,
            offset=middle - rows @ middle + shift[::-1],
            order=1,
            mode="grid-constant",
        )
        np.testing.assert_allclose(warped[at], expected, atol=0.05)


def test_rotation_only_turns_and_stays_inside_its_limit() -> None:
    matrix, shift = maps(random_grid(500, 28, 28, Augmentation(20, 0, 0, 0, 0), seeded()))
    np.testing.assert_allclose(
        matrix @ matrix.transpose(0, 2, 1), np.eye(2)[None].repeat(500, 0), atol=1e-4
    )
    np.testing.assert_allclose(shift, 0, atol=1e-4)
    angles = np.degrees(np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    assert 18 < angles.max() < 20.01
    assert -20.01 < angles.min() < -18


def test_shift_only_moves_and_stays_inside_its_fraction_of_the_side() -> None:
    matrix, shift = maps(random_grid(500, 28, 28, Augmentation(0, 0, 0, 0.1, 0), seeded()))
    np.testing.assert_allclose(matrix, np.eye(2)[None].repeat(500, 0), atol=1e-4)
    assert 2.6 < shift.max() < 2.801
    assert -2.801 < shift.min() < -2.6


def test_scale_only_zooms_both_axes_by_their_own() -> None:
    matrix, _ = maps(random_grid(500, 28, 28, Augmentation(0, 0.2, 0, 0, 0), seeded()))
    zooms = matrix[:, [0, 1], [0, 1]]
    np.testing.assert_allclose(matrix[:, [0, 1], [1, 0]], 0, atol=1e-4)
    assert 1.18 < zooms.max() < 1.201
    assert 0.799 < zooms.min() < 0.82
    assert (np.abs(np.corrcoef(zooms.T) - np.eye(2)) < 0.2).all()


def test_shear_only_slants_and_keeps_the_area() -> None:
    matrix, _ = maps(random_grid(500, 28, 28, Augmentation(0, 0, 0.3, 0, 0), seeded()))
    np.testing.assert_allclose(np.linalg.det(matrix), 1, atol=1e-4)
    np.testing.assert_allclose(matrix[:, [0, 1], [0, 1]], 1, atol=1e-4)
    assert 0.28 < np.abs(matrix[:, 0, 1]).max() < 0.301


def test_rotation_and_shear_together_are_their_product() -> None:
    matrix, _ = maps(random_grid(200, 28, 28, Augmentation(40, 0, 0.3, 0, 0), seeded()))
    angles = np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0])
    turned_back = np.array([[np.cos(angles), np.sin(angles)], [-np.sin(angles), np.cos(angles)]])
    slanted = turned_back.transpose(2, 0, 1) @ matrix  # [[1, shear], [0, 1]]
    np.testing.assert_allclose(slanted[:, 0, 0], 1, atol=1e-4)
    np.testing.assert_allclose(slanted[:, 1, 0], 0, atol=1e-4)
    np.testing.assert_allclose(slanted[:, 1, 1], 1, atol=1e-4)
    assert 0.25 < np.abs(slanted[:, 0, 1]).max() < 0.301


def test_known_shift_moves_by_whole_pixels_and_brings_in_background() -> None:
    images = torch.full((1, 28, 28), 200, dtype=torch.uint8)
    still = random_grid(1, 28, 28, NONE, seeded())
    moved = sample(images, still + torch.tensor([3 * 2 / 28, -2 * 2 / 28]))[0]
    expected = torch.zeros(28, 28)
    expected[2:, :-3] = 200  # reads 3 columns to the right and 2 rows above
    torch.testing.assert_close(moved, expected, atol=1e-2, rtol=0)


def test_elastic_field_is_the_bicubic_surface_over_its_knots() -> None:
    still = random_grid(3, 28, 28, NONE, seeded())
    random = seeded(7)
    bent = random_grid(3, 28, 28, Augmentation(0, 0, 0, 0, 1.5), random)
    reference = seeded(7)
    for shape in ((3,), (3, 2), (3,), (3, 2)):  # the affine draws come first
        torch.rand(shape, generator=reference)
    knots = torch.randn((3, 2, 5, 5), generator=reference) * 1.5
    surface = F.interpolate(knots, (28, 28), mode="bicubic", align_corners=True)
    torch.testing.assert_close(
        (bent - still) * 14, surface.permute(0, 2, 3, 1), atol=1e-4, rtol=1e-4
    )


def test_elastic_displacement_has_its_standard_deviation_and_is_smooth() -> None:
    still = random_grid(4000, 28, 28, NONE, seeded())
    bent = random_grid(4000, 28, 28, Augmentation(0, 0, 0, 0, 0.6), seeded())
    field = (bent - still) * 14  # in pixels
    assert field[:, 0, 0].std().item() == pytest.approx(0.6, rel=0.05)
    steps = (field[:, 1:] - field[:, :-1]).abs()
    assert steps.mean().item() < 0.2


def test_the_generator_decides_everything() -> None:
    images = blobs(8)
    once, again = (warp(images, FULL, seeded(3)) for _ in range(2))
    torch.testing.assert_close(once, again, atol=0, rtol=0)
    assert not torch.equal(once, warp(images, FULL, seeded(4)))


def test_every_image_gets_its_own_warp() -> None:
    warped = warp(blobs(1).repeat(12, 1, 1), FULL, seeded())
    distances = torch.cdist(warped.flatten(1), warped.flatten(1)) + 1e9 * torch.eye(12)
    assert distances.min() > 10


def test_grey_values_stay_in_range() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 28, 28), np.uint8)
    warped = warp(torch.from_numpy(noise), Augmentation(45, 0.3, 0.3, 0.3, 2), seeded())
    assert warped.dtype == torch.float32
    assert warped.min() >= 0
    assert warped.max() <= 255


def test_background_stays_background() -> None:
    empty = torch.zeros(16, 28, 28, dtype=torch.uint8)
    assert not warp(empty, Augmentation(45, 0.3, 0.3, 0.3, 2), seeded()).any()
    corners = warp(blobs(64), FULL, seeded())[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert not corners.any()


def test_ink_is_kept_on_the_whole() -> None:
    images = blobs(400)
    kept = warp(images, FULL, seeded()).sum() / images.float().sum()
    assert kept.item() == pytest.approx(1, abs=0.05)


def test_a_share_of_the_batch_is_the_slice_of_the_whole() -> None:
    images = blobs(10)
    grid = random_grid(10, 28, 28, FULL, seeded())
    whole = sample(images, grid)
    for rank in range(2):
        share = slice(rank, None, 2)
        torch.testing.assert_close(sample(images[share], grid[share]), whole[share])


@pytest.mark.parametrize("name", ["rotation_deg", "scale", "shear", "shift", "elastic_px"])
@pytest.mark.parametrize("value", [-0.1, 90.0, float("nan")])
def test_a_wrong_field_is_named(name: str, value: float) -> None:
    with pytest.raises(EdgeError, match=f"augmentation: {name} must be"):
        Augmentation(**{name: value})


def test_scale_must_leave_something_of_the_image() -> None:
    with pytest.raises(EdgeError, match="scale must be below 1"):
        Augmentation(scale=1.0)
