"""mnist-edge export"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnist_edge.cli import gates, site
from mnist_edge.cli.options import AsJson, DataDir, TrainingThreads, asked_threads
from mnist_edge.cli.shell import progress_bar, say, say_json
from mnist_edge.errors import EdgeError, GateError, ModelError, UsageError

if TYPE_CHECKING:
    from mnist_edge.lab.job import Job

_RUNS = Path("runs")
_OUT = Path("exported")
_NAME = re.compile(r"[^\W_][\w.-]*")
_MAX_DROP = 0.10


def export(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN|FILE",
            help="A run, by its folder or its name in runs/, or an fp32 file to quantize "
            "[default: the newest run in runs/].",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write into.")] = _OUT,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What the files are called: NAME.onnx, NAME-int8.onnx [default: the model].",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Also quantize, to <model>-int8.onnx.")
    ] = False,
    max_drop: Annotated[
        float | None,
        typer.Option(
            help="int8: accuracy that it may lose, in percentage points [default: 0.10].",
            show_default=False,
        ),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            help="int8: minmax, entropy or percentile [default: minmax].", show_default=False
        ),
    ] = None,
    calibration_images: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="int8: training images to calibrate on [default: 512, or all of fewer].",
            show_default=False,
        ),
    ] = None,
    finetune_epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="int8: quantization-aware fine-tuning first, to win back what int8 loses.",
            show_default=False,
        ),
    ] = None,
    threads: TrainingThreads = "auto",
    keep_float: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LAYER",
            help="int8: leave a layer in float; several with commas, or an option each.",
            show_default=False,
        ),
    ] = None,
    diagnose: Annotated[
        bool,
        typer.Option("--diagnose", help="int8: show what each layer loses, and write nothing."),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Write what the gate found, as .md or .json.", show_default=False),
    ] = None,
    web: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write a static site that answers in the browser, with what is exported; alone, "
            "or with an exported file, of what was exported before.",
            show_default=False,
        ),
    ] = None,
    web_runtime: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="web: onnxruntime-web's npm package, unpacked or .tgz [default: "
            "node_modules/onnxruntime-web, else a CDN].",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace better files.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a trained model as ONNX, checked against the original.

    The file and the PyTorch network answer the whole test split; unless all answers are the same,
    nothing is written. --int8 writes a second file, calibrated on training images, which must
    compute the same on every CPU and lose at most --max-drop points of accuracy.
    """
    wants_int8 = {
        "--max-drop": max_drop,
        "--calibration": calibration,
        "--calibration-images": calibration_images,
        "--finetune-epochs": finetune_epochs,
        "--keep-float": keep_float,
        "--diagnose": diagnose or None,
    }
    _check_names(out, name)
    run = _meant(run)
    _check_options(run, int8, wants_int8, report, web)
    if threads != "auto" and not finetune_epochs:
        raise EdgeError("--threads is about fine-tuning: add --finetune-epochs")
    runtime = site.runtime(web, web_runtime)
    if web and runtime and not int8 and not (run and run.is_dir()):
        site.write([run] if run else None, web, runtime, as_json)
        return
    if diagnose:
        _check_diagnosis(wants_int8 | {"--report": report})
    from mnist_edge import output_places
    from mnist_edge.lab import runs
    from mnist_edge.lab.checkpoint import CHECKPOINT
    from mnist_edge.lab.finetune import Finetuning
    from mnist_edge.lab.job import Job
    from mnist_edge.lab.quantize import Plan, check
    from mnist_edge.lab.shelf import Draft, place
    from mnist_edge.manifest import MANIFEST, read_manifest
    from mnist_edge.report import card

    plan = Plan(
        method=calibration or "minmax",
        images=calibration_images,
        keep_float=_names(keep_float or []),
        max_drop=_MAX_DROP if max_drop is None else max_drop,
    )
    read_manifest(out / MANIFEST)  # an unreadable one stops here, before minutes of work
    run = run or runs.newest(_RUNS)
    stem = name or (run.stem if run.is_file() else None)
    read = run / CHECKPOINT if run.is_dir() else run
    output_places.check_files({"--report": report}, [read, out / MANIFEST])
    output_places.check_folder("--out", None if diagnose else out)
    output_places.check_folder("--web", web)
    passes = force or diagnose
    drafts: list[Draft] = []
    try:
        with progress_bar() as tell:
            allow = partial(gates.check_way, out, stem, int8, passes)
            job = Job.of(run, _RUNS, data_dir, tell, allow)
            diagnosis = job.diagnose(plan, tell) if diagnose else None
            if not diagnosis:
                drafts = [job.fp32] if job.fp32 else []
                tuning = Finetuning(epochs=finetune_epochs) if finetune_epochs else None
                if int8:
                    drafts.append(job.int8(plan, tuning, tell, asked_threads(threads)))
        gates.note_old_data(run, job)
        if diagnosis:
            gates.show_diagnosis(diagnosis, as_json)
            return
        drafts = [replace(draft, name=gates.called(stem, draft)) for draft in drafts]
        if int8:
            check(drafts[-1], plan)
    except GateError as error:
        told = gates.refusal(error)
        if drafts:
            gates.write_report(report, drafts, f"The gate was not passed: {told}.", must=False)
        raise EdgeError(told) from error
    gates.write_report(report, drafts, "The gate was passed.")
    placed = place(drafts, out, force)
    made = [exported.path for exported in placed]
    written = site.written(made, web, runtime) if web and runtime else None
    if as_json:
        say_json(gates.as_dict(run, drafts, placed) | site.as_dict(written, runtime))
        return
    for exported in placed:
        gates.show(run, exported)
    cards = " and ".join(str(card.beside(exported.path)) for exported in placed)
    say(f"model card{'s' * (len(placed) > 1)}: {cards}")
    if report:
        say(f"wrote {report}")
    if written and runtime:
        site.tell(written, runtime)
    say(f"next: {_next(out, made, job)}")


