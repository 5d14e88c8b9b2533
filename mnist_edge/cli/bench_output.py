"""What `mnist-edge bench` leaves: what its options ask for, in files or on stdout, and what it
records."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_edge.errors import EdgeError

if TYPE_CHECKING:
    from mnist_edge.benchmark import Benchmark

STDOUT = Path("-")
"""In an option's place of a file."""


def write(
    result: "Benchmark", values: dict[str, Any], outputs: Mapping[str, Path | None], record: bool
) -> tuple[list[Path], EdgeError | None]:
    """Write the files of the options, and manifests and cards with `record`.

    What was written, and the first error, if any: one that fails keeps no other away. A run that
    was stopped is not recorded. What goes to stdout does so last: its reader may take long.
    """
    from mnist_edge.escaping import json_text
    from mnist_edge.report import html, markdown, plots, record_latency

    writers: dict[str, Callable[[Path], None]] = {
        "--json": lambda path: _write(path, json_text(values, encoding=_encoding(path)) + "\n"),
        "--markdown": lambda path: _write(path, markdown.benchmark(result)),
        "--html": lambda path: _write(path, html.benchmark(result)),
        "--plot": lambda path: plots.benchmark(result, path),
    }
    wrote, errors = [], []
    for option, path in outputs.items():
        try:
            if path and path != STDOUT:
                writers[option](path)
                wrote.append(path)
        except EdgeError as error:
            errors.append(error)
    try:
        wrote += record_latency.write(result) if record and not result.stopped else []
    except EdgeError as error:
        errors.append(error)
    for option in [option for option, path in outputs.items() if path == STDOUT]:
        writers[option](STDOUT)
    return wrote, errors[0] if errors else None


def _write(path: Path, text: str) -> None:
    from mnist_edge.files import write_atomically

    if path == STDOUT:
        print(text, end="", flush=True)
    else:
        write_atomically(path, text)


def _encoding(path: Path) -> str:
    return (sys.stdout.encoding if path == STDOUT else None) or "utf-8"
