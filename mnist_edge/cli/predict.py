"""mnist-edge predict"""

import json
import sys
from dataclasses import asdict
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_edge.cli import predict_options
from mnist_edge.cli.console import echo_err
from mnist_edge.cli.options import MODEL_HELP
from mnist_edge.errors import GoldenError

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
            help="Pictures, folders of pictures, arrays (.npy: uint8, N × 28 × 28), or - for one "
            "picture from standard input.",
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
        typer.Option(metavar="DIR", help="Write what the network saw: 28×28 PNGs."),
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

    Any size, PNG, JPEG, GIF, BMP, TIFF, WebP, AVIF and a few more, dark on light or light on dark.
    What cannot be read is said, the rest goes on, and the exit code is 1.
    """
    paths = paths or []
    predict_options.check(paths, check, line, grid, threshold, show, as_json, as_csv)
    from mnist_edge import predict as reading
    from mnist_edge.classifier import Classifier
    from mnist_edge.cli import predict_formats, predict_output, streams
    from mnist_edge.host.machine import threads_for
    from mnist_edge.predict.save_input import InputFolder

    # Processes: reading is mostly Python, which keeps threads waiting.
    processes = threads_for(workers if threads is None else threads, "--workers")
    _silence_pillow()
    classifier = Classifier(model)
    if threshold is None:
        threshold = _own_threshold(classifier)
    detector = _detector(classifier, line, grid)
    found = reading.find(paths, recursive)
    first = list(islice(found, _ALIGNED))
    layout = predict_formats.layout(line, grid)
    names = [source.name for source in first]
    writer = predict_output.writer(classifier, layout, threshold, names, show, as_json, as_csv)
    if paths and classifier.path != model and not (as_json or as_csv):
        echo_err(f"model: {classifier.path}")  # which one it is, nobody has said yet
    output = predict_output.Output(sys.stdout)
    if check:
        _check(classifier, output, as_json, as_csv)
    if not paths:
        return
    output.rows(writer.head)
    folder = InputFolder(save_input) if save_input else None
    # Nobody knows how many lie below before all folders have been looked into.
    count = partial(reading.count, [] if recursive else paths)
    with predict_output.bar(len(first) > _MANY, count) as step:
        batches = reading.read(classifier, chain(first, found), detector, threshold, processes)
        tally = predict_output.tell(batches, writer, folder, output, step)
    if tally.pictures > _MANY and not streams.has_gone(sys.stdout):
        echo_err(str(tally))
    if tally.unreadable:
        raise typer.Exit(1)


def _detector(classifier: "Classifier", line: bool, grid: bool) -> "Detector":
    """What finds digits in a picture: one that fills it, or those of a line or a sheet."""
    from mnist_edge.predict import MultiDigit, SingleDigit

    if line or grid:
        return MultiDigit(classifier, on_one_line=line)
    return SingleDigit(classifier.card.dataset)


def _own_threshold(classifier: "Classifier") -> float:
    """Where validation found the accepted answers right often enough; 0, and so never `?`, for a
    file from before there was one."""
    own = getattr(classifier.card, "threshold", None)
    return float(own.value) if own else 0.0


def _silence_pillow() -> None:
    """It speaks of odd metadata, on stderr, where each line is about a picture that failed."""
    import logging
    import warnings

    warnings.filterwarnings("ignore", module="PIL")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)


def _check(classifier: "Classifier", output: "Output", as_json: bool, as_csv: bool) -> None:
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
