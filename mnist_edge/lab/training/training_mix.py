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
from mnist_edge.lab.training.photograph_augmentation import augment_photographs
from mnist_edge.lab.training.recipe import Recipe

_SUBSET_SEED = 0  # the seed of which images: the same for every run
OUTLIER = -1  # the label of what belongs to no class


def draw_digits(count: int, seed: int) -> Split:
    """Digits of a pen, of every style, in MNIST's form: uint8 (count, 28, 28), labels in turn."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 10
    written = [glyphs.digit_glyph(int(label), random) for label in labels]
    return Split(strokes.draw(written, random), labels)


def with_synthetic(
    training: Split, recipe: Recipe, outliers: NDArray[np.uint8] | None = None
) -> Split:
    """The training images, as many as a recipe wants, and, behind them, what it adds; seeded by
    its own seed. A person's own images of no class come last, as `outliers_used` has them.

    `synthetic_share` and `outlier_share` are parts of what comes out. Labels of non-digits are
    OUTLIER. Nothing is added where the images are no digits.
    """
    if recipe.images is not None and recipe.images < len(training):
        chosen = np.random.default_rng(_SUBSET_SEED).permutation(len(training))[: recipe.images]
        training = Split(training.images[chosen], training.labels[chosen])
    own = _as_outliers(outliers_used(outliers, len(training)))
    if not recipe.of_digits:
        return _joined(training, own) if len(own) else training
    drawn, strange = synthetic_counts(len(training), recipe)
    pens = draw_digits(drawn, recipe.seed)
    random = np.random.default_rng([recipe.seed, 1])
    images: NDArray[np.uint8] = draw_outliers(strange, training, random)
    return _joined(training, pens, _as_outliers(images), *([own] if len(own) else []))


def outliers_used(outliers: NDArray[np.uint8] | None, images: int) -> NDArray[np.uint8]:
    """Those that are trained on beside so many images of classes: at most as many, evenly taken,
    so that the classes stay half of what is learned (Hendrycks et al. 2019, arXiv 1812.04606)."""
    if outliers is None:
        return np.empty((0, 28, 28), np.uint8)
    count = min(len(outliers), images)
    return outliers[np.arange(count) * len(outliers) // max(1, count)]


def _as_outliers(images: NDArray[np.uint8]) -> Split:
    return Split(images, np.full(len(images), OUTLIER, np.int64))


def _joined(*splits: Split) -> Split:
    return Split(
        np.concatenate([split.images for split in splits]),
        np.concatenate([split.labels for split in splits]),
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
