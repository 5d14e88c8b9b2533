"""No process that we start runs Python files of the current folder."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

import mnist_edge
from mnist_edge import child_python, preprocess
from mnist_edge.backends import OnnxRuntime
from mnist_edge.benchmark import cold_start
from mnist_edge.predict.processes import map_in_processes
from mnist_edge.preprocess import decoder_process
from tests.conftest import write_tiny_model
from tests.helpers.cli import write_digit

PACKAGE = Path(mnist_edge.__file__).parent
IMAGE = np.zeros((1, 28, 28), np.uint8)
# It imports nothing, which would be a trap in its turn.
_MARK = "open(__file__ + '.ran', 'w').close()\nraise SystemExit(9)\n"
# All that a command imports, and what its child does: of both, the union.
_IMPORTED = """
import sys
from pathlib import Path
import mnist_edge.cli.bench, mnist_edge.backends.cold_start_process, mnist_edge.predict.processes
import multiprocessing.spawn, multiprocessing.resource_tracker
from mnist_edge.backends import OnnxRuntime
OnnxRuntime.open(Path(sys.argv[1])).load(1)
print(*{name.split(".")[0] for name in sys.modules})
"""


@pytest.fixture
def trapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with a module in it for every one that a child imports, each of which
    leaves a mark where it is run."""
    model = write_tiny_model(tmp_path / "tiny.onnx")
    done = subprocess.run(
        [sys.executable, "-P", "-c", _IMPORTED, model], capture_output=True, text=True, check=True
    )
    names = {*done.stdout.split(), "sitecustomize", "usercustomize"} - {"__main__"}
    assert {"pickle", "numpy", "runpy", "mnist_edge", "onnxruntime", "multiprocessing"} <= names
    for name in names:
        (tmp_path / f"{name}.py").write_text(_MARK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place not in ("", ".")])
    yield tmp_path
    assert not list(tmp_path.rglob("*.ran"))


def test_a_fresh_process_falls_into_no_trap(trapped: Path) -> None:
    assert cold_start.start(OnnxRuntime.open(trapped / "tiny.onnx"), 1, IMAGE).first_answer_s > 0


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_the_process_that_decodes_falls_into_no_trap(
    trapped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder_process, "_running", None)  # an earlier test's
    Image.new("L", (20, 30)).save("0.avif")
    assert preprocess.load("0.avif").size == (20, 30)
    decoder_process._kill_at_exit()


@pytest.mark.parametrize("forks", [True, False])
def test_processes_that_share_work_fall_into_no_trap(trapped: Path, forks: bool) -> None:
    """Spawned ones are started by multiprocessing, with `python -c`."""
    chunks = iter([([-1, 2], False), ([-3], False)])
    found = list(map_in_processes(_absolute, chunks, 2, forks))
    assert [result for _, result in found] == [[1, 2], [3]]


def _absolute(items: Sequence[int]) -> list[int]:
    return [abs(item) for item in items]


@pytest.mark.parametrize(
    "args",
    [
        ("bench", "tiny.onnx", "--duration", "0", "--cold"),
        ("predict", "--workers", "2", "--model", "tiny.onnx", "1.png"),
    ],
    ids=["bench", "predict"],
)
def test_commands_fall_into_no_trap(trapped: Path, args: Sequence[str]) -> None:
    write_digit(trapped / "1.png", 1)
    script = Path(sys.executable).with_name("mnist-edge")
    done = subprocess.run([script, *args], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_trap_is_one(tmp_path: Path) -> None:
    """The measurement itself: `-m` without care runs what lies in the current folder."""
    (tmp_path / "pickle.py").write_text(_MARK)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, "-m", "mnist_edge.backends.cold_start_process"],
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert done.returncode == 9
    assert (tmp_path / "pickle.py.ran").exists()


def test_what_a_command_starts_inherits_its_care(trapped: Path) -> None:
    """Libraries start Pythons of their own, as torch.compile does."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import pickle'])"
    subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            f"from mnist_edge import child_python as c; c.set_safe_path(); {code}",
        ],
        check=True,
    )


def test_a_checkout_that_is_not_installed_finds_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [*child_python.module_command("mnist_edge.__main__"), "--version"],
        env={**os.environ, "PYTHONNOUSERSITE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"mnist-edge {mnist_edge.__version__}\n"


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for before in (None, "1"):
        if before is None:
            monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
        else:
            monkeypatch.setenv("PYTHONSAFEPATH", before)
        with child_python.safe_path():
            assert os.environ["PYTHONSAFEPATH"] == "1"
        assert os.environ.get("PYTHONSAFEPATH") == before


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_other_file_names_the_interpreter(path: Path) -> None:
    """One way to start a child Python: whoever names `sys.executable` has another."""
    uses = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "executable"
    ]
    assert uses == [] or path.name == "child_python.py"
