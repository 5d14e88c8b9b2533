"""Stage 4: the files that accuracy asks for, as many as fit: teachers, then their students."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import weights
from benchmarks.gpu.plan import Finding, Plan
from mnist_edge.datasets import load
from mnist_edge.lab.training import distillation
from mnist_edge.lab.training.checkpoint import CHECKPOINT, load_checkpoint
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.recipes import recipe_for
from mnist_edge.lab.training.runs import finish, train
from mnist_edge.lab.training.training_inputs import TrainingInputs


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run: what is trained, by which seed, and whether all finished teachers teach it."""

    model: str
    seed: int
    taught: bool = False

    @property
    def name(self) -> str:
        return f"{self.model}{'-taught' * self.taught}-{self.seed}"


TEACHERS = tuple(Wanted("resnet3", seed) for seed in range(3))
STUDENTS = tuple(
    Wanted(model, seed, taught=True) for seed in range(3) for model in ("edge", "edge-xs")
)
_TINY = (Wanted("edge-xs", 0), Wanted("edge-xs", 1, taught=True))


def measure(plan: Plan) -> Iterator[Finding]:
    """Train one run after the other, and keep the weights of all that are finished."""
    best = plan.record().get("seconds to", {}).get("chosen on validation images", {})
    acceleration = best.get("acceleration", "auto")
    yield "launched", acceleration
    runs, finished, longest_s = plan.out / "best", list[Path](), 0.0
    for wanted in _TINY if plan.tiny else TEACHERS + STUDENTS:
        if plan.left_s < longest_s:
            break
        began = time.monotonic()
        found = _train(plan, wanted, runs, finished, acceleration)
        longest_s = max(longest_s, time.monotonic() - began)
        yield wanted.name, found | {"with its data": time.monotonic() - began}
        if "test" not in found:
            break
        finished.append(runs / wanted.name)
        # Students first: they are small, and what ships.
        small_first = sorted(finished, key=lambda run: (run / CHECKPOINT).stat().st_size)
        yield "kept", weights.write(small_first, plan.out)


def _train(
    plan: Plan, wanted: Wanted, runs: Path, finished: list[Path], acceleration: str
) -> dict[str, Any]:
    recipe = replace(recipe_for(wanted.model, plan.dataset), seed=wanted.seed)
    if plan.tiny:
        recipe = replace(recipe, epochs=1)
    data = load(plan.dataset)
    training = data.training
    group, run = ProcessGroup(0, 1, torch.device(plan.device)), runs / wanted.name
    views = None
    if wanted.taught:
        those = [path for path in finished if "taught" not in path.name]
        teachers = [distillation.open_teacher(path, runs) for path in those]
        recipe = distillation.with_teachers(recipe, teachers)
        views = distillation.soft_targets(teachers, training, recipe, group.device)
    history = []
    inputs = replace(TrainingInputs.of(recipe, data), soft_targets=views)
    for result in train(inputs, run, group, acceleration=acceleration):
        history.append(result)
        if plan.left_s < result.duration_s:
            return {"out of time after epoch": result.epoch}
    done = finish(run, load_checkpoint(run), data.test)
    test = done.test_accuracy
    assert test is not None
    return {
        "test": test.value,
        "95 % interval": list(test.interval),
        "validation": history[-1].validation_accuracy,
        "seconds": sum(epoch.duration_s for epoch in history),
        "images/s": history[-1].images_per_s,
    }
