"""What a training run learns from, as one value."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge.datasets import Dataset, Split
from mnist_edge.datasets.concatenated import repeat_small_parts
from mnist_edge.fingerprint import Fingerprint
from mnist_edge.image_shape import Fit
from mnist_edge.lab.training.distillation import SoftTargets
from mnist_edge.lab.training.pretrained import InitialWeights
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.training_mix import with_synthetic


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingInputs:
    """What a run learns from, and what it is measured on after every epoch.

    `initial` are the weights to begin with, random ones by None. `soft_targets` is what a recipe
    with teachers learns from. The split `watched` is answered after every epoch, for a curve, and
    chooses nothing. `outliers` are a person's own images of no class, of the same shape, on which
    every class is to be equally probable. `fingerprint` is that of the data set, and `fit` is how
    pictures become images like its own: checkpoints carry both.
    """

    recipe: Recipe
    classes: tuple[str, ...]
    training: Split
    validation: Split
    initial: InitialWeights | None = None
    soft_targets: SoftTargets | None = None
    watched: Split | None = None
    outliers: NDArray[np.uint8] | None = None
    fingerprint: Fingerprint | None = None
    fit: Fit = Fit.DIGIT

    def mixed_images(self) -> Split:
        """The training images with what the recipe adds, and those of no class."""
        return with_synthetic(self.training, self.recipe, self.outliers)

    @classmethod
    def of(cls, recipe: Recipe, data: Dataset) -> "TrainingInputs":
        """A recipe on a data set's own splits, learning from labels alone."""
        return cls(
            recipe=recipe,
            classes=data.classes,
            training=repeat_small_parts(data, recipe.part_share),
            validation=data.validation,
            outliers=data.outliers.training if data.outliers else None,
            fingerprint=data.fingerprint,
            fit=data.fit,
        )
