"""What `mnist-edge bench` tells, and what it leaves: what its options ask for, in files or on
stdout, and what it records."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_edge.cli.console import echo, echo_err, print_table_parts, terminal_width
from mnist_edge.errors import EdgeError

if TYPE_CHECKING:
    from mnist_edge.backends import InputFormat
    from mnist_edge.benchmark import Benchmark
    from mnist_edge.benchmark.compare import Change

STDOUT = Path("-")
"""In an option's place of a file."""


def echo_beside(outputs: Mapping[str, Path | None]) -> Callable[[str], None]:
    """What prints remarks: on stdout, but on stderr where stdout takes one of the outputs."""
    return echo_err if STDOUT in outputs.values() else echo


def print_foreign_inputs(
    inputs: "Mapping[Path, InputFormat]", outputs: Mapping[str, Path | None]
) -> None:
    """How files of others are fed."""
    from mnist_edge.report.input_formats import describe_input

    for path, input_format in inputs.items():
        echo_beside(outputs)(f"{path.name}: {describe_input(input_format)}")


def print_errors(errors: Iterable[EdgeError | str]) -> None:
    for error in errors:
        echo_err(f"error: {error}")


def show(
    result: "Benchmark",
    outputs: Mapping[str, Path | None],
    record: bool,
    old: Mapping[str, Any] | None,
    limit: float | None,
) -> "Sequence[Change]":
    """Write what is asked for, and say the rest. What changed since the `old` one, if any; more
    than `limit` is told as too slow. What could not be written is raised once all is said."""
    from mnist_edge.benchmark import compare
    from mnist_edge.report import summary, to_json

    values = to_json.benchmark(result)
    remark = echo_beside(outputs)
    # Files first: whatever becomes of stdout, they are there. And what cannot be written after
    # all, such as on a disk that is full by now, must not cost the tables.
    wrote, failed = write(result, values, outputs, record)
    _warn(result) if STDOUT in outputs.values() else _show_tables(result)
    for path in wrote:
        remark(f"wrote {path}")
    if record and result.stopped:
        echo_err("nothing was recorded: the run was stopped")
    if failed:
        raise failed
    changes = compare.changes(old, values) if old else []
    for line in summary.changes(changes, limit):
        remark(line)
    return changes


def _show_tables(result: "Benchmark") -> None:
    from mnist_edge.report import advice, benchmark_tables, summary, terminal

    width = terminal_width(terminal.WIDTH)
    for table in (benchmark_tables.quality, benchmark_tables.speed, benchmark_tables.kernels):
        print_table_parts(table(result), width)
    for line in [*benchmark_tables.units(result, width), "", *summary.lines(result)]:
        echo(line)
    _warn(result)
    for line in advice.lines(result):
        echo(line)


def _warn(result: "Benchmark") -> None:
    from mnist_edge.report import notes

    for note in notes.notes(result):
        echo_err(note.line)


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
