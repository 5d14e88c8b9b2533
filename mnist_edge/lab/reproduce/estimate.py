"""How long what is still to be trained will take here, from the paces of its networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mnist_edge.lab.reproduce.experiments import EXPERIMENTS, Options, Run
from mnist_edge.lab.reproduce.session import Work
from mnist_edge.lab.reproduce.step_time import DIGITS_SIZE, FULL_SIZE, Pace, Sizes, likeness, paces
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.recipe import Distillation, Recipe
from mnist_edge.types import Progress

_VIEWS = Distillation(("",)).views


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds of each part, and on which numbers of threads they are."""

    parts_s: Mapping[str, float]
    threads: tuple[int, ...]


def seconds(
    runs: Sequence[Run],
    done: Mapping[str, int],
    sizes: Sizes,
    paces: Mapping[Recipe, Pace],
    teacher: Recipe | None = None,
) -> dict[str, float]:
    """For each run by its name: the rest of its epochs, and, for the first that is shown them,
    its teacher's answers. `done` are epochs that are saved already, by the run's name.

    Exports are left out: they take seconds.
    """
    found: dict[str, float] = {}
    asked = set()
    for run in runs:
        pace = paces[likeness(run.recipe)]
        found[run.name] = pace.run_s(run, done.get(run.name, 0), sizes)
        seen = (run.recipe.augmentation, run.recipe.strong_augmentation)
        if run.teacher is not None and teacher is not None and seen not in asked:
            asked.add(seen)
            answers = _VIEWS * pace.images(run.recipe, sizes)
            found[run.name] += answers * paces[likeness(teacher)].teach_s
    return found


def by_part(runs: Sequence[Run], found: Mapping[str, float]) -> dict[str, float]:
    """The sums of the parts."""
    sums: dict[str, float] = {}
    for run in runs:
        sums[run.part] = sums.get(run.part, 0.0) + found[run.name]
    return sums


def of_runs(work: Work, runs: Sequence[Run], threads: int | None, tell: Progress) -> Estimate:
    """Of runs that are still to be trained, or trained on."""
    taught = any(run.teacher for run in runs)
    teacher = next((run.recipe for run in work.runs if not run.teacher), None) if taught else None
    recipes = [run.recipe for run in runs] + ([teacher] if teacher else [])
    found = paces(recipes, len(work.data.classes), work.group, tell, threads)
    saved = {run.name: work.saved(run) for run in runs}
    done = {name: one.epochs_done for name, one in saved.items() if one}
    sizes = Sizes(len(work.training), len(work.validation), len(work.data.test))
    spent = seconds(runs, done, sizes, found, teacher)
    return Estimate(by_part(runs, spent), tuple(pace.threads for pace in found.values()))


def of_experiments(options: Options, group: ProcessGroup, tell: Progress) -> dict[str, float]:
    """Seconds of every experiment, on a data set of MNIST's size, or on the digits."""
    sizes = DIGITS_SIZE if options.dataset == "digits" else FULL_SIZE
    plans = {one.name: one.runs(options, sizes.train) for one in EXPERIMENTS.values()}
    recipes = [run.recipe for runs in plans.values() for run in runs]
    found = paces(recipes, 10, group, tell)
    return {
        name: sum(seconds(runs, {}, sizes, found, runs[0].recipe).values())
        for name, runs in plans.items()
    }
