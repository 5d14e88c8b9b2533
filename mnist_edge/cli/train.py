"""mnist-edge train"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mnist_edge.cli.console import INTERRUPTED, echo_err, progress_bar
from mnist_edge.cli.options import (
    DATASETS_HELP,
    AsJson,
    Color,
    DataDir,
    Device,
    FitName,
    OutlierFolder,
    Size,
    TrainingThreads,
    parse_image_options,
    parse_threads,
)
from mnist_edge.cli.progress import TrainingBar
from mnist_edge.cli.train_output import show_result, show_start, show_stopped
from mnist_edge.cli.train_sources import (
    TrainingSources,
    absolute_folder,
    absolute_path,
    find_source,
)
from mnist_edge.errors import UsageError
from mnist_edge.image_kind import ImageKind

if TYPE_CHECKING:
    from mnist_edge.image_shape import ImageOptions
    from mnist_edge.lab.training.distributed import ProcessGroup
    from mnist_edge.lab.training.recipes import RecipeRequest
    from mnist_edge.lab.training.runs import RunPlan, TrainingRun
    from mnist_edge.lab.training.threads import ThreadChoice
    from mnist_edge.types import Progress

Made = TypeVar("Made")

_RUNS = Path("runs")


def train(
    model: Annotated[
        str | None, typer.Option(help="A name of the zoo [default: edge].", show_default=False)
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help=f"{DATASETS_HELP} [default: mnist].",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    size: Size = None,
    color: Color = None,
    fit: FitName = None,
    none: OutlierFolder = None,
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
    kind: Annotated[
        ImageKind | None,
        typer.Option(
            metavar="KIND",
            help="glyphs or photographs: what the images are of [default: by the data].",
            show_default=False,
        ),
    ] = None,
    flip: Annotated[
        bool | None,
        typer.Option(
            "--flip/--no-flip",
            help="Mirror photographs, left to right [default: on]. Text would become another.",
            show_default=False,
        ),
    ] = None,
    balance: Annotated[
        bool | None,
        typer.Option(
            "--balance/--no-balance",
            help="Weight the losses by class [default: where one has 3 times as many images as "
            "another].",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN|FILE",
            help="Fine-tune: start from the weights of a run, or of an exported fp32 file or its "
            "name.",
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
    threads: TrainingThreads = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            help="The run's folder [default: runs/<model>, or runs/<what --from names>-finetuned].",
            show_default=False,
        ),
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
    from mnist_edge.lab.training.distributed import process_group
    from mnist_edge.lab.training.recipes import RecipeRequest

    asked: dict[str, Any] = {
        "model": model,
        "dataset": absolute_folder(dataset),
        "outlier_folder": none and str(absolute_path(none)),
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "seed": seed,
        "shortcut": shortcut,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    options = parse_image_options(size, color, fit)
    folder = out or _RUNS / (f"{start.stem}-finetuned" if start else model or "edge")
    with process_group(device) as group:
        count = parse_threads(threads)
        request = RecipeRequest(given, kind, flip, balance)
        sources = TrainingSources(start, teacher or [])
        plan = _plan(request, options, sources, folder, resume, group)
        if plan.is_finished:
            if group.is_main:
                _show_finished(plan, as_json)
            return
        _train(plan, data_dir, count, group, as_json)


def _plan(
    request: "RecipeRequest",
    options: "ImageOptions",
    sources: TrainingSources,
    folder: Path,
    resume: bool,
    group: "ProcessGroup",
) -> "RunPlan":
    from mnist_edge.lab.training import runs
    from mnist_edge.lab.training.checkpoint import load_checkpoint
    from mnist_edge.lab.training.pretrained import fine_tuning_request, open_pretrained
    from mnist_edge.lab.training.recipe import RecipeError
    from mnist_edge.output_paths import check_folder

    if resume and sources.start:
        raise UsageError("--resume goes on with the weights of the run in --out: leave --from away")
    if group.is_main:
        check_folder("--out", folder)
    pretrained = open_pretrained(find_source(sources.start)) if sources.start else None
    saved = load_checkpoint(folder) if resume else None
    try:
        if pretrained:
            request = fine_tuning_request(request, pretrained)
        recipe = runs.resolve_recipe(request, saved)
    except RecipeError as error:
        option = f"--{error.field.replace('_', '-')}"
        raise typer.BadParameter(f"it cannot be {error.value}", param_hint=option) from error
    return runs.plan_run(
        folder,
        recipe,
        saved,
        teachers=[find_source(path) for path in sources.teachers],
        request=request,
        options=options,
        pretrained=pretrained,
    )


def _show_finished(plan: "RunPlan", as_json: bool) -> None:
    assert plan.saved is not None  # that is what finished means
    echo_err(f"{plan.folder} is finished already: train again without --resume, or choose --out")
    show_result(plan.folder, plan.saved, as_json)


def _train(
    plan: "RunPlan",
    data_dir: Path | None,
    threads: int | None,
    group: "ProcessGroup",
    as_json: bool,
) -> None:
    from mnist_edge import datasets
    from mnist_edge.lab.training import runs
    from mnist_edge.lab.training.checkpoint import load_checkpoint
    from mnist_edge.lab.training.threads import torch_threads, training_threads

    recipe, options = plan.recipe, plan.options
    name, outliers = recipe.dataset, recipe.outlier_path
    load = partial(datasets.load, name, data_dir, options=options, outliers=outliers)
    data = _first_on_rank_0(group, lambda progress: load(progress=progress))
    run = runs.prepare_run(plan, data)
    with progress_bar() as progress:
        progress("timing threads", 0, 0)
        choice = training_threads(run.inputs, group, threads, run.saved_threads)
    group.barrier()  # until all have looked at what lies in the run's folder
    if group.is_main:
        if not run.saved and (kept := runs.set_aside(run.folder)):
            echo_err(f"kept the run that was in {run.folder} as {kept}")
        show_start(run.inputs, data, group, choice)
        if run.saved_threads not in (None, choice.count):
            echo_err(
                f"it was begun with {run.saved_threads} threads: the weights will not be as they "
                "would be"
            )
    with torch_threads(choice.count):
        try:
            _epochs(run, group, choice)
        except KeyboardInterrupt:
            if group.is_main:
                show_stopped(run.folder)
            raise typer.Exit(INTERRUPTED) from None
    if group.is_main:
        show_result(run.folder, load_checkpoint(run.folder), as_json)
    group.barrier()


def _epochs(run: "TrainingRun", group: "ProcessGroup", choice: "ThreadChoice") -> None:
    """Train to the end, a line for each epoch, and one where it has become slow."""
    from mnist_edge.lab.training.training_mix import synthetic_counts

    recipe = run.inputs.recipe
    starting = "starting"
    if run.teachers:
        run = _first_on_rank_0(group, partial(run.with_soft_targets, group.device))
    elif any(synthetic_counts(len(run.inputs.training), recipe)):
        starting = "drawing digits"
    on_one_thread = f"mnist-edge train --resume --threads 1 --out {run.folder}"
    with TrainingBar(group.is_main, starting=starting) as bar:
        bar.follow(run, group, choice, on_one_thread)


def _first_on_rank_0(group: "ProcessGroup", make: "Callable[[Progress], Made]") -> Made:
    """What rank 0 makes, showing how far it is, and the others then find."""
    if not group.is_main:
        group.barrier()
        return make(lambda what, done, total: None)
    with progress_bar() as progress:
        made = make(progress)
    group.barrier()
    return made
