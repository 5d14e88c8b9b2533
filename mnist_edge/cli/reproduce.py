"""mnist-edge reproduce"""

import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_edge.catalogue import DATASETS
from mnist_edge.cli.console import INTERRUPTED, echo, echo_err, echo_json, print_table, progress_bar
from mnist_edge.cli.options import (
    AsJson,
    DataDir,
    Device,
    TrainingThreads,
    parse_threads,
    split_names,
)
from mnist_edge.cli.progress import TrainingBar
from mnist_edge.cli.reproduce_list import rough_duration, show_list
from mnist_edge.cli.train_output import thread_count_text, threads_text
from mnist_edge.errors import UsageError

if TYPE_CHECKING:
    from mnist_edge.experiment_results import ExperimentResult
    from mnist_edge.lab.reproduce.experiments import Experiment, Options, Run
    from mnist_edge.lab.reproduce.session import Session
    from mnist_edge.lab.training.distributed import ProcessGroup
    from mnist_edge.report.grid import Section

_OUT = Path("runs/reproduce")
_RESULT, _PAGE, _EXPORTED = "result.json", "result.md", "exported"


def reproduce(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(help="An experiment of --list.", show_default=False),
    ] = None,
    list_all: Annotated[
        bool, typer.Option("--list", help="Show the experiments, and train nothing.")
    ] = False,
    time: Annotated[
        bool,
        typer.Option(
            "--time", help="With --list: how long each takes here (half a minute to find out)."
        ),
    ] = False,
    size: Annotated[
        str | None,
        typer.Option(
            help="small (an hour on 2 cores) or full (the paper's, for a GPU) [default: small].",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        str, typer.Option(help=f"{', '.join(DATASETS)}; digits is for a quick try.")
    ] = "mnist",
    data_dir: DataDir = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Runs of each kind [default: 3; three-block: 1]."),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="For a try: other epochs than the recipe's.", show_default=False),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="PARTS", help="Only these parts, with commas: edge,edge-xs.", show_default=False
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="best: time the files against this ONNX file.", show_default=False
        ),
    ] = None,
    device: Device = "auto",
    threads: TrainingThreads = "auto",
    out: Annotated[Path, typer.Option(help="Where the runs and results go.")] = _OUT,
    as_json: AsJson = False,
) -> None:
    """Train a classic experiment again, beside what was claimed.

    Ctrl-C loses at most the epoch under way: the same command goes on. Every training has a folder
    of its own, and result.md and result.json lie beside them.
    """
    if list_all == (name is not None) or (time and not list_all):
        raise UsageError("name one experiment, or ask for --list (with or without --time)")
    if name is None and not time:
        return show_list(as_json)
    from mnist_edge.lab.reproduce.experiments import Options, experiment
    from mnist_edge.lab.training.distributed import process_group
    from mnist_edge.model_file import model_paths

    options = Options(
        dataset=dataset,
        size=size or "small",
        seeds=seeds,
        epochs=epochs,
        only=split_names([only]) if only else (),
    )
    if name is None:
        return show_list(as_json, options, device)
    asked = experiment(name)
    _check(asked, size, seeds, against)
    against = against and model_paths.find(against)
    with process_group(device) as group:
        if group.size > 1:
            raise UsageError("reproduce trains in one process: start it without torchrun")
        count = parse_threads(threads)
        command = partial(_command, context, against=against, as_json=False)
        _reproduce(asked, options, data_dir, against, out, group, command, as_json, count)
    return None


def _check(asked: "Experiment", size: str | None, seeds: int | None, against: Path | None) -> None:
    """EdgeError for an option that means nothing here."""
    if size is not None and not asked.sized:
        raise UsageError(f"{asked.name} has one size: leave --size away")
    if seeds is not None and asked.seeds is None:
        raise UsageError(f"{asked.name} is one run of each kind: leave --seeds away")
    if against is not None and asked.name != "best":
        raise UsageError(f"--against is for 'best', and means nothing to {asked.name}")


def _reproduce(
    asked: "Experiment",
    options: "Options",
    data_dir: Path | None,
    against: Path | None,
    out: Path,
    group: "ProcessGroup",
    command: Callable[..., str],
    as_json: bool,
    threads: int | None,
) -> None:
    from mnist_edge.datasets import load
    from mnist_edge.lab.reproduce.exports import Exporter
    from mnist_edge.lab.reproduce.findings import conclude
    from mnist_edge.lab.reproduce.session import Session
    from mnist_edge.output_paths import check_folder
    from mnist_edge.report import model_card

    check_folder("--out", out)
    with progress_bar() as progress:
        data = load(options.dataset, data_dir, progress)
    session = Session(asked, options, data, out / asked.folder_name(options), group)
    missing = session.untrained_runs()
    echo_err(f"{asked.name} on {data.name}: {asked.trains}")
    try:
        _show_estimate(session, missing, threads)
        for run in missing:
            _train_run(session, run, threads, command(threads=1))
        with progress_bar() as progress:
            exporter = Exporter(
                session.folder / _EXPORTED, data, progress, model_card.render, against
            )
            found = conclude(session, exporter)
    except KeyboardInterrupt:
        _show_stopped(session, command())
        raise typer.Exit(INTERRUPTED) from None
    public = command(data_dir=None, out=None, against=against and against.name)
    _save_and_show(found, session.folder, public, as_json)


