import runpy
import sys

import pytest

import mnist_edge
from tests.conftest import Cli


def test_python_m_is_the_cli(cli: Cli) -> None:
    done = cli("--version")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"mnist-edge {mnist_edge.__version__}\n",
        "",
    )


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
        (["nonsense"], "No such command 'nonsense'"),
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
    assert "Traceback" not in done.stderr
