"""How steps are launched changes no weight beyond rounding. CUDA itself: benchmarks/gpu."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mnist_edge.datasets import Dataset, Split
from mnist_edge.errors import EdgeError
from mnist_edge.lab.training.acceleration import ACCELERATIONS, Acceleration, choose_acceleration
from mnist_edge.lab.training.checkpoint import Checkpoint, load_checkpoint
from mnist_edge.lab.training.distillation import SoftTargets
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.optimizer import build_optimizer, portable_state, restore_state
from mnist_edge.lab.training.recipe import Distillation
from mnist_edge.lab.training.recipes import recipe_for
from mnist_edge.lab.training.runs import train
from mnist_edge.lab.training.training_mix import with_synthetic
from tests.lab.conftest import CPU, inputs

RECIPE = replace(recipe_for("edge-xs", "digits"), epochs=2, batch_size=32)
GPU = ProcessGroup(0, 1, torch.device("cuda"))


@pytest.mark.parametrize("distilled", [False, True])
def test_a_step_through_fixed_tensors_is_the_same_step(
    digits: Dataset, tmp_path: Path, distilled: bool
) -> None:
    eager = run(digits, tmp_path / "eager", "eager", distilled)
    graphed = run(digits, tmp_path / "graphed", "cuda-graph", distilled)
    torch.testing.assert_close(graphed.network, eager.network, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(graphed.average, eager.average, atol=2e-4, rtol=1e-3)
    assert graphed.history[-1]["loss"] == pytest.approx(eager.history[-1]["loss"], rel=1e-3)


def test_its_checkpoint_is_gone_on_with_eagerly(digits: Dataset, tmp_path: Path) -> None:
    whole = run(digits, tmp_path / "eager", "eager")
    begun = train(inputs(RECIPE, few(digits)), tmp_path / "begun", CPU, acceleration="cuda-graph")
    next(begun)
    del begun
    saved = load_checkpoint(tmp_path / "begun")
    for group in saved.optimizer["param_groups"]:
        assert isinstance(group["lr"], float)
    done = run(digits, tmp_path / "begun", "eager", resume=saved)
    assert done.epochs_done == RECIPE.epochs
    torch.testing.assert_close(done.average, whole.average, atol=2e-4, rtol=1e-3)


def test_an_optimizers_state_knows_no_device(digits: Dataset) -> None:
    layer = torch.nn.Linear(4, 4)
    made = build_optimizer(layer, RECIPE, capturable=True)
    for group in made.param_groups:
        group["lr"] = torch.tensor(0.25)
    state = portable_state(made)
    assert [group["lr"] for group in state["param_groups"]] == [0.25, 0.25]
    other = build_optimizer(layer, RECIPE)
    layer(torch.ones(1, 4)).sum().backward()
    other.step()
    state["state"] = other.state_dict()["state"]
    restore_state(other, state, RECIPE)
    assert not any(group["capturable"] for group in other.param_groups)
    restore_state(made, state, RECIPE)
    assert all(group["capturable"] for group in made.param_groups)


def test_auto_compiles_long_runs_on_one_gpu() -> None:
    eager, compiled = Acceleration(), Acceleration(compiled=True)
    assert choose_acceleration("auto", GPU, 100_000) == compiled
    assert choose_acceleration("auto", GPU, 100) == eager
    assert choose_acceleration("auto", CPU, 100_000) == eager
    assert choose_acceleration("cuda-graph", GPU, 100) == Acceleration(graphed=True)
    several = ProcessGroup(0, 2, GPU.device)
    assert {choose_acceleration(name, several, 100_000) for name in ACCELERATIONS} == {eager}
    with pytest.raises(EdgeError, match="acceleration is one of auto, eager"):
        choose_acceleration("fast", GPU, 1)


def run(
    digits: Dataset,
    folder: Path,
    acceleration: str,
    distilled: bool = False,
    resume: Checkpoint | None = None,
) -> Checkpoint:
    training, _ = few(digits)
    recipe, taught = RECIPE, None
    if distilled:
        recipe = replace(RECIPE, distillation=Distillation(("0" * 64,), views=2))
        whole = with_synthetic(training, RECIPE)
        random = torch.Generator().manual_seed(0)
        images = torch.from_numpy(whole.images).repeat(2, 1, 1, 1)
        logits = torch.randn(2, len(whole), len(digits.classes), generator=random)
        taught = SoftTargets(whole, images, logits)
    asked = replace(inputs(recipe, few(digits)), soft_targets=taught)
    for _ in train(asked, folder, CPU, resume=resume, acceleration=acceleration):
        pass
    return load_checkpoint(folder)


def few(digits: Dataset) -> tuple[Split, Split]:
    training, validation = digits.training, digits.validation
    return training[slice(0, 150)], validation[slice(0, 40)]