def _save_and_show(found: "ExperimentResult", folder: Path, command: str, as_json: bool) -> None:
    """Put the result into the experiment's folder, all of it or nothing, and show it."""
    from mnist_edge.escaping import json_text
    from mnist_edge.files import write_together
    from mnist_edge.host.machine import this_machine
    from mnist_edge.report import reproduce

    at, machine = datetime.now(UTC).isoformat(timespec="seconds"), this_machine()
    values = reproduce.values(found, command, at, machine)
    drawn = reproduce.plots(found)
    texts = {
        _RESULT: json_text(values, indent=2) + "\n",
        _PAGE: reproduce.page(found, command, at, machine, list(drawn)),
    }
    contents: dict[str, bytes | str] = {**drawn, **texts}
    write_together({folder / name: content for name, content in contents.items()})
    if as_json:
        echo_json(values)
        return
    for section in reproduce.sections(found):
        _show_section(section)
    echo("")
    echo(f"wrote {folder}: {', '.join(contents)}")


def _show_estimate(session: "Session", missing: "list[Run]", threads: int | None) -> None:
    """How long it will take here, before it begins."""
    total = len(session.selected_runs)
    if not missing:
        echo_err(f"all {total} runs are finished" if total > 1 else "its run is finished")
        return
    from mnist_edge.lab.reproduce.estimate import estimate_session

    with progress_bar() as progress:
        cost = estimate_session(session, missing, threads, progress)
    parts = cost.parts_s
    where = f"{session.group.device}, {thread_count_text(*cost.threads)}"
    told = f"{total} run{'s' * (total > 1)}"
    if len(missing) < total:
        told += f", {total - len(missing)} of them finished"
    if len(parts) > 1:
        told += f"; {', '.join(f'{part} {rough_duration(spent)}' for part, spent in parts.items())}"
    echo_err(f"about {rough_duration(sum(parts.values()))} on this machine ({where}; {told})")


def _train_run(session: "Session", run: "Run", asked: int | None, on_one_thread: str) -> None:
    from mnist_edge.lab.training.threads import torch_threads, training_threads

    number = 1 + [one.name for one in session.selected_runs].index(run.name)
    which = f"run {number} of {len(session.selected_runs)}, {run.name}"
    prepared, group = session.training_run(run), session.group
    saved = prepared.saved
    goes_on = f", going on after epoch {saved.epochs_done}" if saved else ""
    with progress_bar() as progress:
        progress("timing threads", 0, 0)
        choice = training_threads(prepared.inputs, group, asked, prepared.saved_threads)
    epochs = f"{run.recipe.epochs} epoch{'s' * (run.recipe.epochs > 1)}"
    echo_err(f"{which}: {epochs} on {threads_text(choice)}{goes_on}")
    with torch_threads(choice.count):
        with progress_bar() as progress:
            prepared = prepared.with_soft_targets(group.device, progress)
        with TrainingBar(True, which) as bar:
            bar.follow(prepared, group, choice, on_one_thread)


def _show_stopped(session: "Session", command: str) -> None:
    """What is saved, and how to go on."""
    wanted = session.selected_runs
    done = {one.run.name for one in session.trained_runs()}
    told = f"{sum(run.name in done for run in wanted)} of {len(wanted)} runs finished"
    for run in wanted:
        saved = session.load_run(run)
        if saved and saved.result is None:
            told += f", {run.name} saved after epoch {saved.epochs_done} of {run.recipe.epochs}"
    echo_err(f"stopped; {told}: go on with '{command}'")


def _command(context: typer.Context, **others: object) -> str:
    """This command with the options that were given; `others` take the place of some."""
    given = context.params | others
    words = ["mnist-edge", "reproduce", str(given["name"])]
    for option in context.command.params:
        value = given[option.name or ""]
        if option.opts[0].startswith("--") and value not in (None, option.default):
            words += [option.opts[0], str(value)]
    return shlex.join(words)


def _show_section(section: "Section") -> None:
    echo("")
    echo(section.title)
    if section.grid:
        print_table(section.grid)
    for line in section.lines:
        echo(f"- {line}")
