"""mnist-edge predict"""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_edge.cli.console import echo_err
from mnist_edge.cli.options import MODEL_HELP
from mnist_edge.errors import GoldenError, UsageError

if TYPE_CHECKING:
    from mnist_edge.classifier import Classifier
    from mnist_edge.cli.predict_output import Output
    from mnist_edge.predict import Detector

_MANY = 20  # pictures: more get a bar while they are read, and a summary
_ALIGNED = 1000  # as many names decide on the width of their column


def predict(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            help="Pictures, folders of pictures, arrays (.npy: uint8, images of the file's own "
            "size), or - for one picture from standard input.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=MODEL_HELP, show_default=False),
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Descend into subfolders.")
    ] = False,
    line: Annotated[
        bool, typer.Option("--line", help="Each picture shows a number, written on one line.")
    ] = False,
    grid: Annotated[
        bool, typer.Option("--grid", help="Each picture shows a sheet: rows of digits.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="P",
            help="Say ? where the probability is below this [default: the file's own].",
            show_default=False,
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Draw what the network saw, and what it weighed.")
    ] = False,
    save_input: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write what the network saw, as PNGs."),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Processes that read pictures; 0 for as many as there are cores.",
        ),
    ] = 0,
    threads: Annotated[int | None, typer.Option(min=0, hidden=True)] = None,  # its name until 0.1
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="First check that the file computes here what it computed where it was made.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, an object per line, for scripts.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets.")] = False,
) -> None:
    """Classify pictures: a row each, with label and probability.

    Any size, PNG, JPEG, GIF, BMP, TIFF, WebP, AVIF and a few more; digits dark on light or light on
    dark.
    What cannot be read is said, the rest goes on, and the exit code is 1.
    """
    paths = paths or []
    _check_options(paths, check, line, grid, threshold, show, as_json, as_csv)
    from mnist_edge.classifier import Classifier
    from mnist_edge.cli import predict_formats, predict_output, streams
    from mnist_edge.host.machine import threads_for
    from mnist_edge.predict import count, find, read
    from mnist_edge.predict.save_input import InputFolder

    # Processes: reading is mostly Python, which keeps threads waiting.
    processes = threads_for(workers if threads is None else threads, "--workers")
    _silence_pillow()
    classifier = Classifier(model)
    threshold = classifier.threshold if threshold is None else threshold
    detector = _detector(classifier, line, grid)
    shape, fit = classifier.shape, classifier.card.fit
    sources = find(paths, recursive, shape, fit)
    first = list(islice(sources, _ALIGNED))
    layout = predict_formats.layout_of(line, grid)
    names = [source.name for source in first]
    writer = predict_output.make_writer(classifier, layout, threshold, names, show, as_json, as_csv)
    if paths and classifier.path != model and not (as_json or as_csv):
        echo_err(f"model: {classifier.path}")  # which one it is, nobody has said yet
    output = predict_output.Output(sys.stdout)
    if check:
        _check_golden(classifier, output, as_json, as_csv)
    if not paths:
        return
    output.rows(writer.head)
    folder = InputFolder(save_input) if save_input else None
    # Nobody knows how many lie below before all folders have been looked into.
    total = partial(count, [] if recursive else paths, shape)
    with predict_output.reading_bar(len(first) > _MANY, total) as progress:
        batches = read(classifier, chain(first, sources), detector, threshold, processes)
        counts = predict_output.print_readings(batches, writer, folder, output, progress)
    if counts.pictures > _MANY and not streams.has_gone(sys.stdout):
        echo_err(str(counts))
    if counts.unreadable:
        raise typer.Exit(1)


def _check_options(
    paths: Sequence[str],
    check_file: bool,
    line: bool,
    grid: bool,
    threshold: float | None,
    show: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """UsageError for options that do not go together, or mean nothing."""
    mistakes = {
        "name a picture, or --check the file": not paths and not check_file,
        "--line and --grid exclude each other": line and grid,
        "--json and --csv exclude each other": as_json and as_csv,
        "--show goes without --json and --csv": show and (as_json or as_csv),
        "--threshold is a probability, 0 to 1": threshold is not None and math.isnan(threshold),
        "- is standard input, one picture: name it once": paths.count("-") > 1,
        "- is standard input, here a terminal: pipe a picture in": "-" in paths
        and sys.stdin is not None
        and sys.stdin.isatty(),
    }
    for message, made in mistakes.items():
        if made:
            raise UsageError(message)


def _detector(classifier: "Classifier", line: bool, grid: bool) -> "Detector":
    """What makes images of a picture: all of it, the digit that fills it, or those of a line or a
    sheet. UsageError for those of a file that takes pictures whole."""
    from mnist_edge.image_shape import Fit
    from mnist_edge.predict import MultiDigit, detector_of

    if not (line or grid):
        return detector_of(classifier.card)
    if classifier.card.fit is not Fit.DIGIT:
        raise UsageError(
            f"{'--line' if line else '--grid'} cuts a picture into digits, and {classifier.path} "
            "takes pictures whole: leave it out"
        )
    return MultiDigit(classifier, on_one_line=line)


def _silence_pillow() -> None:
    """It speaks of odd metadata, on stderr, where each line is about a picture that failed."""
    import logging
    import warnings

    warnings.filterwarnings("ignore", module="PIL")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)


def _check_golden(classifier: "Classifier", output: "Output", as_json: bool, as_csv: bool) -> None:
    """GoldenError where the file does not compute here what it computed where it was made."""
    found = classifier.check()
    if found is None:
        raise GoldenError(f"{classifier.path} carries no golden answers: export it again")
    if as_json:
        output.rows(json.dumps({"golden": asdict(found)}) + "\n")
    elif as_csv:  # whose first line is its header
        output.remark(f"{classifier.path}: golden answers {found}")
    else:
        output.rows(f"{classifier.path}: golden answers {found}\n")
    output.flush()
