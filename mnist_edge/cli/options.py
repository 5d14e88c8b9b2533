"""Options that several commands have, declared once."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder with the data set's files [default: $MNIST_EDGE_DATA, the user's cache, a "
        "download].",
        show_default=False,
    ),
]
Threads = Annotated[int, typer.Option(min=1, help="Cores that one answer may use.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
