"""What is said of a training run: before it begins, when it is slow or stopped, and at its end."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_edge.cli.console import echo, echo_err, echo_json
from mnist_edge.errors import CheckpointError

if TYPE_CHECKING:
    from mnist_edge.datasets import Dataset
    from mnist_edge.lab.training.checkpoint import Checkpoint
    from mnist_edge.lab.training.distributed import ProcessGroup
    from mnist_edge.lab.training.recipe import Recipe
    from mnist_edge.lab.training.slowdown import Slowdown
    from mnist_edge.lab.training.threads import ThreadChoice
    from mnist_edge.lab.training.training_inputs import TrainingInputs

_MOST_NAMED = 8  # classes in a line
_NOTICED = 0.2  # cores' worth of time: what any system does beside


def show_start(
    inputs: "TrainingInputs", data: "Dataset", group: "ProcessGroup", choice: "ThreadChoice"
) -> None:
    """What is trained, on what and where, before it begins."""
    from mnist_edge.lab.training.layer_summary import cost
    from mnist_edge.lab.training.models import build
    from mnist_edge.lab.training.training_mix import outliers_used, synthetic_counts
    from mnist_edge.report import dataset
    from mnist_edge.report.formatting import amount

    recipe = inputs.recipe
    training = len(inputs.training)
    counts = f"{len(data.training):,} training and {len(data.validation):,} validation images"
    spent = cost(build(recipe.model, len(data.classes), recipe.shortcut, data.shape))
    where = f"{group.device}, {threads_text(choice)}"
    if group.size > 1:
        where = f"{group.size} processes on {where} each"
    echo_err(
        f"{recipe.model} on {data.name}: {counts}; "
        f"{amount(spent.params)} parameters, {amount(spent.macs)} MACs; "
        f"{_epochs_text(recipe, training)} on {where}"
    )
    for told in (_start_text(inputs), *_repeat_texts(inputs, data)):
        if told:
            echo_err(told)
    digits, others = synthetic_counts(training, recipe)
    unknown = len(outliers_used(inputs.outliers, training))
    total = training + digits + others + unknown
    if recipe.batch_size > total:
        echo_err(
            f"a batch has all {total:,} images: {recipe.batch_size:,}, the batch size, "
            "are more than there are"
        )
    for line in dataset.lines(data):
        echo_err(line)
    for line in _recipe_lines(inputs, unknown):
        echo_err(line)
    if digits or others:
        echo_err(f"drawing {digits:,} digits and {others:,} images of no digit to train on as well")


def _repeat_texts(inputs: "TrainingInputs", data: "Dataset") -> list[str]:
    """How often an epoch shows the images of smaller parts of a joined set."""
    from mnist_edge.datasets.concatenated import repeats
    from mnist_edge.report.formatting import count

    share = inputs.recipe.part_share
    if share is None or not data.parts:
        return []
    return [
        f"{part.name}: its {count(int((~part.validation_mask).sum()), 'training image')} come "
        f"{times:,} times in an epoch, so that there are {share:.0%} as many as of the largest part"
        for part, times in zip(data.parts, repeats(data, share), strict=True)
        if times > 1
    ]


def _recipe_lines(inputs: "TrainingInputs", outliers: int) -> list[str]:
    """How the images of other sets than digits are changed, what is mixed in, how losses weigh."""
    from mnist_edge.report.training_description import augmentation_names

    recipe, lines = inputs.recipe, []
    if not recipe.of_digits:
        names = ", ".join(augmentation_names(recipe.as_dict())) or "as they are"
        lines.append(f"{recipe.kind}: {names}")
    if outliers:
        lines.append(
            f"{outliers:,} training images of no class are mixed in, on which every class is to be "
            "equally probable"
        )
    return lines + ([_balance_text(inputs)] if recipe.class_weights else [])


def _balance_text(inputs: "TrainingInputs") -> str:
    """Which classes differ most in number, and what is done about it."""
    import numpy as np

    names = inputs.classes
    counts = np.bincount(inputs.training.labels, minlength=len(names))
    few, many = int(counts.argmin()), int(counts.argmax())
    return (
        f"losses are weighted by class, as there are {counts[few]:,} training images of "
        f"'{names[few]}' and {counts[many]:,} of '{names[many]}', "
        f"{counts[many] / max(1, counts[few]):.1f} times as many; --no-balance leaves that"
    )


def _start_text(inputs: "TrainingInputs") -> str:
    """Where the weights come from, and what becomes of the last layer; "" for random ones."""
    from mnist_edge.report.formatting import join_words

    origin, initial = inputs.recipe.pretrained, inputs.initial
    if origin is None or initial is None:
        return ""
    new = [name for name in inputs.classes if name not in initial.kept]
    told = f"it starts from {origin.name}, which was trained on {origin.dataset}"
    if not new:
        return f"{told}, with its last layer: the classes are the same"
    if not initial.kept:
        return f"{told}, with a new last layer: none of the {len(new):,} classes is one of its own"
    more = f" and {len(new) - _MOST_NAMED:,} more" if len(new) > _MOST_NAMED else ""
    kept = f"its last layer keeps {len(initial.kept):,} classes"
    return f"{told}; {kept}, and learns {join_words(new[:_MOST_NAMED])}{more} anew"


def _epochs_text(recipe: "Recipe", training: int) -> str:
    """Their number, and why, where few images make it larger than the model's own recipe has."""
    from mnist_edge.lab.training.recipes import for_fine_tuning, recipe_for

    told = f"{recipe.epochs} epoch{'s' * (recipe.epochs > 1)}"
    own = recipe_for(recipe.model, recipe.dataset, recipe.kind)
    if recipe.pretrained:
        own = for_fine_tuning(own, recipe.pretrained)
    sized = replace(own, batch_size=recipe.batch_size).with_enough_epochs(training)
    if own.epochs < sized.epochs == recipe.epochs:
        steps = max(1, training // recipe.batch_size)
        told += f", as each has only {steps} step{'s' * (steps > 1)},"
    return told


def show_stopped(run: Path) -> None:
    """Ctrl-C: what is saved, and how to go on."""
    from mnist_edge.lab.training.checkpoint import load_checkpoint

    try:
        saved = load_checkpoint(run)
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
    from mnist_edge.class_recall import worst_classes
    from mnist_edge.lab.training.checkpoint import CHECKPOINT, CURVE, HISTORY
    from mnist_edge.report import formatting

    accuracy = finished.test_accuracy
    assert accuracy is not None  # it is finished
    _draw_curve(run, finished)
    if as_json:
        echo_json(
            {
                "run": str(run),
                "recipe": finished.recipe.as_dict(),
                "history": finished.history,
                "test": accuracy.as_dict(),
                "recall": {
                    name: one and one.as_dict()
                    for name, one in zip(finished.classes, finished.test_recalls, strict=False)
                },
                "worst_classes": [
                    finished.classes[at] for at in worst_classes(finished.test_recalls)
                ],
                "trained": finished.trained,
            }
        )
        return
    echo(
        f"test accuracy {formatting.percent(accuracy.value)} (95 % interval "
        f"{formatting.interval(accuracy)}; {accuracy.correct:,} of {accuracy.total:,})"
    )
    if worst := _worst_text(finished):
        echo(worst)
    echo(f"wrote {run / CHECKPOINT}, {HISTORY} and {CURVE}")
    # A fine-tuned one is called as its run: what it came from keeps its own name.
    name = f" --name {shlex.quote(run.resolve().name)}" if finished.recipe.pretrained else ""
    echo(f"next: mnist-edge export {shlex.quote(str(run))}{name}")


def _worst_text(finished: "Checkpoint") -> str:
    """worst class: cat, 74.20 % (742 of 1,000); "" where none is below the others."""
    from mnist_edge.class_recall import worst_classes
    from mnist_edge.report import formatting

    recalls = finished.test_recalls
    worst = worst_classes(recalls)
    if not worst:
        return ""
    lowest = recalls[worst[0]]
    assert lowest is not None  # it has test images
    percent = formatting.percent(lowest.value)
    if len(worst) == 1:
        counts = f"{lowest.correct:,} of {lowest.total:,}"
        return f"worst class: {finished.classes[worst[0]]}, {percent} ({counts})"
    names = [finished.classes[at] for at in worst[:_MOST_NAMED]]
    more = len(worst) - len(names)
    others = f" and {more:,} more" if more else ""
    return f"worst classes: {', '.join(names)}{others}, {percent} each"


def _draw_curve(run: Path, saved: "Checkpoint") -> None:
    from mnist_edge.dataset_names import public_name
    from mnist_edge.files import write_together
    from mnist_edge.lab.training.checkpoint import CURVE
    from mnist_edge.report import training_curves

    dataset = public_name(saved.recipe.dataset)
    drawn = training_curves.plot_run(saved.history, f"{saved.recipe.model} on {dataset}")
    write_together({run / CURVE: drawn})


def threads_text(choice: "ThreadChoice") -> str:
    """ "1 thread", or "2 threads (8,100 images/s; with 1: 5,300)" where they were timed."""
    told = thread_count_text(choice.count)
    if not choice.rates:
        return told
    others = "; ".join(
        f"with {count}: {rate:,.0f}"
        for count, rate in choice.rates.items()
        if count != choice.count
    )
    return f"{told} ({choice.images_per_s:,.0f} images/s; {others})"


def thread_count_text(*counts: int) -> str:
    """1 thread; 2 threads; 1 or 2 threads"""
    return f"{' or '.join(map(str, sorted(set(counts))))} thread{'s' * (max(counts) > 1)}"


def slowdown_text(found: "Slowdown", threads: int, go_on: str) -> str:
    """Why an epoch was slow, and what to do. `go_on` is the command that goes on on one thread."""
    told = (
        f"epoch {found.epoch} ran at {found.images_per_s:,.0f} images/s, after "
        f"{found.before:,.0f}: {_reason(found)}"
    )
    if threads == 1:
        return f"{told}. Nothing is lost, it takes longer"
    return (
        f"{told}, and {threads} threads wait for each other then. Ctrl-C, and '{go_on}' goes on "
        "with one, if this lasts"
    )


def _reason(found: "Slowdown") -> str:
    if found.others is not None and found.others >= _NOTICED:
        return f"other programs had {found.others:.1f} cores' worth of time"
    return "the CPU gives less than before (its clock, a quota, or a virtual machine's host)"
