"""What the tests of the commands share: the CLI inside this process, and files to give it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from mnist_edge.cli import app
from mnist_edge.model_file import model_paths
from mnist_edge.preprocess import render_digits


def invoke(*args: object) -> Any:
    """Run the CLI in this process, where coverage sees it. A bug's traceback passes through."""
    return CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=False)


def assert_fails(result: Any, message: str, code: int = 1) -> None:
    """It ended with `code`, and stderr is one line: `error: ` and what matches `message`."""
    stderr: str = result.stderr
    assert (result.returncode if hasattr(result, "returncode") else result.exit_code) == code
    assert stderr.startswith("error: "), stderr
    assert stderr.count("\n") == 1, stderr
    assert stderr.endswith("\n"), stderr
    assert re.search(message, stderr), stderr


def write_digit(path: Path, number: int = 1) -> Path:
    """A 28×28 PNG of a digit, white on black."""
    Image.fromarray(render_digits(number + 1)[number]).save(path)
    return path


def write_folder(root: Path, *classes: str, count: int = 10) -> Path:
    """A `folder:` set: `count` noisy PNGs in a subfolder for each class."""
    random = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir(parents=True)
        for at in range(count):
            image = random.integers(0, 256, (28, 28), np.uint8)
            Image.fromarray(image).save(root / name / f"{at}.png")
    return root


def move_package(monkeypatch: pytest.MonkeyPatch, root: Path) -> Path:
    """Let `model_paths` believe that the package lies in `root`, where nothing is exported."""
    package = root / "site" / "mnist_edge"
    monkeypatch.setattr(model_paths, "__file__", str(package / "model_file" / "model_paths.py"))
    return package
