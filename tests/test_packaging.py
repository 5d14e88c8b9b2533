"""The wheel, installed with its core dependencies alone, as a device would install it."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
LARGEST_MB = 250


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


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
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [device / "bin" / "mnist-edge", *map(str, args)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_wheel_carries_a_model_and_its_types_but_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {
        "mnist_edge/exported/edge.onnx",
        "mnist_edge/exported/manifest.json",
        "mnist_edge/py.typed",
    } <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "runs/"))]


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


def test_device_benchmarks_with_recorded_accuracy(device: Path, tmp_path: Path) -> None:
    done = run(device, tmp_path, "bench", "--duration", "0.05")
    assert done.returncode == 0, done.stderr
    assert "edge.onnx" in done.stdout
    assert "edge-xs.onnx" in done.stdout


@pytest.mark.parametrize("command", ["train", "export", "models"])
def test_device_is_told_which_extra_the_lab_needs(
    device: Path, tmp_path: Path, command: str
) -> None:
    done = run(device, tmp_path, command)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "pip install 'mnist-edge[train]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
