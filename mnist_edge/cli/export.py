"""mnist-edge export"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_edge.cli import export_options as options
from mnist_edge.cli import export_output, export_site
from mnist_edge.cli.console import note_missing_outliers, note_other_images, progress_bar
from mnist_edge.cli.export_options import RUNS
from mnist_edge.cli.options import AsJson, DataDir, TrainingThreads, parse_threads
from mnist_edge.errors import EdgeError, GateError

if TYPE_CHECKING:
    from mnist_edge.lab.export.candidate import Candidate
    from mnist_edge.lab.export.finetune import Finetuning
    from mnist_edge.lab.export.int8_plan import Int8Plan


_WITHOUT_OUTLIERS = "the threshold is fitted without them, and nothing is counted on them"


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
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder to write into.")
    ] = options.OUT,
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
    options.check_names(out, name)
    run = options.find_run(run)
    options.check_together(run, int8, wants_int8, report, web, threads)
    runtime = export_site.find_runtime(web, web_runtime)
    if web and runtime and not int8 and not (run and run.is_dir()):
        export_site.print_site(
            export_site.write_site([run] if run else None, web, runtime), runtime, as_json
        )
        return
    if diagnose:
        options.check_diagnosis(wants_int8 | {"--report": report})
    from mnist_edge.lab.export.finetune import Finetuning
    from mnist_edge.lab.export.publish import publish
    from mnist_edge.lab.training import runs
    from mnist_edge.report import model_card

    plan = options.int8_plan(calibration, calibration_images, keep_float, max_drop)
    tuning = Finetuning(finetune_epochs) if finetune_epochs else None
    run = run or runs.newest_run(RUNS)
    options.check_places(run, None if diagnose else out, report, web)
    if diagnose:
        _diagnose(run, data_dir, plan, as_json)
        return
    output = _Output(out, name or (run.stem if run.is_file() else None), force, report)
    how = plan if int8 else None, tuning, parse_threads(threads)
    passed, trained_on = _export(run, data_dir, output, *how)
    published = publish(passed, out, model_card.render, force)
    paths = [file.path for file in published]
    made = export_site.write_site(paths, web, runtime) if web and runtime else None
    done = export_output.Done(run, published, made, runtime)
    following = options.next_command(out, paths, trained_on)
    export_output.print_done(done, report, following, as_json)


@dataclass(frozen=True, slots=True)
class _Output:
    """Where an export goes: a folder, what its files are called, and the gate's report."""

    folder: Path
    stem: str | None
    force: bool
    report: Path | None


def _export(
    run: Path,
    data_dir: Path | None,
    output: _Output,
    plan: "Int8Plan | None",
    tuning: "Finetuning | None",
    threads: int | None,
) -> tuple[Sequence["Candidate"], str]:
    """The files to write, which passed their gate, and the data set as their run names it. The
    gate's report is written whether or not they passed."""
    from mnist_edge.lab.export import pipeline
    from mnist_edge.lab.export.inputs import open_inputs
    from mnist_edge.lab.export.publish import check_output

    replaceable = partial(check_output, output.folder, output.stem, plan is not None, output.force)
    with progress_bar() as progress:
        inputs = open_inputs(run, RUNS, data_dir, progress, replaceable)
        made = pipeline.export(
            inputs, plan, tuning, progress, asked_threads=threads, stem=output.stem
        )
    card = inputs.card
    note_other_images(str(run), card.dataset, card.fingerprint, inputs.data)
    note_missing_outliers(str(run), card, inputs.data, _WITHOUT_OUTLIERS)
    export_output.write_report(output.report, made)
    if made.refused:
        raise EdgeError(export_output.refusal(made.refused)) from made.refused
    return made.candidates, inputs.original.checkpoint.recipe.dataset if inputs.original else ""


def _diagnose(run: Path, data_dir: Path | None, plan: "Int8Plan", as_json: bool) -> None:
    from mnist_edge.lab.export import pipeline
    from mnist_edge.lab.export.inputs import open_inputs

    try:
        with progress_bar() as progress:
            inputs = open_inputs(run, RUNS, data_dir, progress)
            diagnosis = pipeline.diagnose(inputs, plan, progress)
    except GateError as error:
        raise EdgeError(export_output.refusal(error)) from error
    card = inputs.card
    note_other_images(str(run), card.dataset, card.fingerprint, inputs.data)
    export_output.print_diagnosis(diagnosis, as_json)
