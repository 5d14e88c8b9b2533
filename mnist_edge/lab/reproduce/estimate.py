"""How long what is still to be trained will take here, from the paces of its networks."""

from collections.abc import Mapping, Sequence

from mnist_edge.lab.recipe import Distillation, Recipe
from mnist_edge.lab.reproduce.experiments import Run
from mnist_edge.lab.reproduce.pace import Pace, Sizes, likeness

_VIEWS = Distillation(("",)).views


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
