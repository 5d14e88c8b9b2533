from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from mnist_edge.errors import EdgeError
from mnist_edge.lab.training.photograph_augmentation import (
    PhotographAugmentation,
    augment_photographs,
)
from tests.lab.training.test_augment import seeded

NAN = float("nan")
STILL = PhotographAugmentation(False, 0, 0, 0, 0, 0)
FULL = PhotographAugmentation(True, 0.25, 0.3, 0.3, 0.3, 0.4)
SHAPES = [(24, 20), (24, 20, 3)]


def noise(count: int, dims: tuple[int, ...], low: int = 0, high: int = 256) -> Tensor:
    images = np.random.default_rng(0).integers(low, high, (count, *dims), dtype=np.uint8)
    return torch.from_numpy(images)


@pytest.mark.parametrize("dims", SHAPES)
def test_nothing_is_done_where_nothing_is_asked_for(dims: tuple[int, ...]) -> None:
    images = noise(5, dims)
    torch.testing.assert_close(augment_photographs(images, STILL, seeded()), images.float())


@pytest.mark.parametrize("dims", SHAPES)
@pytest.mark.parametrize("of", [torch.uint8, torch.float32])
def test_all_of_it_is_seeded_in_range_and_leaves_its_input(
    dims: tuple[int, ...], of: torch.dtype
) -> None:
    images = noise(30, dims).to(of)
    kept = images.clone()
    for how in (FULL, replace(STILL, brightness=0.3), replace(STILL, cutout=0.5)):
        first, again, other = (augment_photographs(images, how, seeded(s)) for s in (0, 0, 1))
        torch.testing.assert_close(first, again, atol=0, rtol=0)
        assert (first != other).any()
        assert first.dtype == torch.float32
        assert first.shape == images.shape
        assert 0 <= first.min() <= first.max() <= 255
        torch.testing.assert_close(images, kept, atol=0, rtol=0)


@pytest.mark.parametrize("dims", SHAPES)
def test_half_of_the_images_are_mirrored_and_the_others_as_they_were(dims: tuple[int, ...]) -> None:
    images = noise(400, dims)
    seen = augment_photographs(images, replace(STILL, flip=True), seeded()).byte()
    axes = tuple(range(1, images.ndim))
    mirrored = (seen == images.flip(2)).all(axes)
    assert (mirrored ^ (seen == images).all(axes)).all()
    assert 0.4 < mirrored.float().mean() < 0.6


@pytest.mark.parametrize("dims", SHAPES)
def test_a_shift_is_a_crop_of_the_image_padded_by_reflection(dims: tuple[int, ...]) -> None:
    images = noise(300, dims)
    seen = augment_photographs(images, replace(STILL, shift=0.25), seeded()).byte().numpy()
    (height, width), (down, across) = dims[:2], (6, 5)  # a quarter of each side
    pad = [(down, down), (across, across), *[(0, 0)] * (len(dims) - 2)]
    places = set()
    for image, found in zip(images.numpy(), seen, strict=True):
        wide = np.pad(image, pad, mode="reflect")
        fits = [
            (y, x)
            for y in range(2 * down + 1)
            for x in range(2 * across + 1)
            if np.array_equal(wide[y : y + height, x : x + width], found)
        ]
        assert len(fits) == 1
        places.update(fits)
    assert {y for y, _ in places} == set(range(13))
    assert {x for _, x in places} == set(range(11))


@pytest.mark.parametrize(
    ("name", "adjust"),
    [
        ("brightness", tv.adjust_brightness),
        ("contrast", tv.adjust_contrast),
        ("saturation", tv.adjust_saturation),
    ],
)
def test_colours_change_as_torchvision_changes_them(name: str, adjust: object) -> None:
    images = noise(20, (24, 20, 3), 90, 160).float()  # far from both ends
    seen = augment_photographs(images, replace(STILL, **{name: 0.2}), seeded())  # type: ignore[arg-type]
    factors = []
    for image, found in zip(images, seen, strict=True):
        for factor in np.linspace(0.8, 1.2, 401):
            expected = adjust(image.permute(2, 0, 1) / 255, factor).permute(1, 2, 0) * 255  # type: ignore[operator]
            if torch.allclose(expected, found, atol=0.15):
                factors.append(factor)
                break
    assert len(factors) == 20
    assert min(factors) < 0.9
    assert max(factors) > 1.1


def test_grey_has_no_saturation() -> None:
    images = noise(5, (24, 20))
    how = replace(STILL, saturation=0.9)
    torch.testing.assert_close(augment_photographs(images, how, seeded()), images.float())


@pytest.mark.parametrize("dims", SHAPES)
def test_cutout_is_a_square_of_the_mean_that_may_reach_over_the_border(
    dims: tuple[int, ...],
) -> None:
    images = noise(500, dims, 100, 256).float()
    images[:, 0, 0] = 0  # no other pixel is as its mean
    seen = augment_photographs(images, replace(STILL, cutout=0.5), seeded())
    changed = seen != images
    mean = images.mean(dim=(1, 2), keepdim=True).expand_as(images)
    torch.testing.assert_close(seen[changed], mean[changed])
    area = changed.flatten(3).any(3) if images.ndim == 4 else changed
    heights, widths = area.any(2).sum(1), area.any(1).sum(1)
    assert (area.sum((1, 2)) == heights * widths).all()
    assert heights.max() == widths.max() == 10  # half of the shorter side
    assert heights.min() < 10 > widths.min()
    assert (area.any(0)).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shift", 0.6),
        ("shift", -0.1),
        ("cutout", 1.1),
        ("brightness", float("nan")),
        ("contrast", 2),
    ],
)
def test_values_out_of_range_are_named(name: str, value: float) -> None:
    with pytest.raises(EdgeError, match=f"photographs: {name} must be"):
        PhotographAugmentation(**{name: value})  # type: ignore[arg-type]
