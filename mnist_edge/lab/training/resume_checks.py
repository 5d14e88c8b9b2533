"""Whether a saved run fits what it meets again: a recipe, image options, a data set."""

from dataclasses import asdict
from pathlib import Path

from mnist_edge.datasets import Dataset
from mnist_edge.errors import CheckpointError
from mnist_edge.fingerprint import describe_changes
from mnist_edge.image_shape import ImageOptions
from mnist_edge.lab.training.checkpoint import Checkpoint
from mnist_edge.lab.training.recipe import Recipe


def check_resumable(checkpoint: Checkpoint, recipe: Recipe, folder: Path) -> None:
    """CheckpointError when a run was started with another recipe than the one asked for."""
    before, asked = asdict(checkpoint.recipe), asdict(recipe)
    for name in before:
        if before[name] != asked[name]:
            raise CheckpointError(
                f"{folder} was trained with {name} {before[name]}, not {asked[name]}: "
                "resume it with what it was started with, or choose another --out"
            )


def check_options(checkpoint: Checkpoint, asked: ImageOptions, folder: Path) -> ImageOptions:
    """With which options a run goes on: its own. CheckpointError where others are asked for."""
    shape, fit = checkpoint.shape, checkpoint.fit
    if asked.apply(shape) != shape:
        raise CheckpointError(
            f"{folder} was trained on images of {shape}, not {asked.apply(shape)}: resume it "
            "without another size or colour, or choose another --out"
        )
    if asked.fit not in (None, fit):
        raise CheckpointError(
            f"{folder} was trained with fit {fit}, not {asked.fit}: resume it without --fit, or "
            "choose another --out"
        )
    return ImageOptions.of(shape, fit)


def check_unchanged(
    checkpoint: Checkpoint, data: Dataset, folder: Path, advice: str, *, is_trained: bool = False
) -> None:
    """CheckpointError for a data set with other images than those that a run was started on. What
    is trained does not need those of no class again."""
    before, now = checkpoint.fingerprint, data.fingerprint
    if told := describe_changes(before, now, outliers_needed=not is_trained):
        raise CheckpointError(
            f"{data.name} has changed since {folder} was trained on it: {told}. Put its pictures "
            f"back as they were, or {advice}"
        )
