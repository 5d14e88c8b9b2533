"""The commands: parse, call, show. Only this folder prints or exits.

What a command needs is imported in its body, so that `--help` answers at once and a device never
meets torch.
"""

from typing import Annotated

import typer

import mnist_edge
from mnist_edge import child_python
from mnist_edge.cli import (
    bench,
    data,
    doctor,
    draw,
    evaluate,
    export,
    models,
    predict,
    reproduce,
    train,
)
from mnist_edge.cli.console import CommandGroup, echo, run

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Train a small image classifier, export it to one ONNX file, and measure it on this CPU."
    "\n\nThree commands, in this order: train, export, bench.",
)
app.command("train")(train.train)
app.command("export")(export.export)
app.command("bench")(bench.bench)
app.command("eval")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("draw")(draw.draw)
app.command("data")(data.data)
app.command("models")(models.models)
app.command("reproduce")(reproduce.reproduce)
app.command("doctor")(doctor.doctor)


def _version(asked: bool) -> None:
    if asked:
        echo(f"mnist-edge {mnist_edge.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """The console script."""
    child_python.set_safe_path()
    run(app, "mnist-edge")
