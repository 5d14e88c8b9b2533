import re
import runpy
import sys

import pytest

import mnist_edge
from tests.conftest import Cli

COMMANDS = ("train", "export", "bench", "eval", "predict", "draw", "data", "models", "reproduce")


def test_python_m_is_the_cli(cli: Cli) -> None:
    done = cli("--version")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"mnist-edge {mnist_edge.__version__}\n",
        "",
    )


def test_the_version_has_a_short_option(cli: Cli) -> None:
    assert cli("-V").stdout == cli("--version").stdout


def test_shells_complete_commands_and_options(cli: Cli) -> None:
    def completed(words: str, at: int) -> list[str]:
        environment = {"_MNIST_EDGE_COMPLETE": "complete_bash", "COMP_WORDS": words}
        return cli(**environment, COMP_CWORD=str(at)).stdout.split()

    assert completed("mnist-edge pre", 1) == ["predict"]
    assert "--int8" in completed("mnist-edge export --", 2)


@pytest.mark.parametrize("columns", [80, 100])
def test_help_fits_and_cuts_nothing_off(cli: Cli, columns: int) -> None:
    shown = cli("--help", COLUMNS=str(columns), TERMINAL_WIDTH=str(columns)).stdout
    assert "..." not in shown.partition("Commands:")[2]
    assert max(map(len, shown.splitlines())) <= columns


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_values_in_words_and_not_in_types(cli: Cli, command: str) -> None:
    shown = cli(command, "--help").stdout
    assert not re.search(r"<(str|int|float|path|list|bool|text)", shown, re.IGNORECASE)


def test_python_m_in_this_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["mnist-edge", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("mnist_edge", run_name="__main__")
    assert ended.value.code == 0
    assert mnist_edge.__version__ in capsys.readouterr().out


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(cli: Cli, flag: str) -> None:
    done = cli(flag)
    assert done.returncode == 0
    for command in ("train", "export", "bench", "eval", "predict", "data", "models"):
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize("command", ["train", "export", "bench", "eval", "predict", "data"])
def test_every_command_has_help(cli: Cli, command: str) -> None:
    done = cli(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: mnist-edge {command} ")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nonsense"], "error: no such command 'nonsense'"),
        (["predict"], "name a picture"),
        (["bench", "--threads", "-1"], "'--threads'"),
        (["bench", "--duration", "-1"], "'--duration'"),
        (["eval", "--nonsense"], "--nonsense"),
        ([], "Usage: mnist-edge"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_wrong(
    cli: Cli, args: list[str], message: str
) -> None:
    done = cli(*args)
    assert done.returncode == 2
    assert message in done.stderr
    assert not args or re.fullmatch(r"error: [^\n]+\n", done.stderr)
