from dataclasses import replace

import numpy as np
import pytest
import torch

from mnist_edge.datasets import Dataset, Split
from mnist_edge.lab.synthetic.outliers import draw_outliers
from mnist_edge.lab.training.augment import Augmentation, warp
from mnist_edge.lab.training.corruptions import Corruptions
from mnist_edge.lab.training.photograph_augmentation import PhotographAugmentation
from mnist_edge.lab.training.recipe import Recipe, StrongAugmentation
from mnist_edge.lab.training.training_mix import (
    OUTLIER,
    augment_batch,
    draw_digits,
    with_synthetic,
)
from tests.lab.training.test_augment import blobs, seeded

STILL = Augmentation(0, 0, 0, 0, 0)
PLAIN = Recipe("edge-xs", "digits", augmentation=STILL)
MIXED = replace(PLAIN, synthetic_share=0.2, outlier_share=0.1)
MOVED = StrongAugmentation(0.25, Augmentation(20, 0.2, 0.2, 0.1, 1), Corruptions(1.0, blur=0.9))
STRONG = replace(PLAIN, strong_augmentation=MOVED)


@pytest.fixture(scope="module")
def some(digits: Dataset) -> Split:
    return digits.train[slice(0, 140)]


def test_drawn_digits_of_every_class_alike() -> None:
    made = draw_digits(40, seed=3)
    np.testing.assert_array_equal(np.bincount(made.labels), [4] * 10)
    np.testing.assert_array_equal(made.images, draw_digits(40, seed=3).images)
    assert (made.images != draw_digits(40, seed=4).images).any()


def test_nondigits_come_in_kinds_and_are_seeded(some: Split) -> None:
    images, again = (draw_outliers(200, some, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(images, again)
    assert images.shape == (200, 28, 28)
    blank = ~images.any(axis=(1, 2))
    assert 0 < blank.mean() < 0.1
    different = len(np.unique(images[~blank].reshape(-1, 784), axis=0))
    assert different > 0.9 * (~blank).sum()


def test_nondigits_need_no_particular_digits() -> None:
    zeros = Split(np.full((2, 28, 28), 9, np.uint8), np.zeros(2, np.int64))
    assert len(draw_outliers(50, zeros, np.random.default_rng(0))) == 50


def test_a_plain_recipe_adds_nothing(some: Split) -> None:
    whole = with_synthetic(some, PLAIN)
    np.testing.assert_array_equal(whole.images, some.images)
    np.testing.assert_array_equal(whole.labels, some.labels)


def test_shares_are_parts_of_what_comes_out_behind_the_images_themselves(some: Split) -> None:
    whole = with_synthetic(some, MIXED)
    np.testing.assert_array_equal(whole.images[:140], some.images)
    np.testing.assert_array_equal(whole.labels[:140], some.labels)
    assert len(whole) == 200
    assert (whole.labels[140:180] >= 0).all()
    assert (whole.labels[180:] == OUTLIER).all()
    again = with_synthetic(some, MIXED)
    np.testing.assert_array_equal(whole.images, again.images)
    other = with_synthetic(some, replace(MIXED, seed=1))
    assert (whole.images[140:] != other.images[140:]).any()


@pytest.mark.parametrize("dataset", ["kmnist", "fashion-mnist", "folder:letters"])
def test_other_data_sets_stay_what_they_are(some: Split, dataset: str) -> None:
    everything = replace(MIXED, strong_augmentation=STRONG.strong_augmentation, dataset=dataset)
    assert len(with_synthetic(some, everything)) == 140
    images = torch.from_numpy(some.images)
    torch.testing.assert_close(
        augment_batch(images, everything, seeded()), images.float(), atol=1e-2, rtol=0
    )


def test_without_strong_augmentation_a_batch_is_warped_as_ever() -> None:
    recipe = Recipe(dataset="mnist")
    expected = warp(blobs(20), recipe.augmentation, seeded(2))
    torch.testing.assert_close(
        augment_batch(blobs(20), recipe, seeded(2)), expected, atol=0, rtol=0
    )


def test_photographs_are_mirrored_at_the_border_and_never_dark_there() -> None:
    """As glyphs are, whose background is 0: of an image that is white there is nothing else."""
    white = torch.full((30, 28, 28, 3), 255, dtype=torch.uint8)
    how = PhotographAugmentation(brightness=0, contrast=0, saturation=0)
    recipe = replace(PLAIN, dataset="cifar10", augmentation=MOVED.transform)
    assert augment_batch(white, recipe, seeded()).min() < 1
    recipe = replace(recipe, photograph_augmentation=how)
    assert augment_batch(white, recipe, seeded()).min() > 254.9


def test_the_share_of_strong_augmentation_stands_at_the_end_of_a_batch() -> None:
    images = blobs(40)
    seen = augment_batch(images, STRONG, seeded())
    changed = (seen - images).abs().amax(dim=(1, 2)) > 0.5
    assert not changed[:30].any()
    assert changed[30:].all()
    assert seen.shape == (40, 28, 28)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_none_or_all_of_a_batch_may_be_strongly_augmented(share: float) -> None:
    seen = augment_batch(
        blobs(7), replace(PLAIN, strong_augmentation=replace(MOVED, share=share)), seeded()
    )
    assert ((seen - blobs(7)).abs().amax(dim=(1, 2)) > 0.5).float().mean() == share


@pytest.mark.parametrize(("given", "used"), [(30, 30), (500, 140), (0, 0)])
def test_own_images_of_no_class_come_last_and_are_at_most_as_many_as_the_others(
    some: Split, given: int, used: int
) -> None:
    own = np.zeros((given, 28, 28), np.uint8)
    own[:, 0, 0], own[:, 0, 1] = np.arange(given) % 250, np.arange(given) // 250
    for recipe in (replace(PLAIN, dataset="folder:x"), MIXED):
        without, whole = (
            with_synthetic(some, recipe),
            with_synthetic(some, recipe, own),
        )
        assert len(whole) == len(without) + used
        np.testing.assert_array_equal(whole.images[: len(without)], without.images)
        np.testing.assert_array_equal(whole.labels[: len(without)], without.labels)
        assert (whole.labels[len(without) :] == OUTLIER).all()
        assert len(np.unique(whole.images[len(without) :, 0, :2], axis=0)) == used
