"""Options that several commands have, declared once."""

from pathlib import Path
from typing import Annotated

import typer


def _usable(threads: int) -> int:
    from mnist_edge.machine import threads_for

    return threads_for(threads)


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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