def _meant(run: Path | None) -> Path | None:
    """A run's folder, by its path or by its name in runs/; else a model file. EdgeError where
    there is none of these."""
    if run is None or run.is_dir():
        return run
    from mnist_edge import shipped

    if len(run.parts) == 1 and (_RUNS / run).is_dir():
        return _RUNS / run
    try:
        return shipped.find(run)
    except ModelError:
        if run.suffix == ".onnx":
            raise
    raise EdgeError(f"there is no run {run}, and no model file: train a run first, or name another")


def _check_names(out: Path, name: str | None) -> None:
    if out.suffix == ".onnx" and not out.is_dir():
        raise UsageError(
            f"--out names a folder, and {out} looks like a file: --name {out.stem} names the file"
        )
    if name is not None and not _NAME.fullmatch(name):
        raise UsageError(
            f"--name is letters, digits, dots, - and _, without .onnx and folders, not '{name}'"
        )
    if name is not None and name.endswith((".onnx", "-int8")):
        raise UsageError(f"--name goes without .onnx and -int8, which are added: not '{name}'")


def _next(out: Path, made: Sequence[Path], job: "Job") -> str:
    """The command that measures what was made: no other files, on the images that they need."""
    from mnist_edge.datasets import FOLDER

    words = ["mnist-edge", "bench"]
    own = job.original.checkpoint.recipe.dataset if job.original else ""
    if out != _OUT or own.startswith(FOLDER):
        words += map(str, made)
    if own.startswith(FOLDER):
        words += ["--dataset", FOLDER + str(_from_here(Path(own.removeprefix(FOLDER))))]
    return shlex.join(words)


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _check_options(
    run: Path | None,
    int8: bool,
    wants_int8: dict[str, Any],
    report: Path | None,
    web: Path | None,
) -> None:
    for name, value in wants_int8.items():
        if value is not None and not int8:
            raise UsageError(f"{name} is about int8: add --int8")
    if run and run.is_file() and not int8 and not web:
        raise UsageError(f"{run} is a file already: add --int8 to quantize it, or name a run")
    if report and report.suffix not in (".md", ".json"):
        raise UsageError(f"--report writes .md or .json, and {report} is neither")


def _check_diagnosis(given: dict[str, Any]) -> None:
    for name in ("--finetune-epochs", "--keep-float", "--max-drop", "--report"):
        if given[name] is not None:
            raise UsageError(
                f"--diagnose shows the network as it is, and writes nothing: no {name}"
            )


def _names(texts: Sequence[str]) -> tuple[str, ...]:
    """The names in options that may hold several, each once, in order."""
    names = [name.strip() for text in texts for name in text.split(",")]
    return tuple(dict.fromkeys(names))
