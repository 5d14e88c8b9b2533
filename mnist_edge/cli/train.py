"""mnist-edge train"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mnist_edge.cli.options import AsJson, DataDir, TrainingThreads, asked_threads
from mnist_edge.cli.run_summary import close, introduce, stopped
from mnist_edge.cli.shell import INTERRUPTED, hint, progress_bar
from mnist_edge.cli.speed import slowdown_told
from mnist_edge.cli.watching import Watch
from mnist_edge.errors import DataError

if TYPE_CHECKING:
    from mnist_edge.datasets import Dataset, Split
    from mnist_edge.lab.checkpoint import Checkpoint
    from mnist_edge.lab.progress import Progress, StepResult
    from mnist_edge.lab.recipe import Recipe
    from mnist_edge.lab.teacher import Teacher
    from mnist_edge.lab.threads import Choice
    from mnist_edge.lab.world import World

Made = TypeVar("Made")

_RUNS = Path("runs")


def train(
    model: Annotated[
        str | None, typer.Option(help="A name of the zoo [default: edge].", show_default=False)
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="mnist, fashion-mnist, kmnist, qmnist, digits or folder:PATH [default: mnist].",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the images [default: the recipe's].")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=2, help="Images in a step [default: the recipe's].")
    ] = None,
    lr: Annotated[
        float | None, typer.Option(help="Peak learning rate [default: the recipe's].")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Random seed [default: 0].")] = None,
    shortcut: Annotated[
        str | None, typer.Option(help="zero or projection: where resnet20/56 change shape.")
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN|FILE",
            help="A finished run, or an exported file or its name, to learn from; several are "
            "averaged.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    threads: TrainingThreads = "auto",
    out: Annotated[
        Path | None,
        typer.Option(help="The run's folder [default: runs/<model>].", show_default=False),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the run in --out stopped.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a model with PyTorch, on a GPU when there is one.

    Each model has its own recipe; options change it. Ctrl-C loses at most the epoch under way:
    --resume goes on. Under torchrun, every process trains its share of each batch.
    """
    from mnist_edge.lab.world import join

    given: dict[str, Any] = {
        "model": model,
        "dataset": _absolute(dataset),
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "seed": seed,
        "shortcut": shortcut,
    }
    given = {name: value for name, value in given.items() if value is not None}
    with join(device) as world:
        run = out or _RUNS / (model or "edge")
        asked = asked_threads(threads)
        _train(given, teacher or [], data_dir, run, resume, as_json, world, asked)


def _train(
    given: dict[str, Any],
    teachers: list[Path],
    data_dir: Path | None,
    run: Path,
    resume: bool,
    as_json: bool,
    world: "World",
    asked: int | None,
) -> None:
    from mnist_edge import datasets
    from mnist_edge.datasets.classes import in_order_of
    from mnist_edge.lab import checkpoint as disk
    from mnist_edge.lab import teacher
    from mnist_edge.lab.threads import for_training, used
    from mnist_edge.output_places import check_folder

    if world.leads:
        check_folder("--out", run)
    before = disk.load(run) if resume else None
    recipe = _recipe(given, before)
    opened = [teacher.open_teacher(_teacher(path), run.parent) for path in teachers]
    if opened:
        recipe = teacher.taught_by(recipe, opened)
    if before:
        disk.check_resumable(before, recipe, run)
        if before.result and not world.leads:
            return None
        if before.result:
            hint(f"{run} is finished already: train again without --resume, or choose --out")
            return close(run, before, as_json)
    data = _first_on_rank_0(world, lambda tell: datasets.load(recipe.dataset, data_dir, tell))
    if before:
        data = in_order_of(data, before.classes, str(run), "train again without --resume")
        disk.check_unchanged(before, data, run, "train again without --resume")
    training, validation = data.training, data.validation
    if not before and "epochs" not in given:
        recipe = recipe.sized(len(training))
    if recipe.distillation and not opened:
        opened = teacher.find_teachers(recipe.distillation.teachers, run.parent)
    opened = teacher.check(opened, data.classes, data.name)
    saved = before.trained.get("threads") if before else None
    with progress_bar() as tell:
        tell("timing threads", 0, 0)
        choice = for_training(recipe, data.classes, training, world, asked, saved)
    world.wait()  # until all have looked at what lies in the run's folder
    if world.leads:
        if not before and (kept := disk.set_aside(run)):
            hint(f"kept the run that was in {run} as {kept}")
        introduce(recipe, data, len(training), len(validation), world, choice)
        if saved not in (None, choice.count):
            hint(f"it was begun with {saved} threads: the weights will not be as they would be")
    with used(choice.count):
        try:
            _epochs(recipe, data, training, validation, run, world, before, opened, choice)
        except KeyboardInterrupt:
            if world.leads:
                stopped(run)
            raise typer.Exit(INTERRUPTED) from None
        if world.leads:
            close(run, disk.finish(run, disk.load(run), data.test), as_json)
    world.wait()
    return None


