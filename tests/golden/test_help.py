"""Every `--help`, as typer's runner shows it: 80 columns wide anywhere, and without colours."""

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from mnist_edge.cli import app
from tests import golden

COMMANDS = list(get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", ["mnist-edge", *COMMANDS])
def test_help_is_what_it_was(command: str) -> None:
    words = [] if command == "mnist-edge" else [command]
    done = CliRunner().invoke(app, [*words, "--help"], prog_name="mnist-edge")
    assert (done.exit_code, done.stderr) == (0, "")
    golden.check(f"help/{command}.txt", done.stdout)
