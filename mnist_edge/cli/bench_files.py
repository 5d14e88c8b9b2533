"""The files that `mnist-edge bench` leaves: what its options ask for, and what it records."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_edge.errors import EdgeError

if TYPE_CHECKING:
    from mnist_edge.benchmark import Benchmark


def write(
    result: "Benchmark", values: dict[str, Any], outputs: Mapping[str, Path | None], record: bool
) -> tuple[list[Path], EdgeError | None]:
    """Write the files of the options, and manifests and cards with `record`.

    What was written, and the first error, if any: one that fails keeps no other away. A run that
    was stopped is not recorded.
    """
    from mnist_edge.escaping import json_text
    from mnist_edge.files import write_atomically
    from mnist_edge.report import markdown, page, plots, recording

    writers: dict[str, Callable[[Path], None]] = {
        "--json": lambda path: write_atomically(path, json_text(values) + "\n"),
        "--markdown": lambda path: write_atomically(path, markdown.benchmark(result)),
        "--html": lambda path: write_atomically(path, page.benchmark(result)),
        "--plot": lambda path: plots.benchmark(result, path),
    }
    wrote, errors = [], []
    for option, path in outputs.items():
        try:
            if path:
                writers[option](path)
                wrote.append(path)
        except EdgeError as error:
            errors.append(error)
    try:
        wrote += recording.write(result) if record and not result.stopped else []
    except EdgeError as error:
        errors.append(error)
    return wrote, errors[0] if errors else None