def _epochs(
    recipe: "Recipe",
    data: "Dataset",
    training: "Split",
    validation: "Split",
    run: Path,
    world: "World",
    before: "Checkpoint | None",
    teachers: "list[Teacher]",
    choice: "Choice",
) -> None:
    """Train to the end, a line for each epoch, and one where it has become slow."""
    from mnist_edge.lab import teacher
    from mnist_edge.lab.drawn import added
    from mnist_edge.lab.slowdown import SpeedWatch
    from mnist_edge.lab.train import train as train_epochs

    taught, starting = None, "starting"
    if teachers:
        taught = _first_on_rank_0(
            world, lambda tell: teacher.views(teachers, training, recipe, world.device, tell)
        )
    elif any(added(len(training), recipe)):
        starting = "drawing digits"
    speed = SpeedWatch(choice.images_per_s)
    with Watch(world.leads, starting=starting) as watch:

        def step(now: "StepResult") -> None:
            speed.step(now)
            watch.step(now)

        known = before.fingerprint if before else data.fingerprint
        for result in train_epochs(
            *(recipe, data.classes, training, validation, run, world, before, step, taught),
            fingerprint=known,
        ):
            watch.epoch(result)
            slow = speed.epoch(result)
            if slow and world.device.type == "cpu" and world.size == 1:
                go_on = f"mnist-edge train --resume --threads 1 --out {run}"
                watch.tell(slowdown_told(slow, choice.count, go_on))


def _teacher(path: Path) -> Path:
    """A run's folder, or an exported file by its path or name."""
    from mnist_edge import shipped

    if path.is_dir() or (len(path.parts) > 1 and path.suffix != ".onnx"):
        return path
    return shipped.find(path)


def _absolute(dataset: str | None) -> str | None:
    """A folder's path so that a later export, from another place, finds it again."""
    from mnist_edge.datasets import FOLDER

    if dataset is None or not dataset.startswith(FOLDER):
        return dataset
    path = Path(dataset.removeprefix(FOLDER))
    try:
        return FOLDER + str(path.expanduser().resolve())
    except RuntimeError as error:  # ~name of nobody
        raise DataError(f"there is no folder {path}: {error}") from error


def _recipe(given: dict[str, Any], before: "Checkpoint | None") -> "Recipe":
    """What is asked for, or what a run was begun with and is asked for again."""
    from mnist_edge.lab.models import build
    from mnist_edge.lab.recipe import RecipeError, recipe_for

    try:
        if before:
            return replace(before.recipe, **given)
        named = recipe_for(given.get("model", "edge"), given.get("dataset", "mnist"))
        recipe = replace(named, **given)
    except RecipeError as error:
        option = f"--{error.field.replace('_', '-')}"
        raise typer.BadParameter(f"it cannot be {error.value}", param_hint=option) from error
    build(recipe.model, shortcut=recipe.shortcut)  # a wrong shortcut shows now, not after loading
    return recipe


def _first_on_rank_0(world: "World", make: "Callable[[Progress], Made]") -> Made:
    """What rank 0 makes, showing how far it is, and the others then find."""
    if not world.leads:
        world.wait()
        return make(lambda what, done, total: None)
    with progress_bar() as tell:
        made = make(tell)
    world.wait()
    return made
