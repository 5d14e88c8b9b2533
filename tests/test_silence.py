"""Nothing that runs a model asks for a network, or leaves anything at home."""

import os
import platform
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers import without_network
from tests.helpers.cli import write_digit
from tests.helpers.without_network import ASKED, REFUSED

pytestmark = pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="needs Linux's seccomp filters on x86_64 or aarch64",
)


def guarded(home: Path, *args: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `python ARGS…` in an empty home, where nobody gets a network.

    Of the environment it has only what it needs: onnxruntime and OpenVINO keep silent by
    themselves where a variable looks like continuous integration.
    """
    home.mkdir()
    needed = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    done = subprocess.run(
        [sys.executable, without_network.__file__, *map(str, args)],
        cwd=home.parent,
        env={**needed, "HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == REFUSED:
        pytest.skip("this kernel, or the container, refuses seccomp filters")
    return done


def left(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*"))


_SOCKET = "import socket; socket.socket()"


@pytest.mark.parametrize(
    "code",
    [
        _SOCKET,
        "import socket; socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')",
        "import threading, socket; threading.Thread(target=socket.socket).start()",
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_SOCKET!r}])",
        f"import os, time\nif os.fork() == 0:\n  time.sleep(0.2)\n  {_SOCKET}",
    ],
)
def test_whoever_asks_for_a_network_is_found_out(tmp_path: Path, code: str) -> None:
    assert guarded(tmp_path / "home", "-c", code).returncode == ASKED


@pytest.mark.parametrize(
    ("code", "ends"), [("import socket; socket.socketpair()", 0), ("import sys; sys.exit(5)", 5)]
)
def test_whoever_does_not_is_left_alone(tmp_path: Path, code: str, ends: int) -> None:
    assert guarded(tmp_path / "home", "-c", code).returncode == ends


def test_predict_is_silent(tiny_model: Path, tmp_path: Path) -> None:
    home, picture = tmp_path / "home", write_digit(tmp_path / "1.png")
    done = guarded(home, "-m", "mnist_edge", "predict", picture, "--model", tiny_model)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(str(picture))
    assert left(home) == []


def test_bench_is_silent(tiny_model: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = guarded(home, "-m", "mnist_edge", "bench", tiny_model, "--duration", 0.05)
    assert (done.returncode, done.stderr) == (0, "")
    assert tiny_model.name in done.stdout
    assert left(home) == []


@pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")
def test_bench_is_silent_even_with_openvino(tiny_model: Path, tmp_path: Path) -> None:
    """Left to itself, it tells Google Analytics that it was imported, from a daemon of its own."""
    home = tmp_path / "home"
    args = ("bench", tiny_model, "--duration", 0.05, "--contender", "openvino")
    done = guarded(home, "-m", "mnist_edge", *args)
    assert (done.returncode, done.stderr) == (0, "")
    assert left(home) == []


def test_onnxruntime_left_to_itself_would_be_found_out(tmp_path: Path) -> None:
    """It writes an identifier at once, and asks for a network about nine seconds later: the tests
    above would end too early to see that, but not too early to see the identifier."""
    home = tmp_path / "home"
    done = guarded(home, "-c", "import onnxruntime", ORT_DISABLE_TELEMETRY="0")
    if (done.returncode, left(home)) == (0, []):
        pytest.skip("this build of onnxruntime reports nothing")
    assert done.returncode in (0, ASKED)
    assert any("onnxruntime" in name for name in left(home))
