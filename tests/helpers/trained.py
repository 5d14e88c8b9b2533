"""A network trained for one epoch and exported: what the tests of originals need, made once."""

from dataclasses import dataclass, replace
from pathlib import Path

from mnist_edge.datasets import digits
from tests.helpers import shared


@dataclass(frozen=True, slots=True)
class Trained:
    """A home in which `mnist-edge bench` finds runs/edge-xs and exported/edge-xs.onnx."""

    home: Path
    run: Path
    file: Path


def trained_home() -> Trained:
    """edge-xs, trained on the digits for one epoch, and exported."""
    home = shared.folder_once("home", _make)
    return Trained(home, home / "runs" / "edge-xs", home / "exported" / "edge-xs.onnx")


def _make(home: Path) -> None:
    import torch

    from mnist_edge.lab.training import checkpoint
    from mnist_edge.lab.training.distributed import ProcessGroup
    from mnist_edge.lab.training.recipes import recipe_for
    from mnist_edge.lab.training.runs import finish, train
    from mnist_edge.lab.training.training_inputs import TrainingInputs
    from tests.helpers.exports import exported

    data = digits.load()
    recipe = replace(recipe_for("edge-xs", "digits"), epochs=1)
    run = home / "runs" / "edge-xs"
    group = ProcessGroup(0, 1, torch.device("cpu"))
    for _ in train(TrainingInputs.of(recipe, data), run, group):
        pass
    finish(run, checkpoint.load_checkpoint(run), data.test)
    exported(run, home / "exported", data)
