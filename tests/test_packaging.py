"""The wheel, installed with its core dependencies alone, as a device would install it."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
LARGEST_MB = 250


def build(root: Path, folder: Path, kind: str = "wheel") -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder],
        cwd=root,
        check=True,
        capture_output=True,
    )
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def device(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; skips where no package registry answers."""
    home = tmp_path_factory.mktemp("device") / "venv"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--retries", "1", wheel],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "connection" in done.stderr.lower():
        pytest.skip("no package registry answers here")
    assert done.returncode == 0, done.stderr
    return home


def run(device: Path, cwd: Path, *args: object) -> "subprocess.CompletedProcess[str]":
    hidden = ("PYTHONPATH", "MNIST_EDGE_DATA")  # a device has no data set either
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    environment["XDG_CACHE_HOME"] = str(cwd / "cache")
    return subprocess.run(
        [device / "bin" / "mnist-edge", *map(str, args)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def ours(folder: str) -> set[str]:
    """The files of a folder that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}


def test_the_wheel_holds_the_package_and_its_models_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    about = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    assert names - about == ours("mnist_edge") | {f"mnist_edge/{name}" for name in ours("exported")}
    assert {name.split("/", 1)[1] for name in about} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }
    assert {"mnist_edge/exported/edge.onnx", "mnist_edge/py.typed"} <= names
    assert {Path(name).suffix for name in names - about} == {
        ".py",
        ".typed",
        ".onnx",
        ".md",
        ".json",
        ".css",
        ".html",
        ".js",
        ".webmanifest",
        ".svg",
        ".png",
    }


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_the_same_tree_builds_the_same_bytes(kind: str, tmp_path: Path) -> None:
    """Elsewhere, at another time, by someone whose new files are private."""
    tree = tmp_path / "elsewhere"
    for name in ours("."):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tree / name)
        os.utime(tree / name, (1, 1_000_000_000))
    before = os.umask(0o077)
    try:
        there = build(tree, tmp_path / "there", kind).read_bytes()
    finally:
        os.umask(before)
    assert there == build(ROOT, tmp_path / "here", kind).read_bytes()


def test_requirements_have_floors_and_no_caps() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *itertools.chain(*project["optional-dependencies"].values()),
    ]
    assert not [one for one in wanted if not re.fullmatch(r"[a-z-]+>=[\d.]+", one)]


def test_environment_is_small_and_without_the_lab(device: Path) -> None:
    total = sum(path.stat().st_size for path in device.rglob("*") if path.is_file())
    assert total < LARGEST_MB * 1e6
    packages = next((device / "lib").glob("python*")) / "site-packages"
    assert not [name for name in ("torch", "onnx", "sklearn") if (packages / name).exists()]


def test_device_predicts_with_the_model_in_the_package(device: Path, tmp_path: Path) -> None:
    stroke = np.zeros((28, 28), np.uint8)
    stroke[4:24, 13:16] = 255
    Image.fromarray(stroke).save(tmp_path / "one.png")
    done = run(device, tmp_path, "predict", "one.png", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] == "1"


def test_device_makes_a_site_of_the_models_in_the_package(device: Path, tmp_path: Path) -> None:
    done = run(device, tmp_path, "export", "--web", "site", "--json")
    assert done.returncode == 0, done.stderr
    assert "edge" in json.loads(done.stdout)["web"]["models"]
    assert (tmp_path / "site" / "index.html").is_file()


def test_device_benchmarks_with_recorded_accuracy(device: Path, tmp_path: Path) -> None:
    quick = ("--duration", "0.05", "--batch", "1")
    done = run(device, tmp_path, "bench", "edge", "edge-xs", *quick)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^edge\.onnx +\d\d\.\d\d\* ", done.stdout, re.MULTILINE)
    assert re.search(r"^edge-xs\.onnx +\d\d\.\d\d\* ", done.stdout, re.MULTILINE)
    assert "as recorded in the file" in done.stdout


@pytest.mark.parametrize("command", [["models"], ["models", "edge"], ["reproduce", "--list"]])
def test_device_lists_what_there_is(device: Path, tmp_path: Path, command: list[str]) -> None:
    done = run(device, tmp_path, *command)
    assert (done.returncode, done.stderr) == (0, "")
    assert "edge" in done.stdout


def test_device_takes_models_by_name(device: Path, tmp_path: Path) -> None:
    done = run(device, tmp_path, "predict", "--check", "--model", "edge-int8")
    assert done.returncode == 0, done.stderr
    assert "edge-int8.onnx: golden answers 8 of 8" in done.stdout
    done = run(device, tmp_path, "models", "--copy", "edge-xs-int8", ".")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"edge-xs-int8.onnx", "edge-xs-int8.md"}


@pytest.mark.parametrize("command", ["train", "export"])
def test_device_is_told_which_extra_the_lab_needs(
    device: Path, tmp_path: Path, command: str
) -> None:
    done = run(device, tmp_path, command)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "pip install 'mnist-edge[train]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")
def test_make_alone_says_what_each_target_does() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    told = subprocess.run(["make", "-s"], cwd=ROOT, check=True, capture_output=True, text=True)
    lines = told.stdout.splitlines()
    assert targets
    assert sorted(line.split()[1] for line in lines) == sorted(targets[1].split())
    assert all(len(line) <= 100 and len(line.split()) > 4 for line in lines)
