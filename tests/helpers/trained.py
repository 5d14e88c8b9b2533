"""A network trained for one epoch and exported: what the tests of originals need, made once."""

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from mnist_edge.datasets import digits


@dataclass(frozen=True, slots=True)
class Trained:
    """A home in which `mnist-edge bench` finds runs/edge-xs and exported/edge-xs.onnx."""

    home: Path
    run: Path
    file: Path


@functools.cache
def trained(home: Path) -> Trained:
    """Train edge-xs on the digits for one epoch, and export it; once for each home."""
    import torch

    from mnist_edge.lab.training import checkpoint
    from mnist_edge.lab.training.distributed import ProcessGroup
    from mnist_edge.lab.training.recipe import recipe_for
    from mnist_edge.lab.training.runs import finish, train
    from mnist_edge.lab.training.trainer import TrainingInputs
    from tests.helpers.exports import exported

    data = digits.load()
    recipe = replace(recipe_for("edge-xs", "digits"), epochs=1)
    run = home / "runs" / "edge-xs"
    group = ProcessGroup(0, 1, torch.device("cpu"))
    for _ in train(TrainingInputs.of(recipe, data), run, group):
        pass
    finish(run, checkpoint.load(run), data.test)
    return Trained(home, run, exported(run, home / "exported", data).path)
