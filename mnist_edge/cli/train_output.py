"""What is said of a training run: before it begins, when it is stopped, and at its end."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_edge.cli.console import echo, echo_err, echo_json
from mnist_edge.cli.training_speed import threads_text
from mnist_edge.errors import CheckpointError

if TYPE_CHECKING:
    from mnist_edge.datasets import Dataset
    from mnist_edge.lab.training.checkpoint import Checkpoint
    from mnist_edge.lab.training.distributed import ProcessGroup
    from mnist_edge.lab.training.recipe import Recipe
    from mnist_edge.lab.training.threads import ThreadChoice
    from mnist_edge.lab.training.trainer import TrainingInputs


def show_start(
    inputs: "TrainingInputs", data: "Dataset", group: "ProcessGroup", choice: "ThreadChoice"
) -> None:
    """What is trained, on what and where, before it begins."""
    from mnist_edge.lab.training.layer_summary import cost
    from mnist_edge.lab.training.models import build
    from mnist_edge.lab.training.training_mix import synthetic_counts
    from mnist_edge.report import dataset
    from mnist_edge.report.formatting import amount

    recipe = inputs.recipe
    training, validation = len(inputs.training), len(inputs.validation)
    spent = cost(build(recipe.model, len(data.classes), recipe.shortcut))
    where = f"{group.device}, {threads_text(choice)}"
    if group.size > 1:
        where = f"{group.size} processes on {where} each"
    echo_err(
        f"{recipe.model} on {data.name}: {training:,} training and {validation:,} validation "
        f"images; {amount(spent.params)} parameters, {amount(spent.macs)} MACs; "
        f"{_epochs_text(recipe, training)} on {where}"
    )
    digits, others = synthetic_counts(training, recipe)
    total = training + digits + others
    if recipe.batch_size > total:
        echo_err(
            f"--batch-size {recipe.batch_size} is more than there is: a batch has {total:,} images"
        )
    for line in dataset.lines(data):
        echo_err(line)
    if digits or others:
        echo_err(f"drawing {digits:,} digits and {others:,} images of no digit to train on as well")


def _epochs_text(recipe: "Recipe", training: int) -> str:
    """Their number, and why, where few images make it larger than the model's own recipe has."""
    from mnist_edge.lab.training.recipe import recipe_for

    told = f"{recipe.epochs} epoch{'s' * (recipe.epochs > 1)}"
    own = recipe_for(recipe.model, recipe.dataset)
    sized = replace(own, batch_size=recipe.batch_size).with_enough_epochs(training)
    if own.epochs < sized.epochs == recipe.epochs:
        steps = max(1, training // recipe.batch_size)
        told += f", as each has only {steps} step{'s' * (steps > 1)},"
    return told


def show_stopped(run: Path) -> None:
    """Ctrl-C: what is saved, and how to go on."""
    from mnist_edge.lab.training import checkpoint as disk

    try:
        saved = disk.load(run)
    except CheckpointError:
        echo_err("stopped before the first epoch was done: nothing was saved")
        return
    _draw_curve(run, saved)
    echo_err(
        f"stopped; epoch {saved.epochs_done} of {saved.recipe.epochs} is saved in {run}: "
        f"go on with 'mnist-edge train --resume --out {run}'"
    )


def show_result(run: Path, finished: "Checkpoint", as_json: bool) -> None:
    """A finished run: its curve, its accuracy, and what is next."""
    from mnist_edge.lab.training.checkpoint import CHECKPOINT, CURVE, HISTORY
    from mnist_edge.metrics import Accuracy
    from mnist_edge.report import formatting

    assert finished.result is not None
    _draw_curve(run, finished)
    accuracy = Accuracy(finished.result["correct"], finished.result["total"])
    if as_json:
        echo_json(
            {
                "run": str(run),
                "recipe": finished.recipe.as_dict(),
                "history": finished.history,
                "test": accuracy.as_dict(),
                "trained": finished.trained,
            }
        )
        return
    echo(
        f"test accuracy {formatting.percent(accuracy.value)} (95 % interval "
        f"{formatting.interval(accuracy)}; {accuracy.correct:,} of {accuracy.total:,})"
    )
    echo(f"wrote {run / CHECKPOINT}, {HISTORY} and {CURVE}")
    echo(f"next: mnist-edge export {run}")


def _draw_curve(run: Path, saved: "Checkpoint") -> None:
    from mnist_edge.files import write_together
    from mnist_edge.lab.training.checkpoint import CURVE
    from mnist_edge.report import training_curves

    dataset = saved.recipe.dataset.rsplit("/", 1)[-1]
    drawn = training_curves.of_run(saved.history, f"{saved.recipe.model} on {dataset}")
    write_together({run / CURVE: drawn})
