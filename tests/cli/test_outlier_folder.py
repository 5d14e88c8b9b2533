"""`--none DIR` from `train` to `eval`: kept by the run, counted by the file, missed when gone."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_edge.classifier import read_card
from mnist_edge.datasets import load
from mnist_edge.lab.export import pipeline
from mnist_edge.lab.training.checkpoint import load_checkpoint, save_checkpoint
from tests.helpers.cli import assert_fails, invoke
from tests.helpers.exports import to_onnx_once
from tests.lab.conftest import make_run

RUN, FILE = Path("runs/edge-xs"), Path("exported/edge-xs.onnx")
TRAIN = ("train", "--dataset", "digits")


def write_junk(folder: Path, count: int) -> Path:
    """Pictures of noise, none like another."""
    folder.mkdir(exist_ok=True)
    for at in range(count):
        noise = np.random.default_rng(at).integers(0, 256, (28, 28), np.uint8)
        Image.fromarray(noise).save(folder / f"{at}.png")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as `--none junk` leaves it, but for its training, and its file."""
    home = tmp_path_factory.mktemp("home").resolve()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setattr(pipeline, "to_onnx", to_onnx_once)
        data = load("digits", outliers=write_junk(home / "junk", 40))
        saved = load_checkpoint(make_run(RUN, data, "edge-xs"))
        recipe = replace(saved.recipe, outlier_folder=str(home / "junk"))
        save_checkpoint(RUN, replace(saved, recipe=recipe, fingerprint=data.fingerprint))
        done = invoke("export", RUN)
        assert done.exit_code == 0, done.stderr
        assert data.outliers is not None
        assert f" of {len(data.outliers.test)} test images of no class (" in done.stdout
        assert "note:" not in done.stderr
    return home


@pytest.fixture(autouse=True)
def here(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of all but the junk, which the run finds where it was."""
    for name in ("runs", "exported"):
        shutil.copytree(home / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline, "to_onnx", to_onnx_once)


def test_train_mixes_them_in_and_keeps_the_way(tmp_path: Path) -> None:
    write_junk(Path("junk"), 40)
    tiny = ("--model", "4k5s2v-4s2", "--device", "cpu", "--epochs", 1, "--out", "runs/tiny")
    done = invoke(*TRAIN, *tiny, "--none", "junk")
    assert done.exit_code == 0, done.stderr
    own = load("digits", outliers=Path("junk"))
    assert own.outliers is not None
    counts = [len(getattr(own.outliers, name)) for name in ("training", "validation", "test")]
    assert min(counts) > 0
    train, validation, test = counts
    assert (
        f"40 pictures of no class: {train} to train on, {validation} for validation, {test} for "
        "the test\n"
    ) in done.stderr
    assert f"{train} training images of no class are mixed in" in done.stderr
    saved = load_checkpoint(Path("runs/tiny"))
    assert saved.recipe.outlier_folder == str(tmp_path.resolve() / "junk")
    assert saved.fingerprint == own.fingerprint


def test_a_file_has_the_folders_name_alone(home: Path) -> None:
    saved, card = load_checkpoint(RUN), read_card(FILE)
    assert saved.fingerprint == card.fingerprint
    assert card.fingerprint is not None
    assert card.fingerprint.outliers is not None
    assert card.fingerprint.outliers.images == 40
    assert card.trained["recipe"]["outlier_folder"] == "junk"
    text = FILE.with_suffix(".md").read_text()
    assert "those of junk: every class equally probable" in text
    assert str(home) not in text
    assert str(home).encode() not in FILE.read_bytes()


def test_eval_counts_what_export_counted(home: Path) -> None:
    card = read_card(FILE)
    assert card.rejection is not None
    done = invoke("eval", FILE, "--none", home / "junk", "--json")
    assert done.stderr == ""
    assert json.loads(done.stdout)["rejection"] == asdict(card.rejection)
    done = invoke("eval", FILE, "--json")
    assert json.loads(done.stdout)["rejection"] is None
    assert "the 40 pictures of no class of" in done.stderr
    assert "--none DIR" in done.stderr
    write_junk(Path("junk"), 41)
    done = invoke("eval", FILE, "--none", "junk", "--json")
    assert done.exit_code == 0, done.stderr


def test_what_is_gone_stops_a_training_and_no_export(home: Path) -> None:
    (home / "junk").rename(home / "moved")
    try:
        save_checkpoint(RUN, replace(load_checkpoint(RUN), result=None))
        unfinished = invoke("train", "--resume", "--out", RUN)
        shutil.copytree(home / "runs", "runs", dirs_exist_ok=True)
        exported = invoke("export", RUN, "--out", "again")
    finally:
        (home / "moved").rename(home / "junk")
    assert_fails(unfinished, "there is no folder .*junk: name one with pictures of no class")
    assert exported.exit_code == 0, exported.stderr
    assert exported.stderr.count("note: the 40 pictures of no class of ") == 1
    card, before = read_card(Path("again") / FILE.name), read_card(FILE)
    assert (card.rejection, card.fingerprint) == (None, before.fingerprint)
    told = Path("again", FILE.with_suffix(".md").name).read_text()
    assert "Some of its training images were no digits" in told
    assert "It was never shown anything else" not in told


def test_another_folder_is_an_error(home: Path) -> None:
    write_junk(Path("others"), 3)
    resume = ("train", "--resume", "--out", RUN)
    assert_fails(invoke(*resume, "--none", "others"), "outlier_folder .*junk, not .*others")
    assert_fails(invoke(*TRAIN, "--none", "nowhere"), "there is no folder .*nowhere")
    more = home / "junk" / "more.png"
    shutil.copy("others/1.png", more)
    try:
        changed = invoke("export", RUN)
    finally:
        more.unlink()
    assert_fails(changed, "of no class 40 images then, 41 now")
    assert load_checkpoint(RUN).result is not None
