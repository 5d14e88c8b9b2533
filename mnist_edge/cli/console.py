"""What the commands share: how they speak, show progress, and end."""

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args, get_type_hints

import typer
from typer.core import TyperGroup

from mnist_edge.cli import streams
from mnist_edge.errors import EdgeError, UsageError
from mnist_edge.escaping import json_text, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mnist_edge.datasets import Dataset
    from mnist_edge.fingerprint import Fingerprint
    from mnist_edge.model_file.contract import Card
    from mnist_edge.report.grid import Grid

_LAB_PACKAGES = ("torch", "torchvision", "onnx", "onnxscript", "sklearn", "matplotlib")
USAGE_ERROR = 2  # what was asked for cannot be; 1 is what failed
INTERRUPTED = 130  # as shells report a program that SIGINT ended
_DISK_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_REASONS = {
    errno.ENAMETOOLONG: "Name a shorter one",
    errno.ELOOP: "Links lead in a circle there: name the file itself",
    errno.EIO: "The disk, or the network behind it, fails",
    errno.EMFILE: "Too many files are open: raise 'ulimit -n'",
    errno.ENFILE: "Too many files are open on this system",
}
_PARSER_ERROR: Any = typer.BadParameter.__base__  # the parser's UsageError, wherever typer has it
_METAVARS = ((int, "N"), (float, "X"), (Path, "PATH"), (str, "NAME"))
_UNCUT_WIDTH = 10_000  # columns, more than any table has


class CommandGroup(TyperGroup):
    """The one exit point: a user's mistake is one line on stderr. The exit code is 2 where what was
    asked for cannot be, which nothing had to be tried for, and 1 where it failed."""

    def get_command(self, ctx: Any, name: str) -> Any:
        command = super().get_command(ctx, name)
        if command is not None:
            _set_metavars(command)
        return command

    def make_context(self, *args: Any, **extra: Any) -> Any:
        try:
            return super().make_context(*args, **extra)
        except _PARSER_ERROR as error:
            _fail_parsing(error, "mnist-edge")

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except _PARSER_ERROR as error:
            _fail_parsing(error, f"mnist-edge {ctx.invoked_subcommand}")
        except UsageError as error:
            _fail(str(error), USAGE_ERROR)
        except EdgeError as error:
            _fail(str(error))
        except ModuleNotFoundError as error:
            package = (error.name or "").split(".")[0]
            if package not in _LAB_PACKAGES:
                raise
            _fail(
                f"'mnist-edge {ctx.invoked_subcommand}' needs {package}, which is not installed: "
                "pip install 'mnist-edge[train]'"
            )
        except ImportError as error:  # Ctrl-C while a compiled package is imported
            if not isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
                raise
            _stop()
        except KeyboardInterrupt:
            _stop()
        except EOFError:  # click would call it "Aborted!"
            _fail("a file ends before what it should hold: it is empty, or was cut off")
        except OSError as error:  # the last resort: who knows more raises an EdgeError
            _fail(_os_error_line(error))


def _os_error_line(error: OSError) -> str:
    """One line for what the system refused; an error that names no file is a bug, and goes on."""
    if error.errno in _DISK_FULL:
        place = error.filename or f"a temporary file in {tempfile.gettempdir()}"
        return (
            f"cannot write {_path_text(place)}: {error.strerror}. "
            "Free some space there, or name another place in TMPDIR"
        )
    if error.filename is None:
        raise error
    return f"cannot use {_path_text(error.filename)}: {error.strerror}{_remedy(error)}"


def _remedy(error: OSError) -> str:
    """What to do, as far as the kind of error alone tells: not whether it was read or written."""
    if isinstance(error, PermissionError):
        return ". Change its permissions, or name another"
    if error.errno == errno.EROFS:
        return ". Name a place that can be written"
    if isinstance(error, FileNotFoundError):
        return ". It was removed meanwhile, or never there: look at its name"
    if isinstance(error, IsADirectoryError | NotADirectoryError):
        return ". Look at its name"
    return f". {_REASONS.get(error.errno or 0, 'Try it again, or name another')}"


def _path_text(name: Any) -> str:
    return os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else str(name)


def run(app: Callable[..., Any], name: str) -> NoReturn:
    """The whole process: its streams, its signals, and the exit code in the end."""
    streams.prepare()
    ending_signal = streams.handle_signals()
    code: Any = 0
    try:
        app(prog_name=name)
    except SystemExit as ended:
        code = ended.code
    if code == INTERRUPTED and (number := ending_signal()):
        code = 128 + number  # as shells report it
    if why := streams.stdout_error():
        echo_err(f"error: {why}")
        code = code or 1
    sys.exit(code)


