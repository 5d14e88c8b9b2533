"""How long an experiment will take here: a few real training steps of each network, timed."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from mnist_edge.datasets import Split
from mnist_edge.lab.reproduce.experiments import EXPERIMENTS, WATCHED_VALIDATION, Options, Run
from mnist_edge.lab.reproduce.session import Session
from mnist_edge.lab.training import bf16, threads
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.recipe import Distillation, Recipe
from mnist_edge.lab.training.trainer import trial_step
from mnist_edge.lab.training.training_inputs import TrainingInputs
from mnist_edge.lab.training.training_mix import synthetic_counts
from mnist_edge.types import SIDE, Progress

TRAINING_S, ANSWERING_S = 1.0, 0.3  # of timing, for each network
_WARM_UP = 2  # calls, in which libraries prepare kernels and memory
_ANSWERED = 100  # images in a call
_VIEWS = Distillation(("",)).views


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many images a data set has, the validation images not among the training images."""

    training: int
    validation: int
    test: int


# What they hold, without loading them, and where a set is not here yet.
FULL_SIZE, DIGITS_SIZE = Sizes(55_000, 5_000, 10_000), Sizes(1274, 141, 382)


@dataclass(frozen=True, slots=True)
class StepTime:
    """How long this machine takes for a training step, for answering an image when a run is
    measured, and for answering one as a teacher; on so many threads."""

    step_s: float
    answer_s: float
    teacher_s: float
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds of each part, and on which numbers of threads they are."""

    parts_s: Mapping[str, float]
    threads: tuple[int, ...]


def estimate_session(
    session: Session, runs: Sequence[Run], asked_threads: int | None, progress: Progress
) -> Estimate:
    """Of runs that are still to be trained, or trained on."""
    data = session.data
    times = time_steps(runs, len(data.classes), session.group, progress, asked_threads)
    saved = {run.name: session.load_run(run) for run in runs}
    done = {name: one.epochs_done for name, one in saved.items() if one}
    sizes = Sizes(len(data.training), len(data.validation), len(data.test))
    parts_s = seconds_by_part(runs, done, sizes, times)
    return Estimate(parts_s, tuple(one.threads for one in times.values()))


def estimate_experiments(
    options: Options, group: ProcessGroup, progress: Progress
) -> dict[str, float]:
    """Seconds of every experiment, on a data set of MNIST's size, or on the digits."""
    sizes = DIGITS_SIZE if options.dataset == "digits" else FULL_SIZE
    plans = {one.name: one.runs(options, sizes.training) for one in EXPERIMENTS.values()}
    times = time_steps([run for runs in plans.values() for run in runs], 10, group, progress)
    return {
        name: sum(seconds_by_part(runs, {}, sizes, times).values()) for name, runs in plans.items()
    }


def seconds_by_part(
    runs: Sequence[Run],
    epochs_done: Mapping[str, int],
    sizes: Sizes,
    times: Mapping[Recipe, StepTime],
) -> dict[str, float]:
    """The rest of the runs' epochs, and what is measured; for the first run that is shown them,
    its teacher's answers too. `epochs_done` are saved already, by the run's name; `times` are those
    of `time_steps`.

    Exports are left out: they take seconds.
    """
    parts_s: dict[str, float] = {}
    answered = set()
    for run in runs:
        recipe, time_of = run.recipe, times[timing_key(run.recipe)]
        images = images_per_epoch(recipe, sizes)
        measured = sizes.test + WATCHED_VALIDATION if run.watched else sizes.validation
        epoch_s = max(1, images // recipe.batch_size) * time_of.step_s + measured * time_of.answer_s
        run_s = (recipe.epochs - epochs_done.get(run.name, 0)) * epoch_s
        run_s += sizes.test * time_of.answer_s
        seen = (recipe.augmentation, recipe.strong_augmentation)
        if run.teacher is not None and seen not in answered:
            answered.add(seen)
            run_s += _VIEWS * images * times[timing_key(run.teacher.recipe)].teacher_s
        parts_s[run.part] = parts_s.get(run.part, 0.0) + run_s
    return parts_s


def images_per_epoch(recipe: Recipe, sizes: Sizes) -> int:
    """The data set's own, and those that the recipe adds."""
    own = min(recipe.images or sizes.training, sizes.training)
    return own + sum(synthetic_counts(own, recipe))


def timing_key(recipe: Recipe) -> Recipe:
    """The same for recipes that take the same time for a step."""
    return replace(
        recipe, dataset="mnist", epochs=1, images=None, seed=0, lr=0.1, distillation=None
    )


def time_steps(
    runs: Sequence[Run],
    classes: int,
    group: ProcessGroup,
    progress: Progress = lambda what, done, total: None,
    asked_threads: int | None = None,
) -> dict[Recipe, StepTime]:
    """The times of all runs and their teachers, by `timing_key`; on the threads that are asked for,
    or the faster number for each."""
    trained = [run.recipe for run in runs] + [run.teacher.recipe for run in runs if run.teacher]
    keys = list(dict.fromkeys(map(timing_key, trained)))
    times = {}
    for number, key in enumerate(keys):
        progress("timing some steps", number, len(keys))
        times[key] = _time_step(key, classes, group, asked_threads)
    return times


def _time_step(
    recipe: Recipe, classes: int, group: ProcessGroup, asked_threads: int | None
) -> StepTime:
    """Train on noise, which takes as long as anything else."""
    random, count = np.random.default_rng(0), max(recipe.batch_size, _ANSWERED)
    images = random.integers(0, 256, (count, SIDE, SIDE), np.uint8)
    noise = Split(images, np.arange(count, dtype=np.int64) % classes)
    inputs = TrainingInputs(
        recipe=recipe,
        classes=tuple(map(str, range(classes))),
        training=noise,
        validation=noise,
    )
    choice = threads.training_threads(inputs, group, asked_threads)
    network = build(recipe.model, classes, recipe.shortcut).to(group.device)
    answer, few = bf16.logits_function(network, group.device), images[:_ANSWERED]
    seen = torch.tensor(few, device=group.device)
    with threads.torch_threads(choice.count):
        return StepTime(
            step_s=_mean_s(trial_step(inputs, group), TRAINING_S),
            answer_s=_mean_s(lambda: network.predict_logits(few), ANSWERING_S) / _ANSWERED,
            teacher_s=_mean_s(lambda: answer(seen).cpu(), ANSWERING_S) / _ANSWERED,
            threads=choice.count,
        )


def _mean_s(call: Callable[[], object], duration_s: float) -> float:
    """How long one call takes, on average over as many as a duration holds, behind some others."""
    for _ in range(_WARM_UP):
        call()
    started, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - started < duration_s:
        call()
        calls += 1
    return (time.perf_counter() - started) / calls
