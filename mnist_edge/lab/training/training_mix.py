"""What a run trains on beside its own images: digits of a pen, and what is no digit."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mnist_edge.datasets import Split
from mnist_edge.lab.synthetic import glyphs, strokes
from mnist_edge.lab.synthetic.outliers import draw_outliers
from mnist_edge.lab.training.augment import random_grid, sample, warp
from mnist_edge.lab.training.corruptions import corrupt
from mnist_edge.lab.training.photographs import augment_photographs
from mnist_edge.lab.training.recipe import Recipe

_SUBSET_SEED = 0  # the seed of which images: the same for every run
OUTLIER = -1  # the label of what belongs to no class


def draw_digits(count: int, seed: int) -> Split:
    """Digits of a pen, of every style, in MNIST's form: uint8 (count, 28, 28), labels in turn."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 10
    written = [glyphs.digit_glyph(int(label), random) for label in labels]
    return Split(strokes.draw(written, random), labels)


def with_synthetic(training: Split, recipe: Recipe) -> Split:
    """The training images, as many as a recipe wants, and, behind them, what it adds; seeded by
    its own seed.

    `synthetic_share` and `outlier_share` are parts of what comes out. Labels of non-digits are
    OUTLIER. Nothing is added where the images are no digits.
    """
    if recipe.images is not None and recipe.images < len(training):
        chosen = np.random.default_rng(_SUBSET_SEED).permutation(len(training))[: recipe.images]
        training = Split(training.images[chosen], training.labels[chosen])
    if not recipe.of_digits:
        return training
    drawn, strange = synthetic_counts(len(training), recipe)
    pens = draw_digits(drawn, recipe.seed)
    random = np.random.default_rng([recipe.seed, 1])
    images: NDArray[np.uint8] = draw_outliers(strange, training, random)
    nothing = np.full(strange, OUTLIER, np.int64)
    return Split(
        np.concatenate([training.images, pens.images, images]),
        np.concatenate([training.labels, pens.labels, nothing]),
    )


def synthetic_counts(images: int, recipe: Recipe) -> tuple[int, int]:
    """How many digits of a pen, and how many non-digits, a recipe adds to so many images."""
    if not recipe.of_digits:
        return 0, 0
    own = 1 - recipe.synthetic_share - recipe.outlier_share
    return round(images * recipe.synthetic_share / own), round(images * recipe.outlier_share / own)


def augment_batch(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """A batch as the network sees it in training: float32 in 0..255, of the images' shape.

    images: uint8 (N, H, W) or (N, H, W, 3) in random order. Glyphs are warped by the recipe's
    `augmentation`, but for the part `strong_augmentation.share` at the end of the batch, which is
    transformed and corrupted as that says. Photographs are warped where it moves anything, and
    changed as `photograph_augmentation` says.
    """
    if recipe.photograph_augmentation is not None:
        if recipe.augmentation.moves:
            images = warp(images, recipe.augmentation, generator, outside="reflection")
        return augment_photographs(images, recipe.photograph_augmentation, generator)
    count, height, width = images.shape[:3]
    strong = recipe.strong_augmentation if recipe.of_digits else None
    if strong is None and not recipe.augmentation.moves:
        return images.float()
    if strong is None:
        return warp(images, recipe.augmentation, generator)
    worn = round(count * strong.share)
    parts = [(count - worn, recipe.augmentation), (worn, strong.transform)]
    grids = [random_grid(n, height, width, how, generator) for n, how in parts if n]
    warped = sample(images, torch.cat(grids))
    if worn:
        warped[count - worn :] = corrupt(warped[count - worn :], strong.corruptions, generator)
    return warped