def _set_metavars(command: Any) -> None:
    """In help, values are called N, PATH or NAME, and not by Python's types."""
    hints = get_type_hints(command.callback)
    for parameter in command.params:
        kinds = {*get_args(hints.get(parameter.name)), hints.get(parameter.name)}
        if parameter.param_type_name == "argument":
            parameter.metavar = parameter.metavar or parameter.name.upper()
            parameter.display_type_rich = lambda ctx: ""  # typer's own word, behind the metavar
        elif parameter.metavar is None and bool not in kinds:
            parameter.metavar = next((word for kind, word in _METAVARS if kind in kinds), None)


def _fail_parsing(error: Any, command: str) -> None:
    """A command line that the parser does not understand. The help of one that is empty is shown
    as it is."""
    if type(error).__name__ == "NoArgsIsHelpError":
        raise error
    message = " ".join(error.format_message().split()).removesuffix(".")
    message = message.replace(": Input should", ": it should")  # as pydantic says it
    _fail(f"{message[:1].lower()}{message[1:]} (see '{command} --help')", USAGE_ERROR)


def _stop() -> NoReturn:
    echo_err("stopped")
    raise typer.Exit(INTERRUPTED) from None


def _fail(message: str, code: int = 1) -> None:
    echo_err(f"error: {message}")
    raise typer.Exit(code)


def echo(line: str) -> None:
    """A line on stdout, and never two: see `escaping.printable`."""
    print(printable(line), flush=True)


def echo_err(line: str) -> None:
    """A line on stderr, out of the way of what a script reads."""
    print(printable(line), file=sys.stderr, flush=True)


def note_other_images(
    whose: str, trained_on: str, fingerprint: "Fingerprint | None", data: "Dataset"
) -> None:
    """On stderr, where a model's data set is not the one that it was trained on, or where that
    cannot be told. `whose` is the file or the run."""
    from mnist_edge.report import dataset

    if line := dataset.changed_images_note(whose, trained_on, fingerprint, data):
        echo_err(line)


def note_missing_outliers(whose: str, card: "Card", data: "Dataset", consequence: str) -> None:
    """On stderr, where the images of no class that a model was trained with are not here."""
    from mnist_edge.report import dataset

    found = card.dataset, card.fingerprint, data, consequence
    if line := dataset.missing_outliers_note(whose, *found):
        echo_err(line)


def echo_json(values: Any) -> None:
    """A JSON value on stdout."""
    print(json_text(values, indent=2, encoding=sys.stdout.encoding or "utf-8"), flush=True)


def print_table(shown: "Grid") -> None:
    """A table on stdout, uncut: a terminal that is narrower wraps its lines."""
    from mnist_edge.report import terminal

    _print(terminal.table(shown))


def print_table_parts(shown: "Grid", width: int) -> None:
    """A table on stdout in parts of so many columns of text, and a blank line after each."""
    from mnist_edge.report import terminal

    for part in terminal.parts(shown, width):
        _print(part)
        echo("")


def _print(table: "Table") -> None:
    from rich.console import Console

    console = Console(width=_UNCUT_WIDTH, highlight=False, markup=False)
    with console.capture() as captured:  # on Windows, rich would write to the console itself
        console.print(table)
    print(captured.get(), end="", flush=True)


def terminal_width(most: int) -> int:
    """How wide a table on stdout may be: `most` columns, or as many as a terminal has."""
    return min(most, shutil.get_terminal_size().columns) if sys.stdout.isatty() else most


@contextmanager
def progress_bar() -> Iterator[Callable[[str, float, float], None]]:
    """A bar on stderr that is told (what, done, total), and vanishes at the end.

    A total of 0 means that nobody knows: the bar only shows that something is going on. Nothing
    is drawn where stderr is no terminal.
    """
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    what = TextColumn("{task.description}", markup=False)
    columns = (what, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = error_console()
    quiet = not console.is_terminal  # else rich ends even a bar that it never drew with a line
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: float, total: float) -> None:
            what = printable(what)
            if what not in tasks:
                for task in tasks.values():
                    bar.update(task, visible=False)
                tasks[what] = bar.add_task(what, total=total or None)
            bar.update(tasks[what], completed=done, total=total or None)

        yield progress


def error_console() -> "Console":
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False)
