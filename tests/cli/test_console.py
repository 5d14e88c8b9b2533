import ast
import os
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from mnist_edge.cli import console
from mnist_edge.errors import DataError, EdgeError, ModelError
from mnist_edge.report.grid import Grid
from tests.conftest import Cli, make_card, write_tiny_model


def app_that_raises(error: BaseException) -> typer.Typer:
    app = typer.Typer(cls=console.CommandGroup, pretty_exceptions_enable=False)

    @app.command("work")
    def work() -> None:
        raise error

    @app.callback()
    def callback() -> None:
        pass

    return app


@pytest.mark.parametrize("kind", [EdgeError, DataError, ModelError])
def test_a_users_mistake_is_one_line_and_exit_1(kind: type[EdgeError]) -> None:
    found = CliRunner().invoke(app_that_raises(kind("what is wrong: what to do")), ["work"])
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr == "error: what is wrong: what to do\n"


@pytest.mark.parametrize("name", ["torch", "torch.nn", "torchvision", "onnx", "onnxscript"])
def test_a_missing_lab_package_names_the_extra(name: str) -> None:
    error = ModuleNotFoundError(f"No module named '{name}'", name=name)
    found = CliRunner().invoke(app_that_raises(error), ["work"])
    assert found.exit_code == 1
    assert found.stderr == (
        f"error: 'mnist-edge work' needs {name.split('.')[0]}, which is not installed: "
        "pip install 'mnist-edge[train]'\n"
    )


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'numpy'", name="numpy"),
        ModuleNotFoundError("nameless"),
        ValueError("a bug"),
        OSError(22, "Invalid argument"),
    ],
)
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    found = CliRunner().invoke(app_that_raises(error), ["work"])
    assert found.exception is error
    assert found.stderr == ""


def test_ctrl_c_is_one_line_and_exit_130() -> None:
    found = CliRunner().invoke(app_that_raises(KeyboardInterrupt()), ["work"])
    assert (found.exit_code, found.stdout, found.stderr) == (130, "", "stopped\n")


def test_ctrl_c_while_a_package_is_imported_is_the_same() -> None:
    error = ImportError("initialization failed")  # as compiled packages turn it into
    error.__cause__ = KeyboardInterrupt()
    found = CliRunner().invoke(app_that_raises(error), ["work"])
    assert (found.exit_code, found.stdout, found.stderr) == (130, "", "stopped\n")
    found = CliRunner().invoke(app_that_raises(ImportError("it is broken")), ["work"])
    assert isinstance(found.exception, ImportError)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionError(13, "Permission denied", "a/b"),
            "cannot use a/b: Permission denied. Change its permissions, or name another",
        ),
        (
            OSError(36, "File name too long", b"\xff\n"),
            r"cannot use \xff\x0a: File name too long. Name a shorter one",
        ),
        (
            FileNotFoundError(2, "No such file or directory", "a"),
            "cannot use a: No such file or directory. It was removed meanwhile, or never there",
        ),
        (OSError(5, "Input/output error", "a"), "cannot use a: Input/output error. The disk"),
        (
            OSError(30, "Read-only file system", "a"),
            "cannot use a: Read-only file system. Name a p",
        ),
        (OSError(16, "Device or resource busy", "a"), "cannot use a: Device or resource busy. Try"),
        (OSError(28, "No space left on device", "x"), "cannot write x: No space left on device"),
        (EOFError("No data left in file"), "a file ends before what it should hold: "),
    ],
)
def test_what_the_system_refuses_is_one_line(error: BaseException, said: str) -> None:
    found = CliRunner().invoke(app_that_raises(error), ["work"])
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr.startswith(f"error: {said}")
    assert found.stderr.count("\n") == 1


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """tiny.onnx, whose data set is not here: a bench of it starts at once."""
    return write_tiny_model(tmp_path / "tiny.onnx", make_card(dataset="folder:letters"))


@pytest.mark.parametrize("args", [["eval", "--dataset", "digits"], ["bench", "--duration", "0"]])
def test_a_reader_that_has_gone_is_no_error(model: Path, args: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "mnist_edge", *args, "tiny.onnx"],
            cwd=model.parent,
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(os.name != "posix", reason="needs a shell with head")
def test_head_takes_its_line_and_all_is_quiet(tiny_model: Path) -> None:
    command = f"'{sys.executable}' -m mnist_edge eval tiny.onnx --json | head -1"
    done = subprocess.run(
        command,
        shell=True,
        cwd=tiny_model.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("{\n", "")


_INTERRUPTED_BEFORE_TIMING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
from mnist_edge.benchmark import timing
from mnist_edge.cli import main
timing.measure = lambda *args: signal.raise_signal(signal.SIGINT)
sys.argv = ["mnist-edge", "bench", "tiny.onnx"]
main()
"""


def test_ctrl_c_before_bench_has_timed_anything_leaves_one_line(model: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_BEFORE_TIMING],
        cwd=model.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_a_table_is_never_cut_however_narrow_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    console.print_table(Grid(("name",), (("long " * 30,),)))
    assert "…" not in (shown := capsys.readouterr().out)
    assert len(shown.splitlines()) == 2
    assert "long " * 30 in shown


def test_what_is_said_and_what_is_hinted_go_apart(capsys: pytest.CaptureFixture[str]) -> None:
    console.echo("result")
    console.echo_err("remark")
    console.echo_json({"ö": [1, None]})
    found = capsys.readouterr()
    assert found.out == 'result\n{\n  "ö": [\n    1,\n    null\n  ]\n}\n'
    assert found.err == "remark\n"


def run_bar(phases: list[tuple[str, float, float]]) -> None:
    with console.progress_bar() as tell:
        for phase in phases:
            tell(*phase)


PHASES = [("reading", 1.0, 4.0), ("reading", 4.0, 4.0), ("timing", 1.0, 2.0)]


def test_progress_is_silent_where_stderr_is_no_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    run_bar(PHASES)
    assert tuple(capfd.readouterr()) == ("", "")


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, run: Callable[[], None]) -> str:
    paper = StringIO()
    terminal = Console(file=paper, force_terminal=True, width=80)
    monkeypatch.setattr(console, "error_console", lambda: terminal)
    run()
    return paper.getvalue()


def test_progress_shows_the_phase_under_way_and_vanishes(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shown = on_a_terminal(monkeypatch, lambda: run_bar(PHASES))
    assert "timing" in shown
    assert "50%" in shown
    assert shown.endswith("\x1b[2K")  # the line is erased
    assert capfd.readouterr().out == ""


def test_a_phase_that_is_over_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = on_a_terminal(monkeypatch, lambda: run_bar(PHASES))
    assert "reading" not in shown.rsplit("timing", 1)[-1]
    assert all("reading" not in line for line in shown.splitlines() if "timing" in line)


def test_the_error_console_speaks_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console.error_console().print("remark")
    assert tuple(capsys.readouterr()) == ("", "remark\n")


def test_errors_stay_one_line_for_real(cli: Cli) -> None:
    done = cli("data", "nonsense")
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no data set 'nonsense'")
    assert done.stderr.count("\n") == 1


def test_no_command_says_two_lines_at_once() -> None:
    """A line end in what is said is a name's, and becomes an escape."""
    for path in Path(console.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("echo", "echo_err"):
                words = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
                assert not any(isinstance(one, str) and "\n" in one for one in words), path
