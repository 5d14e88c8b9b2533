"""How long an experiment will take here: some real training steps of each network, timed."""

import contextlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from mnist_edge.datasets import SIDE, Split
from mnist_edge.lab.reproduce.experiments import ALONGSIDE, Run
from mnist_edge.lab.training import bf16, threads
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.events import StepResult
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.runs import train
from mnist_edge.lab.training.trainer import TrainingInputs
from mnist_edge.types import Progress

_WARM_STEPS, _WARM_S = 1, 0.3
_LEAST_STEPS = 2
_BATCHES = 64  # of images to take steps on
_ANSWERED = 100
TRAINING_S, ANSWERING_S = 1.0, 0.3  # for each network


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many images a data set has, the validation images among the training images."""

    train: int
    validation: int
    test: int


# What they hold, without loading them, and where a set is not here yet.
FULL_SIZE, DIGITS_SIZE = Sizes(55_000, 5_000, 10_000), Sizes(1274, 141, 382)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long this machine takes for a training step, for answering an image when a run is
    measured, and for answering one as a teacher; on so many threads."""

    step_s: float
    answer_s: float
    teach_s: float
    threads: int = 1

    @staticmethod
    def images(recipe: Recipe, sizes: Sizes) -> int:
        """How many images an epoch of a recipe has."""
        own = min(recipe.images or sizes.train, sizes.train)
        added = recipe.synthetic_share + recipe.outlier_share
        return round(own / (1 - added)) if recipe.of_digits else own

    def run_s(self, run: Run, epochs_done: int, sizes: Sizes) -> float:
        """How long the rest of a run takes, without what its teacher has to answer."""
        steps = max(1, self.images(run.recipe, sizes) // run.recipe.batch_size)
        answered = sizes.test + ALONGSIDE if run.watched else sizes.validation
        epochs = run.recipe.epochs - epochs_done
        epoch_s = steps * self.step_s + answered * self.answer_s
        return epochs * epoch_s + sizes.test * self.answer_s


def likeness(recipe: Recipe) -> Recipe:
    """Recipes of the same likeness take the same time for a step."""
    return replace(
        recipe, dataset="mnist", epochs=1, images=None, seed=0, lr=0.1, distillation=None
    )


def paces(
    recipes: Sequence[Recipe],
    classes: int,
    group: ProcessGroup,
    tell: Progress = lambda what, done, total: None,
    asked: int | None = None,
) -> dict[Recipe, Pace]:
    """The pace of each likeness among recipes, by that likeness; on the threads that are `asked`
    for, or the faster number for each."""
    kinds = list(dict.fromkeys(map(likeness, recipes)))
    found = {}
    for number, kind in enumerate(kinds):
        tell("timing some steps", number, len(kinds))
        found[kind] = pace(kind, classes, group, asked)
    return found


def pace(recipe: Recipe, classes: int, group: ProcessGroup, asked: int | None = None) -> Pace:
    """Train on noise, which takes as long as anything else, for about TRAINING_S."""
    training = _noise(recipe.batch_size * _BATCHES, classes)
    inputs = TrainingInputs(
        recipe=recipe,
        classes=tuple(map(str, range(classes))),
        training=training,
        validation=training[:100],
    )
    count = threads.training_threads(inputs, group, asked).count
    with threads.torch_threads(count):
        step_s = _step_s(inputs, group)
        return Pace(step_s, *_answers_s(recipe, classes, training, group), count)


def _step_s(inputs: TrainingInputs, group: ProcessGroup) -> float:
    marks: list[tuple[float, int]] = []

    def watch(now: StepResult) -> None:
        marks.append((time.perf_counter(), (now.epoch - 1) * now.steps + now.step))
        if _enough(marks):
            raise _EnoughError

    # On a GPU one epoch of these few images is too short; a tiny rate lets nothing diverge.
    inputs = replace(inputs, recipe=replace(inputs.recipe.for_timing(), epochs=20))
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(_EnoughError):
        for result in train(inputs, Path(folder), group, watch=watch):
            marks.append((time.perf_counter(), result.epoch * _BATCHES))
            if _enough(marks):
                break
    first = _first_warm(marks)
    (begin, done), (end, all_done) = marks[first], marks[-1]
    return (end - begin) / max(1, all_done - done)


def _answers_s(
    recipe: Recipe, classes: int, images: Split, group: ProcessGroup
) -> tuple[float, float]:
    """For one image: in float32, and as a teacher answers it, in bfloat16 where that pays."""
    network = build(recipe.model, classes, recipe.shortcut).to(group.device)
    few = images.images[:_ANSWERED]
    plain_s = _turn_s(lambda: network.answer(few)) / len(few)
    if not bf16.should_use(network, group.device):
        return plain_s, plain_s
    teach = bf16.logits_function(network, group.device)
    seen = torch.tensor(few, device=group.device)
    return plain_s, _turn_s(lambda: teach(seen).cpu()) / len(few)


def _turn_s(turn: Callable[[], object]) -> float:
    """How long one turn takes: the mean of as many as ANSWERING_S holds, after a first one."""
    turn()
    started, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - started < ANSWERING_S:
        turn()
        count += 1
    return (time.perf_counter() - started) / count


class _EnoughError(Exception):
    """Enough steps were timed."""


def _first_warm(marks: list[tuple[float, int]]) -> int:
    """The first mark after which steps count; the last but one at the latest."""
    start = marks[0][0]
    for at, (when, steps) in enumerate(marks[:-1]):
        if steps > _WARM_STEPS and when - start >= _WARM_S:
            return at
    return max(0, len(marks) - 2)


def _enough(marks: list[tuple[float, int]]) -> bool:
    first = _first_warm(marks)
    (begin, done), (end, all_done) = marks[first], marks[-1]
    return end - begin >= TRAINING_S and all_done - done >= _LEAST_STEPS


def _noise(count: int, classes: int) -> Split:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, SIDE, SIDE), np.uint8)
    return Split(images, np.arange(count, dtype=np.int64) % classes)
