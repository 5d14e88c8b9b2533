"""The wall between edge and lab: what runs a model never needs what trains one."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mnist_edge
from mnist_edge.catalogue import EXTRAS
from mnist_edge.files import sha256
from tests.conftest import make_card, write_tiny_model
from tests.helpers.cli import assert_fails, write_digit

PACKAGE = Path(mnist_edge.__file__).parent
BANNED = (*sorted({module for extra in EXTRAS for module in extra.modules}), "jsonschema")
LAB = "mnist_edge.lab"
EDGE = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if not path.is_relative_to(PACKAGE / "lab") and path.name != "__main__.py"
]

# As on a device where `pip install mnist-edge` brought what it brings, and nothing else.
_BLOCK = f"""
import sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BANNED!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Wall())
"""
_MAIN = """
from mnist_edge.cli import main
sys.argv[0] = "mnist-edge"
main()
"""
# Runs the CLI, then tells on the last line of stdout what it has imported.
_TELLING = """
import json, sys
from mnist_edge.cli import main
try:
    main()
finally:
    print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def python(code: str, *args: object, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(body: list[ast.stmt]) -> Iterator[str]:
    """What a module imports when it is imported itself: neither in functions nor for types."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from imports(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)
        for field in ("body", "orelse", "finalbody", "handlers"):
            yield from imports(getattr(node, field, []))


def crosses(name: str) -> bool:
    return name.split(".")[0] in BANNED or name == LAB or name.startswith(LAB + ".")


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("import torch.nn as nn", True),
        ("from mnist_edge.lab import train", True),
        ("from mnist_edge import lab", True),
        ("try:\n  import onnx\nexcept ImportError:\n  pass", True),
        ("class A:\n  from sklearn import svm", True),
        ("def f():\n  import torch", False),
        ("if TYPE_CHECKING:\n  from mnist_edge.lab.training.trainer import StepResult", False),
        ("import onnxruntime", False),
        ("from mnist_edge.labels import x", False),
    ],
)
def test_this_test_sees_what_crosses_the_wall(source: str, caught: bool) -> None:
    assert any(crosses(name) for name in imports(ast.parse(source).body)) is caught


@pytest.mark.parametrize("path", EDGE, ids=module)
def test_no_module_of_the_edge_imports_the_lab_when_it_is_imported(path: Path) -> None:
    found = imports(ast.parse(path.read_text()).body)
    assert [name for name in found if crosses(name)] == []


def test_every_edge_module_can_be_imported_without_the_lab() -> None:
    names = [module(path) for path in EDGE]
    assert "mnist_edge.cli.train" in names
    done = python(_BLOCK + f"import importlib\nfor n in {names!r}: importlib.import_module(n)")
    assert (done.returncode, done.stderr) == (0, "")


def test_predict_works_without_the_lab(tiny_model: Path, tmp_path: Path) -> None:
    picture = write_digit(tmp_path / "1.png")
    done = python(_BLOCK + _MAIN, "predict", picture, "--model", tiny_model, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["label"] in "0123456789"


def test_a_site_is_made_without_the_lab(tiny_model: Path, tmp_path: Path) -> None:
    done = python(_BLOCK + _MAIN, "export", tiny_model, "--web", "site", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "site" / "models" / "tiny.onnx").is_file()


def test_a_page_is_served_without_the_lab(tiny_model: Path, tmp_path: Path) -> None:
    stop = "\nfrom mnist_edge.web.server import Server"
    stop += "\ndef stopped(*_, **__): raise KeyboardInterrupt\nServer.serve_forever = stopped\n"
    done = python(_BLOCK + stop + _MAIN, "draw", tiny_model, "--no-browser", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "stopped\n")


def test_bench_works_without_the_lab(tmp_path: Path) -> None:
    checkpoint = tmp_path / "runs" / "tiny" / "checkpoint.pt"  # its run is here, torch is not
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"weights")
    write_tiny_model(tmp_path / "tiny.onnx", make_card(source_sha256=sha256(checkpoint)))
    args = ("bench", "tiny.onnx", "--duration", 0, "--json", "b.json")
    done = python(_BLOCK + _MAIN, *args, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tiny.onnx" in done.stdout
    (entry,) = json.loads((tmp_path / "b.json").read_text())["contenders"]
    assert entry["accuracy"]["recorded"]  # its data set comes with scikit-learn


def test_eval_of_a_folder_works_without_the_lab(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for at in range(5):
            write_digit(tmp_path / "set" / name / f"{at}.png", at)
    model = write_tiny_model(tmp_path / "ab.onnx", make_card(classes=("a", "b")))
    args = (
        "eval",
        model,
        "--dataset",
        f"folder:{tmp_path / 'set'}",
        "--errors",
        tmp_path / "e.png",
    )
    done = python(_BLOCK + _MAIN, *args)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "args",
    [["models"], ["models", "edge", "--json"], ["models", "--files"], ["reproduce", "--list"]],
)
def test_lists_need_no_lab(args: list[str], tmp_path: Path) -> None:
    done = python(_BLOCK + _MAIN, *args, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "edge" in done.stdout


@pytest.mark.parametrize("command", ["train", "export", "models edge --summary"])
def test_what_needs_the_lab_names_the_extra(command: str, tmp_path: Path) -> None:
    done = python(_BLOCK + _MAIN, *command.split(), cwd=tmp_path)
    name = command.split()[0]
    assert_fails(done, f"^error: 'mnist-edge {name}' needs .*pip install 'mnist-edge\\[train\\]'$")
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_data_that_needs_the_lab_names_the_extra(tmp_path: Path) -> None:
    done = python(_BLOCK + _MAIN, "data", "digits", cwd=tmp_path)
    assert_fails(done, r"pip install 'mnist-edge\[train\]'$")


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["train", "--help"], ["bench", "-h"]])
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    done = python(_TELLING, *args)
    assert done.returncode == 0
    imported = json.loads(done.stdout.splitlines()[-1])
    assert set(imported) & {*BANNED, "numpy", "onnxruntime", "PIL"} == set()


def test_predict_imports_no_lab_even_where_it_is_installed(
    tiny_model: Path, tmp_path: Path
) -> None:
    picture = write_digit(tmp_path / "1.png")
    done = python(_TELLING, "predict", picture, "--model", tiny_model)
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"numpy", "onnxruntime"} <= imported
    assert imported & set(BANNED) == set()


def test_bench_imports_no_torch_where_no_original_is_here(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "letters.onnx", make_card(dataset="folder:letters"))
    done = python(_TELLING, "bench", "letters.onnx", "--duration", 0, cwd=tmp_path)
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    assert "onnxruntime" in imported
    assert imported & set(BANNED) == set()
