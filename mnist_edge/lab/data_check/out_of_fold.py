"""What networks say of pictures that they were not trained on: k-fold cross-validation."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mnist_edge.datasets import Split
from mnist_edge.datasets.duplicates import Duplicate, group_copies
from mnist_edge.image_kind import ImageKind
from mnist_edge.lab.training.augment import NO_AUGMENTATION, Augmentation
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.events import StepResult
from mnist_edge.lab.training.photograph_augmentation import PhotographAugmentation
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.recipes import recipe_for
from mnist_edge.lab.training.trainer import Trainer
from mnist_edge.lab.training.training_inputs import TrainingInputs
from mnist_edge.metrics import softmax

MODEL = "edge-xs"
FOLDS = 5
_EPOCHS = 8
_LEAST_STEPS = 200  # of a small set: a third of those of a training that is kept
_GLYPHS = Augmentation(rotation_deg=4.0, scale=0.05, shear=0.03, shift=0.05, elastic_px=0.0)
_PHOTOGRAPHS = PhotographAugmentation(brightness=0.1, contrast=0.1, saturation=0.1, cutout=0.0)

Watch = Callable[[str, StepResult], None]
"""Told which training it is, and where that stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlan:
    """How the networks that judge a data set are trained: quickly, and several times. `kind` is
    what its images are of."""

    dataset: str
    kind: ImageKind
    model: str = MODEL
    folds: int = FOLDS
    epochs: int = _EPOCHS
    seed: int = 0

    def recipe(self, images: int) -> Recipe:
        """The model's recipe on so many images, moved a little only. Nothing synthetic is mixed
        in: its labels are not in question."""
        shipped = recipe_for(self.model, self.dataset, self.kind)
        is_glyphs = self.kind is ImageKind.GLYPHS
        steps = max(1, images // shipped.batch_size)
        return replace(
            shipped,
            epochs=max(self.epochs, math.ceil(_LEAST_STEPS / steps)),
            seed=self.seed,
            synthetic_share=0.0,
            outlier_share=0.0,
            strong_augmentation=None,
            augmentation=_GLYPHS if is_glyphs else NO_AUGMENTATION,
            photograph_augmentation=None if is_glyphs else _PHOTOGRAPHS,
        )


def folds_of(
    labels: NDArray[np.int64], count: int, seed: int, copies: Sequence[Duplicate] = ()
) -> NDArray[np.int64]:
    """The fold of each image, 0..count-1, int64 (N,): stratified by class, drawn with a seed.

    Copies of a picture come into one fold: a network that was trained on the one knows the label
    of the other.
    """
    random = np.random.default_rng(seed)
    folds = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        folds[members] = (np.arange(len(members)) + random.integers(count)) % count
    return np.asarray(folds[group_copies(len(labels), copies)])


def train_once(
    training: Split,
    classes: tuple[str, ...],
    plan: CheckPlan,
    group: ProcessGroup,
    watch: Callable[[StepResult], None],
) -> Trainer:
    """A network that was trained on these images; its `average` answers."""
    inputs = TrainingInputs(
        recipe=plan.recipe(len(training)),
        classes=classes,
        training=training,
        validation=training[slice(0, 1)],  # it chooses nothing here
    )
    trainer = Trainer(inputs, group)
    for epoch in range(inputs.recipe.epochs):
        trainer.epoch(epoch, watch)
    return trainer


def out_of_fold_probabilities(
    data: Split,
    classes: tuple[str, ...],
    folds: NDArray[np.int64],
    plan: CheckPlan,
    group: ProcessGroup,
    watch: Watch,
) -> NDArray[np.float32]:
    """The probabilities of each image's classes, float32 (N, classes), by a network that was
    trained on the other folds."""
    probabilities = np.zeros((len(data), len(classes)), np.float32)
    count = int(folds.max()) + 1
    for fold in range(count):
        name = f"fold {fold + 1} of {count}"
        network = train_once(
            data[folds != fold], classes, plan, group, partial(watch, name)
        ).average
        own = folds == fold
        probabilities[own] = softmax(network.predict_logits(data.images[own]))
    return probabilities
