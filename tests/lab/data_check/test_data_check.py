"""What a check of a data set finds: its parts on data of known truth, the whole on a small set."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mnist_edge.datasets import load
from mnist_edge.datasets.duplicates import Duplicate
from mnist_edge.image_kind import ImageKind
from mnist_edge.lab.data_check import CheckPlan, label_errors, out_of_fold
from mnist_edge.lab.data_check.label_errors import find_label_errors
from mnist_edge.lab.data_check.learning_curve import learning_curve, nested_shares
from mnist_edge.lab.data_check.out_of_fold import folds_of
from tests.helpers.cli import assert_fails, invoke

CLASSES = 4


def balanced(per_class: int) -> NDArray[np.int64]:
    return np.repeat(np.arange(CLASSES), per_class)


def test_folds_are_stratified_and_drawn_by_seed() -> None:
    labels = balanced(13)
    folds = folds_of(labels, 5, seed=3)
    for label in range(CLASSES):
        counts = np.bincount(folds[labels == label], minlength=5)
        assert set(counts.tolist()) == {2, 3}
    assert np.array_equal(folds, folds_of(labels, 5, seed=3))
    assert not np.array_equal(folds, folds_of(labels, 5, seed=4))


def test_copies_are_in_one_fold() -> None:
    copies = [Duplicate(at, at + 26, 1.0) for at in range(20)] + [Duplicate(26, 40, 0.99)]
    folds = folds_of(balanced(13), 5, seed=0, copies=copies)
    assert all(folds[pair.first] == folds[pair.second] for pair in copies)


def test_networks_are_trained_as_the_kind_of_images_needs() -> None:
    glyphs, photographs = (
        CheckPlan(dataset="folder:x", kind=kind).recipe(1000) for kind in ImageKind
    )
    assert (glyphs.kind, photographs.kind) == tuple(ImageKind)
    assert glyphs.augmentation.moves
    assert photographs.photograph_augmentation is not None
    assert photographs.photograph_augmentation.shift > 0
    assert glyphs.epochs == photographs.epochs > 8


def test_a_larger_share_holds_the_smaller_and_every_class() -> None:
    labels = np.concatenate([balanced(20), [3]])
    quarter, half, whole = (nested_shares(labels, share, seed=1) for share in (0.25, 0.5, 1.0))
    assert set(quarter) < set(half) < set(whole) == set(range(len(labels)))
    assert np.bincount(labels[quarter]).tolist() == [5, 5, 5, 6]
    assert np.bincount(labels[nested_shares(labels, 0.001, seed=1)]).tolist() == [1, 1, 1, 1]


def test_labels_that_were_changed_are_doubted_first() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, CLASSES, 2000)
    logits = random.normal(0, 1, (2000, CLASSES))
    logits[np.arange(2000), truth] += 7
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    changed = random.choice(2000, 60, replace=False)
    labels = truth.copy()
    labels[changed] = (truth[changed] + 1) % CLASSES
    errors = find_label_errors(labels, probabilities.astype(np.float32))
    first = {error.position for error in errors[:60]}
    assert len(first & set(changed.tolist())) >= 57
    assert 45 <= len(errors) <= 90
    own = [error.label_probability for error in errors]
    assert own == sorted(own)
    for error in errors[:40]:
        assert error.suggestion == truth[error.position] != error.label
        assert error.suggestion_probability > error.label_probability


def answers(labels: NDArray[np.int64], wrong: int) -> NDArray[np.int64]:
    given = labels.copy()
    given[:wrong] = (given[:wrong] + 1) % CLASSES
    return given


def test_errors_that_halve_with_each_doubling_are_expected_to_halve_again() -> None:
    labels = balanced(1000)
    given = [answers(labels, wrong) for wrong in (400, 200, 100)]
    curve = learning_curve(labels, given, [250, 500, 1000])
    assert curve.still_rises
    assert curve.at_twice == pytest.approx(1 - 50 / 4000)


@pytest.mark.parametrize(
    ("wrong", "rises", "known"),
    [((103, 101, 100), False, True), ((100, 100, 100), False, False), ((9, 4, 0), False, False)],
)
def test_a_flat_curve_promises_nothing(
    wrong: tuple[int, int, int], rises: bool, known: bool
) -> None:
    labels = balanced(1000)
    curve = learning_curve(labels, [answers(labels, one) for one in wrong], [250, 500, 1000])
    assert curve.still_rises is rises
    assert (curve.at_twice is not None) is known


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """30 pictures of each of three digits; a copy of a training picture in the test, one 1 among
    the 0s, a blank one, a tiny and a long one."""
    digits = load("digits").train
    for label in (0, 1, 7):
        place = tmp_path / "three" / "train" / str(label)
        place.mkdir(parents=True)
        for at, image in enumerate(digits.images[digits.labels == label][:30]):
            Image.fromarray(image).save(place / f"{at:02}.png")
    (tmp_path / "three" / "train" / "1" / "29.png").rename(
        tmp_path / "three" / "train" / "0" / "wrong.png"
    )
    for label in (0, 1, 7):
        place = tmp_path / "three" / "test" / str(label)
        place.mkdir(parents=True)
        for at, image in enumerate(digits.images[digits.labels == label][30:40]):
            Image.fromarray(image).save(place / f"{at:02}.png")
    copy = Image.open(tmp_path / "three" / "train" / "7" / "03.png")
    copy.convert("RGB").save(tmp_path / "three" / "test" / "7" / "copy.jpg", quality=80)
    Image.new("L", (28, 28), 200).save(tmp_path / "three" / "train" / "7" / "blank.png")
    first = Image.fromarray(digits.images[digits.labels == 1][50])
    first.resize((9, 9)).save(tmp_path / "three" / "train" / "1" / "tiny.png")
    first.resize((28, 90)).save(tmp_path / "three" / "test" / "1" / "long.png")
    return tmp_path / "three"


def test_a_folder_with_known_faults(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out_of_fold, "_LEAST_STEPS", 16)
    sheet = tmp_path / "sheet.png"
    result = invoke("data", f"folder:{folder}", "--check", "--sheet", sheet, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)["check"]
    assert found["pictures"] == 124
    pairs = {(pair["first"], pair["second"]) for pair in found["duplicates"]}
    assert ("train/7/03.png", "test/7/copy.jpg") in pairs
    assert found["blank"] == ["train/7/blank.png"]
    assert [one["picture"] for one in found["sizes"]["tiny"]] == ["train/1/tiny.png"]
    assert [one["picture"] for one in found["sizes"]["odd"]] == ["test/1/long.png"]
    assert "train/0/wrong.png" in [error["picture"] for error in found["label_errors"][:3]]
    assert [point["images"] for point in found["learning_curve"]["points"]][-1] in (99, 100)
    assert Image.open(sheet).size > (100, 100)


def test_without_cleanlab_nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_errors, "find_spec", lambda name: None)
    assert_fails(invoke("data", "digits", "--check"), r"pip install 'mnist-edge\[check\]'")


def test_a_sheet_without_a_check_is_refused(tmp_path: Path) -> None:
    assert_fails(invoke("data", "digits", "--sheet", tmp_path / "a.png"), "add --check", code=2)
