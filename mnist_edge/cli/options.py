"""Options that several commands have, declared once."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from mnist_edge.catalogue import DATASETS


def _usable(threads: int) -> int:
    from mnist_edge.host.machine import threads_for

    return threads_for(threads)


MODEL_HELP = "An exported file, or its name, such as edge-int8 [default: edge]."
MODELS_HELP = (
    "Exported files, names such as edge-int8, or folders [default: all of exported/, else all "
    "that came with the package]."
)


DATASETS_HELP = f"{', '.join(DATASETS)} or folder:PATH"


def _number_or_auto(text: str) -> str:
    parse_threads(text)
    return text


def parse_threads(text: str) -> int | None:
    """The number of threads that --threads names; None for "auto"."""
    if text == "auto":
        return None
    if not (text.isascii() and text.isdigit()):
        raise typer.BadParameter(f"'{text}' is neither a number nor auto", param_hint="--threads")
    return _usable(int(text))


def split_names(texts: Iterable[str]) -> tuple[str, ...]:
    """The names, each once, of an option that takes several with commas, or is given again."""
    return tuple(dict.fromkeys(name.strip() for text in texts for name in text.split(",")))


DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder with the data set's files [default: $MNIST_EDGE_DATA, the user's cache, a "
        "download].",
        show_default=False,
    ),
]
Threads = Annotated[
    int,
    typer.Option(
        min=0,
        callback=_usable,
        help="Cores that one answer may use; 0 for all that affinity and CPU quota allow.",
    ),
]
TrainingThreads = Annotated[
    str,
    typer.Option(
        "--threads",
        metavar="N|auto",
        callback=_number_or_auto,
        help="Threads that train on a CPU: auto times 1 and all cores, and takes the faster; 0 "
        "for all.",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
