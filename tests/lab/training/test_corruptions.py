from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from mnist_edge.errors import EdgeError
from mnist_edge.lab.training import corruptions as lab
from mnist_edge.lab.training.corruptions import Corruptions, corrupt
from tests.lab.training.test_augment import blobs, seeded

KINDS = (
    "erode",
    "dilate",
    "blur",
    "dropout",
    "speckle",
    "downsample",
    "contrast",
    "gamma",
    "fade",
    "noise",
)
OFF = Corruptions(probability=1.0)
ALL = Corruptions(1.0, 0.9, 0.9, 0.9, 1.5, 1.5, 0.9, 4.0, 0.7, 0.5, 0.15)
CROSS = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]])


def digits_like(count: int = 40) -> Tensor:
    return (blobs(count).float() * 3).clamp(0, 255)


def only(kind: str, value: float) -> Corruptions:
    return replace(OFF, **{kind: value})


def test_no_wear_changes_nothing() -> None:
    images = digits_like()
    torch.testing.assert_close(corrupt(images, OFF, seeded()), images)
    torch.testing.assert_close(corrupt(images, replace(ALL, probability=0.0), seeded()), images)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_does_something_and_stays_in_range(kind: str) -> None:
    images = digits_like()
    worn = corrupt(images, only(kind, 0.9), seeded())
    assert worn.dtype == torch.float32
    assert worn.min() >= 0
    assert worn.max() <= 255
    assert (worn - images).abs().amax(dim=(1, 2)).gt(1).float().mean() > 0.25


def test_about_as_many_are_worn_as_asked_for() -> None:
    images = digits_like(2000)
    worn = corrupt(images, replace(only("blur", 0.9), probability=0.3), seeded())
    changed = (worn - images).abs().amax(dim=(1, 2)).gt(0)
    assert changed.float().mean().item() == pytest.approx(0.3, abs=0.04)


def test_the_generator_decides_everything() -> None:
    once, again = (corrupt(digits_like(), ALL, seeded(3)) for _ in range(2))
    torch.testing.assert_close(once, again, atol=0, rtol=0)
    assert not torch.equal(once, corrupt(digits_like(), ALL, seeded(4)))


def test_every_image_is_worn_in_its_own_way() -> None:
    worn = corrupt(digits_like(1).repeat(12, 1, 1), ALL, seeded())
    distances = torch.cdist(worn.flatten(1), worn.flatten(1)) + 1e9 * torch.eye(12)
    assert distances.min() > 10


def test_background_stays_background_but_for_specks() -> None:
    blank = torch.zeros(30, 28, 28)
    assert not corrupt(blank, replace(ALL, speckle=0.0), seeded()).any()
    specked = corrupt(blank, only("speckle", 1.5), seeded())
    assert 0 < (specked > 0).float().mean() < 0.05
    far = ndimage.binary_dilation(digits_like().numpy() > 0, np.ones((1, 15, 15)))
    assert not corrupt(digits_like(), replace(ALL, speckle=0.0), seeded())[
        torch.from_numpy(~far)
    ].any()


def test_dilation_is_scipys() -> None:
    x = digits_like() / 255
    expected = ndimage.grey_dilation(x.numpy(), footprint=CROSS, mode="constant")
    np.testing.assert_array_equal(lab._dilate(x).numpy(), expected)


def test_blur_is_scipys_convolution() -> None:
    x = torch.rand(5, 28, 28, generator=seeded())
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])[None] / 256
    expected = ndimage.convolve(x.numpy(), kernel, mode="constant")
    np.testing.assert_allclose(lab._blur(x).numpy(), expected, atol=1e-6)


def test_fatter_only_adds_ink_and_gaps_and_faint_only_take_it() -> None:
    images = digits_like()
    assert (corrupt(images, only("dilate", 1.0), seeded()) >= images - 1e-3).all()
    for kind in ("dropout", "fade"):
        assert (corrupt(images, only(kind, 0.9), seeded()) <= images + 1e-3).all()


def test_thinner_strokes_cover_less_and_never_vanish() -> None:
    images = torch.zeros(60, 28, 28)
    images[:, 4:24, 12:14] = 255  # two pixels wide: all edge
    images[30:, 4:24, 10:16] = 255
    worn = corrupt(images, only("erode", 1.0), seeded())
    assert ((worn > 127).sum(dim=(1, 2)) <= (images > 127).sum(dim=(1, 2))).all()
    assert (worn[30:] > 127).sum() < (images[30:] > 127).sum()
    assert (worn.amax(dim=(1, 2)) > 0).all()


def test_specks_and_gaps_are_small() -> None:
    speckle = corrupt(torch.zeros(500, 28, 28), only("speckle", 1.0), seeded()) / 255
    dropout = 1 - corrupt(torch.full((500, 28, 28), 255.0), only("dropout", 1.0), seeded()) / 255
    for worn in (speckle, dropout):
        areas = worn.sum(dim=(1, 2))
        assert 0.2 < areas.mean() < 6
        assert areas.max() < 3 * np.pi * 1.5**2


@pytest.mark.parametrize("kind", ["probability", *KINDS])
@pytest.mark.parametrize("value", [-0.1, 11.0, float("nan")])
def test_a_wrong_field_is_named(kind: str, value: float) -> None:
    with pytest.raises(EdgeError, match=f"corruptions: {kind} must be in 0 to"):
        only(kind, value)
