"""Which small network learns more: some epochs of each under the same teacher. Run it with

    python -m benchmarks.architecture_accuracy --teacher runs/resnet3 [--epochs 20] MODEL …

A MODEL is a name of the zoo, or a chain as `mnist-edge train --model` takes it too. All are trained
by one recipe (--recipe), on the same warped images with the same answers of the teacher, and
measured on the validation split: nothing here sees the test split. Few epochs rank networks, and
do not say how far they come. What each costs on the clock, `architecture_search` tells.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from mnist_edge import datasets
from mnist_edge.datasets import Dataset, Split
from mnist_edge.lab.training import distillation
from mnist_edge.lab.training.checkpoint import load_checkpoint
from mnist_edge.lab.training.distillation import SoftTargets
from mnist_edge.lab.training.distributed import ProcessGroup, process_group
from mnist_edge.lab.training.layer_summary import cost
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.recipes import RECIPES
from mnist_edge.lab.training.runs import train
from mnist_edge.lab.training.training_inputs import TrainingInputs


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+")
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--recipe", default="edge-xs", choices=sorted(RECIPES))
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    data = datasets.load("mnist", None)
    training, validation = data.training, data.validation
    opened = [distillation.open_teacher(given.teacher, given.teacher.parent)]
    recipe = replace(RECIPES[given.recipe], epochs=given.epochs, seed=given.seed)
    recipe = distillation.with_teachers(recipe, opened)
    print(f"{given.epochs} epochs by the recipe of {given.recipe}, seed {given.seed}")
    print(f"{'network':<36} parameters       MACs    loss  wrong of {len(validation):,}  entropy")
    with process_group("cpu") as group:
        views = distillation.soft_targets(opened, training, recipe, group.device)
        for name in given.models:
            one = replace(recipe, model=name)
            print(row(one, data, training, validation, views, group), flush=True)


def row(
    recipe: Recipe,
    data: Dataset,
    training: Split,
    validation: Split,
    views: SoftTargets,
    group: ProcessGroup,
) -> str:
    """What a network costs, its mean loss in the last epoch, and what it answers to the validation
    images: how many are wrong, and their mean cross-entropy."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        inputs = replace(TrainingInputs.of(recipe, data), soft_targets=views)
        *_, last = train(inputs, run, group)
        logits = load_checkpoint(run).trained_network().predict_logits(validation.images)
    wrong = np.count_nonzero(logits.argmax(axis=1) != validation.labels)
    entropy = F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(validation.labels))
    spent = cost(build(recipe.model))
    return (
        f"{recipe.model:<36} {spent.params:>10,} {spent.macs:>10,} {last.loss:>7.4f} "
        f"{wrong:>15} {entropy.item():>8.5f}"
    )


if __name__ == "__main__":
    main()
