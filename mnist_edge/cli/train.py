"""mnist-edge train"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mnist_edge.cli.options import AsJson, DataDir
from mnist_edge.cli.shell import hint, progress_bar, say, say_json
from mnist_edge.cli.watching import Watch
from mnist_edge.errors import CheckpointError, DataError

if TYPE_CHECKING:
    from mnist_edge.datasets import Dataset
    from mnist_edge.lab.checkpoint import Checkpoint
    from mnist_edge.lab.progress import Progress
    from mnist_edge.lab.recipe import Recipe
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
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the images.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, help="Images in a step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random.")] = None,
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

    What is not given comes from the model's own recipe. Ctrl-C loses at most the epoch under way:
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
        _train(given, teacher or [], data_dir, run, resume, as_json, world)


def _train(
    given: dict[str, Any],
    teachers: list[Path],
    data_dir: Path | None,
    run: Path,
    resume: bool,
    as_json: bool,
    world: "World",
) -> None:
    from mnist_edge import datasets
    from mnist_edge.datasets.classes import in_order_of
    from mnist_edge.lab import checkpoint as disk
    from mnist_edge.lab import teacher
    from mnist_edge.lab.train import train as train_epochs

    before = disk.load(run) if resume else None
    recipe = replace(before.recipe, **given) if before else _recipe(given)
    opened = [teacher.open_teacher(_teacher(path), run.parent) for path in teachers]
    if opened:
        recipe = teacher.taught_by(recipe, opened)
    if before:
        disk.check_resumable(before, recipe, run)
        if before.result and not world.leads:
            return None
        if before.result:
            hint(f"{run} is finished already: train again without --resume, or choose --out")
            return _close(run, before, as_json)
    data = _first_on_rank_0(world, lambda tell: datasets.load(recipe.dataset, data_dir, tell))
    if before:
        data = in_order_of(data, before.classes, str(run), "train again without --resume")
    training, validation = datasets.split_validation(data.train)
    if not before and "epochs" not in given:
        recipe = recipe.sized(len(training))
    if recipe.distillation and not opened:
        opened = teacher.find_teachers(recipe.distillation.teachers, run.parent)
    opened = teacher.check(opened, data.classes, data.name)
    world.wait()  # until all have looked at what lies in the run's folder
    if world.leads:
        if not before and (kept := disk.set_aside(run)):
            hint(f"kept the run that was in {run} as {kept}")
        _introduce(recipe, data, len(training), len(validation), world)
    try:
        taught = None
        if opened:
            taught = _first_on_rank_0(
                world, lambda tell: teacher.views(opened, training, recipe, world.device, tell)
            )
        with Watch(world.leads) as watch:
            for result in train_epochs(
                recipe, data.classes, training, validation, run, world, before, watch.step, taught
            ):
                watch.epoch(result)
    except KeyboardInterrupt:
        if world.leads:
            _stopped(run)
        raise typer.Exit(130) from None
    if world.leads:
        _close(run, disk.finish(run, disk.load(run), data.test), as_json)
    world.wait()
    return None


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


def _recipe(given: dict[str, Any]) -> "Recipe":
    from mnist_edge.lab.models import build
    from mnist_edge.lab.recipe import recipe_for

    named = recipe_for(given.get("model", "edge"), given.get("dataset", "mnist"))
    recipe = replace(named, **given)
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


def _introduce(
    recipe: "Recipe", data: "Dataset", training: int, validation: int, world: "World"
) -> None:
    import torch

    from mnist_edge.lab.models import build, cost
    from mnist_edge.report.text import amount

    spent = cost(build(recipe.model, len(data.classes), recipe.shortcut))
    threads = torch.get_num_threads()
    where = f"{world.device}, {threads} thread{'s' * (threads > 1)}"
    if world.size > 1:
        where = f"{world.size} processes on {where} each"
    hint(
        f"{recipe.model} on {data.name}: {training:,} training and {validation:,} validation "
        f"images; {amount(spent.params)} parameters, {amount(spent.macs)} MACs; "
        f"{recipe.epochs} epochs on {where}"
    )


def _stopped(run: Path) -> None:
    from mnist_edge.lab import checkpoint as disk

    try:
        saved = disk.load(run)
    except CheckpointError:
        hint("stopped before the first epoch was done: nothing was saved")
        return
    _draw_curve(run, saved)
    hint(
        f"stopped; epoch {saved.epochs_done} of {saved.recipe.epochs} is saved in {run}: "
        f"go on with 'mnist-edge train --resume --out {run}'"
    )


def _close(run: Path, finished: "Checkpoint", as_json: bool) -> None:
    from mnist_edge.lab.checkpoint import CHECKPOINT, CURVE, HISTORY
    from mnist_edge.metrics import Accuracy
    from mnist_edge.report import record, text

    assert finished.result is not None
    _draw_curve(run, finished)
    accuracy = Accuracy(finished.result["correct"], finished.result["total"])
    if as_json:
        say_json(
            {
                "run": str(run),
                "recipe": finished.recipe.as_dict(),
                "history": finished.history,
                "test": record.accuracy(accuracy),
                "trained": finished.trained,
            }
        )
        return
    say(
        f"test accuracy {text.percent(accuracy.value)} (95 % interval {text.interval(accuracy)}; "
        f"{accuracy.correct:,} of {accuracy.total:,})"
    )
    say(f"wrote {run / CHECKPOINT}, {HISTORY} and {CURVE}")
    say(f"next: mnist-edge export {run}")


def _draw_curve(run: Path, saved: "Checkpoint") -> None:
    from mnist_edge.lab import curve
    from mnist_edge.lab.checkpoint import CURVE

    dataset = saved.recipe.dataset.rsplit("/", 1)[-1]
    curve.draw(run / CURVE, saved.history, f"{saved.recipe.model} on {dataset}")
