"""A person's folder from `data` to `bench`: what is said of it, and what if it changes."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_edge.classifier import read_card
from mnist_edge.datasets import load
from mnist_edge.image_shape import ImageOptions
from mnist_edge.lab.training.checkpoint import RESULT, load_checkpoint, save_checkpoint
from tests.helpers.cli import assert_fails, invoke


@dataclass(frozen=True)
class Home:
    """A folder `shapes` of coloured pictures, a run that was trained on it, and its file."""

    path: Path

    @property
    def shapes(self) -> Path:
        return self.path / "shapes"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def file(self) -> Path:
        return self.path / "exported" / "edge-xs.onnx"


def write_shapes(root: Path, first: int, count: int, *names: str) -> None:
    """Bars and discs of changing colours, 40×30 pixels, numbered from `first`."""
    rows, columns = np.mgrid[:30, :40]
    for at in range(first, first + count):
        random = np.random.default_rng(at)
        middle, colour = random.integers(10, 20, 2), random.integers(90, 256, 3)
        colour[random.integers(3)] = 0
        shapes = {
            "across": abs(rows - middle[0]) < 3,
            "down": abs(columns - middle[1]) < 3,
            "disc": np.hypot(rows - middle[0], columns - middle[1]) < 7,
        }
        for name in names or shapes:
            (root / name).mkdir(parents=True, exist_ok=True)
            pixels = (shapes[name][:, :, None] * colour).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{at}.png")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    write_shapes(home.shapes, 0, 16)
    args = ("--model", "edge-xs", "--epochs", 1, "--batch-size", 8, "--device", "cpu")
    images = ("--grey", "--size", 28)
    data = ("--dataset", f"folder:{home.shapes}")
    done = invoke("train", *data, "--out", home.run, *images, *args)
    assert done.exit_code == 0, done.stderr
    assert "48 pictures of 40×30 pixels become 28×28 grey, padded. Colour is not" in done.stderr
    assert "test split: " in done.stderr
    done = invoke("export", home.run, "--out", home.file.parent)
    assert (done.exit_code, done.stderr) == (0, "")
    return home


@pytest.fixture
def home(made: Home, tmp_path: Path) -> Home:
    """The same with a folder that may be changed."""
    shutil.copytree(made.path, tmp_path / "home")
    moved = Home(tmp_path / "home")
    saved = load_checkpoint(moved.run)
    recipe = replace(saved.recipe, dataset=f"folder:{moved.shapes}")
    save_checkpoint(moved.run, replace(saved, recipe=recipe))
    return moved


def evaluated(home: Home, *options: object) -> Any:
    return invoke("eval", home.file, "--dataset", f"folder:{home.shapes}", *options)


def test_checkpoint_and_file_carry_the_fingerprint(home: Home) -> None:
    found = load(f"folder:{home.shapes}", options=ImageOptions((28, 28), False)).fingerprint

    assert load_checkpoint(home.run).fingerprint == read_card(home.file).fingerprint == found
    assert found is not None
    assert found.coloured == 48


def test_same_folder_needs_no_words(home: Home) -> None:
    done = evaluated(home)

    assert (done.exit_code, done.stderr) == (0, "")
    args = ("--dataset", f"folder:{home.shapes}", "--duration", 0, "--batch", 1)
    assert "note:" not in invoke("bench", home.file, *args).stderr


def test_grown_folder_is_told_by_eval_and_bench(home: Home) -> None:
    before = load(f"folder:{home.shapes}")
    write_shapes(home.shapes, 100, 20)
    after = load(f"folder:{home.shapes}")
    told = (
        f"training {len(before.training)} images then, {len(after.training)} now, "
        f"validation {len(before.validation)} images then, {len(after.validation)} now, "
        f"test {len(before.test)} images then, {len(after.test)} now"
    )

    done = evaluated(home)
    assert done.exit_code == 0
    assert done.stderr == (
        f"note: folder:shapes is not what {home.file} was trained and measured on: {told}\n"
    )
    args = ("--dataset", f"folder:{home.shapes}", "--duration", 0, "--batch", 1)
    assert told in invoke("bench", home.file, *args).stderr


def test_grown_folder_stops_export_and_resume(home: Home) -> None:
    saved = load_checkpoint(home.run)
    write_shapes(home.shapes, 100, 20)

    message = rf"folder:shapes has changed since {home.run} was trained on it: training \d+ images"
    assert_fails(invoke("export", home.run, "--out", home.path / "new"), message)
    assert not (home.path / "new").exists()
    longer = replace(saved.recipe, epochs=2)
    save_checkpoint(home.run, replace(saved, recipe=longer, result=None))
    (home.run / RESULT).unlink()
    done = invoke("train", "--resume", "--out", home.run, "--device", "cpu")
    assert_fails(done, message + ".* or train again without --resume$")
    assert load_checkpoint(home.run).epochs_done == 1


def test_files_from_before_there_were_fingerprints_are_told(home: Home) -> None:
    saved = load_checkpoint(home.run)
    save_checkpoint(home.run, replace(saved, fingerprint=None))
    done = invoke("export", home.run, "--out", home.path / "old")
    assert done.exit_code == 0, done.stderr
    assert done.stderr.startswith(f"note: {home.run} does not say which pictures it was trained on")
    assert done.stderr.count("\n") == 1
    file = home.path / "old" / home.file.name

    done = invoke("eval", file, "--dataset", f"folder:{home.shapes}")

    assert done.exit_code == 0
    assert done.stderr == (
        f"note: {file} does not say which pictures it was trained on, as files of older versions: "
        "some of these test images may be among them\n"
    )


def test_renamed_class_stops_every_command(home: Home) -> None:
    (home.shapes / "disc").rename(home.shapes / "zdisc")
    shape = f"folder:{home.shapes}"
    both = "folder:shapes has the classes across, down, zdisc; .* tells across, disc, down apart"

    assert_fails(evaluated(home), both)
    assert_fails(invoke("bench", home.file, "--dataset", shape, "--duration", 0), both)
    assert_fails(invoke("export", home.run, "--out", home.path / "new"), both)
    taught = ("--teacher", home.run, "--model", "edge-xs", "--epochs", 1, "--grey", "--size", 28)
    assert_fails(invoke("train", "--dataset", shape, *taught, "--out", home.path / "new"), both)
    save_checkpoint(home.run, replace(load_checkpoint(home.run), result=None))
    assert_fails(invoke("train", "--resume", "--out", home.run, "--device", "cpu"), both)


def test_data_says_what_was_found(home: Home) -> None:
    (home.shapes / "disc" / "notes.txt").write_text("none")

    done = invoke("data", f"folder:{home.shapes}")

    assert (done.exit_code, done.stderr) == (0, "")
    table, words = done.stdout.split("\n\n")[1:]
    assert table.splitlines()[0].split() == ["class", "train", "validation", "test"]
    assert words.splitlines()[-1] == "1 file passed over: 1 .txt"
    found = json.loads(invoke("data", f"folder:{home.shapes}", "--json").stdout)
    assert sum(map(sum, (found[name] for name in ("train", "validation", "test")))) == 48
    assert found["findings"]["passed_over"]["files"] == {".txt": 1}
    assert found["findings"]["coloured"] == 48


def test_folder_without_its_prefix_is_recognised(home: Home) -> None:
    assert_fails(
        invoke("data", home.shapes),
        f"'{home.shapes}' is a folder: name it as folder:{home.shapes}$",
        code=2,
    )


def test_card_tells_how_to_prepare_a_picture(home: Home) -> None:
    card = home.file.with_suffix(".md").read_text()

    assert "raw grey pixels, 0 = black, 255 = white" in card
    assert "48 of its pictures were coloured" in card
    assert "0.299 red + 0.587 green + 0.114 blue" in card
    assert "no preprocessing" not in card
    assert "light ink" not in card.split("## Limitations")[1]
