"""train, export, bench, eval, predict: one after the other, in an empty folder.

Each command's last line says the next one, and it is that line which is run.
"""

import re
import shlex
from pathlib import Path
from typing import Any

import onnx
import pytest
from PIL import Image

from mnist_edge.classifier import Classifier
from mnist_edge.datasets import load
from mnist_edge.lab.training.checkpoint import load_checkpoint
from tests.cli.test_train import write_signs
from tests.helpers.cli import invoke
from tests.lab.conftest import one_thread  # noqa: F401

QUICK = ("--device", "cpu", "--epochs", "6", "--batch-size", "32")


def following(done: Any) -> list[str]:
    """The arguments of the command that a command says is next."""
    assert done.exit_code == 0, done.stderr
    assert "Traceback" not in done.stderr
    said = re.search(r"^next: mnist-edge (.*)$", done.stdout, re.MULTILINE)
    assert said
    return shlex.split(said[1])


def shown(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, text
    return found[1]


def test_digits_from_training_to_prediction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trained = invoke("train", "--dataset", "digits", "--model", "edge-xs", *QUICK)
    tested = shown(r"^test accuracy (\d+\.\d\d) %", trained.stdout)
    assert float(tested) > 80

    exported = invoke(*following(trained))
    assert shown(r"^ +accuracy (\d+\.\d\d) %", exported.stdout) == tested
    assert "0 answers changed" in exported.stdout

    timed = invoke(*following(exported), "--duration", "0.05", "--batch", "1")
    assert (timed.exit_code, timed.stderr) == (0, "")
    for name in (r"edge-xs\.onnx", "PyTorch original"):
        assert shown(rf"^ *{name} +(\d+\.\d\d) ", timed.stdout) == tested

    # What the bench does not tell: which digit is which.
    scored = invoke("eval", "exported/edge-xs.onnx")
    assert shown(r"digits: (\d+\.\d\d) %", scored.stdout) == tested

    digits = load("digits")
    for at in range(8):
        Image.fromarray(digits.test.images[at]).save(tmp_path / f"{at}.png")
    told = invoke("predict", "--threshold", 0, *(f"{at}.png" for at in range(8)))
    lines = [line.split() for line in told.stdout.splitlines()]
    assert [line[0] for line in lines] == [f"{at}.png" for at in range(8)]
    answers = Classifier(tmp_path / "exported" / "edge-xs.onnx").predict(digits.test.images[:8])
    assert [line[1] for line in lines] == [str(label) for label in answers.labels]
    assert sum(int(label) for label in answers.labels == digits.test.labels[:8]) >= 6


def test_own_classes_go_all_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = write_signs(tmp_path / "private" / "my signs", 30)
    options = ("--epochs", 15, "--batch-size", 16, "--device", "cpu")
    trained = invoke("train", "--dataset", f"folder:{place}", "--model", "edge-xs", *options)
    assert trained.exit_code == 0, trained.stderr
    assert trained.stderr.startswith("edge-xs on folder:my signs: ")
    exported = invoke("export")
    assert exported.exit_code == 0, exported.stderr

    file = Path("exported/edge-xs.onnx")
    card = Classifier(file).card
    assert card.classes == ("across", "disc", "down")
    assert card.dataset == card.trained["recipe"]["dataset"] == "folder:my signs"
    metadata = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert not [value for value in metadata.values() if "private" in value]
    for written in (file, Path("exported/manifest.json")):
        assert b"private" not in written.read_bytes()
        assert str(tmp_path).encode() not in written.read_bytes()

    pictures = [place / name / "3.png" for name in card.classes]
    told = invoke("predict", "--threshold", 0, *pictures)
    assert told.exit_code == 0, told.stderr
    pattern = re.compile(r"^(.*3\.png) +(?:\? )?(\w+) +\d+\.\d %.*$", re.MULTILINE)
    assert pattern.findall(told.stdout) == [
        (str(path), name) for path, name in zip(pictures, card.classes, strict=True)
    ]

    scored = invoke("eval", "--dataset", f"folder:{place}")
    assert scored.exit_code == 0, scored.stderr
    saved = load_checkpoint(Path("runs/edge-xs"))
    assert saved.result is not None
    assert f"{saved.result['correct']} of {saved.result['total']})" in scored.stdout
