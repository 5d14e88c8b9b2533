"""Training runs in their folders: planned, begun, gone on with, measured, found, set aside."""

import itertools
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mnist_edge.datasets import Dataset, Outliers, Split, compute_fingerprint
from mnist_edge.errors import CheckpointError, UsageError
from mnist_edge.image_kind import ImageKind
from mnist_edge.lab.training import runs
from mnist_edge.lab.training.checkpoint import CHECKPOINT, load_checkpoint
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.recipe import Recipe, RecipeError
from mnist_edge.lab.training.recipes import RecipeRequest, recipe_for
from mnist_edge.lab.training.resume_checks import check_resumable
from mnist_edge.lab.training.runs import (
    complete,
    plan_run,
    prepare_run,
    resolve_recipe,
    train,
)
from mnist_edge.metrics import softmax
from tests.lab.conftest import CPU, inputs

SHORT = Recipe("edge-xs", "digits", epochs=4, batch_size=32)
ONE = replace(SHORT, epochs=1)


@pytest.fixture
def few(digits: Dataset) -> tuple[Split, Split]:
    return digits.training[slice(0, 170)], digits.validation[slice(0, 50)]


@pytest.fixture
def own(digits: Dataset) -> Dataset:
    """A few of the digits, as a set that nobody published a SHA-256 of."""
    data = Dataset("own", digits.classes, digits.train[slice(0, 200)], digits.test, "here")
    return replace(data, fingerprint=compute_fingerprint(data))


def written(run: Path, content: bytes) -> Path:
    run.mkdir(parents=True)
    (run / CHECKPOINT).write_bytes(content)
    return run


def test_a_recipe_is_the_models_own_with_what_is_asked_for() -> None:
    asked = {"model": "edge-xs", "dataset": "digits", "epochs": 3, "lr": 0.1}
    own = recipe_for("edge-xs", "digits")
    assert resolve_recipe(RecipeRequest(asked), None) == replace(own, epochs=3, lr=0.1)
    assert resolve_recipe(RecipeRequest(), None) == recipe_for("edge", "mnist")
    with pytest.raises(RecipeError) as caught:
        resolve_recipe(RecipeRequest({"lr": -1.0}), None)
    assert (caught.value.field, caught.value.value) == ("lr", -1.0)
    with pytest.raises(UsageError):
        resolve_recipe(RecipeRequest({"shortcut": "zero"}), None)


def test_a_run_is_planned_trained_and_measured(own: Dataset, tmp_path: Path) -> None:
    run = prepare_run(plan_run(tmp_path, ONE), own)
    assert run.has_epochs_left
    assert [result.epoch for result in complete(run, CPU)] == [1]
    saved = load_checkpoint(tmp_path)
    assert saved.fingerprint == own.fingerprint
    assert saved.result is not None
    assert saved.result["total"] == len(own.test)
    again = plan_run(tmp_path, resolve_recipe(RecipeRequest(), saved), saved)
    assert again.is_finished
    assert again.recipe == ONE


def test_a_run_that_is_trained_is_only_measured(own: Dataset, tmp_path: Path) -> None:
    run = prepare_run(plan_run(tmp_path, ONE), own)
    for _ in train(run.inputs, run.folder, CPU):
        pass
    saved = load_checkpoint(tmp_path)
    left = prepare_run(plan_run(tmp_path, ONE, saved), own)
    assert not plan_run(tmp_path, ONE, saved).is_finished
    assert not left.has_epochs_left
    assert left.saved_threads == saved.trained["threads"]
    assert list(complete(left, CPU)) == []
    done = load_checkpoint(tmp_path)
    assert done.result is not None
    torch.testing.assert_close(done.average, saved.average, atol=0, rtol=0)


def test_one_who_does_not_lead_measures_nothing(own: Dataset, tmp_path: Path) -> None:
    follower = ProcessGroup(1, 1, torch.device("cpu"))
    run = prepare_run(plan_run(tmp_path / "run", ONE), own)
    assert [result.epoch for result in complete(run, follower)] == [1]
    assert not (tmp_path / "run").exists()


def test_a_small_set_has_more_epochs_where_nobody_asked_for_a_number(
    own: Dataset, tmp_path: Path
) -> None:
    asked = prepare_run(plan_run(tmp_path, ONE), own).inputs.recipe
    assert asked == ONE
    fields = {"model": ONE.model, "dataset": ONE.dataset}
    for request in (RecipeRequest(fields), RecipeRequest(fields | {"epochs": 1})):
        recipe = request.resolve()
        planned = plan_run(tmp_path, recipe, request=request)
        sized = prepare_run(planned, own).inputs.recipe
        is_free = "epochs" not in request.fields
        assert sized == (recipe.with_enough_epochs(len(own.training)) if is_free else recipe)
        assert (sized.epochs > recipe.epochs) == is_free


def colored(own: Dataset) -> Dataset:
    """The same pictures, of three channels, as a folder has them."""

    def split(of: Split) -> Split:
        return Split(np.repeat(of.images[..., None], 3, axis=3), of.labels)

    return replace(own, name="folder:own", train=split(own.train), test=split(own.test))


FOLDER = {"model": ONE.model, "dataset": "folder:/own", "epochs": 1}


def test_the_data_choose_the_kind_where_nobody_does(own: Dataset, tmp_path: Path) -> None:
    data = {
        ImageKind.PHOTOGRAPHS: colored(own),
        ImageKind.GLYPHS: replace(own, name="folder:own"),
    }
    for found, given in data.items():
        for asked in (None, *ImageKind):
            request = RecipeRequest(FOLDER, kind=asked)
            planned = plan_run(tmp_path, resolve_recipe(request, None), request=request)
            recipe = prepare_run(planned, given).inputs.recipe
            assert recipe.kind == (asked or found)
            assert recipe.dataset == "folder:/own"
            photographs = recipe.photograph_augmentation
            assert photographs is None or (photographs.saturation > 0) == given.shape.is_color


@pytest.mark.parametrize("flip", [None, False, True])
def test_flips_are_as_asked_for_and_not_of_glyphs(
    own: Dataset, tmp_path: Path, flip: bool | None
) -> None:
    request = RecipeRequest(FOLDER, flip=flip)
    planned = plan_run(tmp_path, resolve_recipe(request, None), request=request)
    photographs = prepare_run(planned, colored(own)).inputs.recipe.photograph_augmentation
    assert photographs is not None
    assert photographs.flip == (flip is not False)
    glyphs = replace(own, name="folder:own")
    if flip:
        with pytest.raises(UsageError, match="--flip is for photographs"):
            prepare_run(planned, glyphs)
    else:
        assert prepare_run(planned, glyphs).inputs.recipe.photograph_augmentation is None


@pytest.mark.parametrize("dataset", ["mnist", "digits"])
def test_digits_are_no_photographs(dataset: str) -> None:
    for wrong in ({"kind": ImageKind.PHOTOGRAPHS}, {"flip": True}):
        with pytest.raises(UsageError):
            RecipeRequest({"dataset": dataset}, **wrong).resolve()


@pytest.mark.parametrize(
    ("rare", "balance", "weighted"),
    [(30, None, False), (8, None, True), (8, False, False), (30, True, True)],
)
def test_losses_are_weighted_where_classes_differ_by_three_or_as_asked(
    own: Dataset, tmp_path: Path, rare: int, balance: bool | None, weighted: bool
) -> None:
    labels = np.repeat(np.arange(10), 30).astype(np.int64)[: 270 + rare]
    train_split = Split(np.zeros((len(labels), 28, 28), np.uint8), labels)
    data = replace(own, name="folder:own", train=train_split, held_out=np.arange(len(labels)) == 0)
    request = RecipeRequest(FOLDER, balance=balance)
    planned = plan_run(tmp_path, resolve_recipe(request, None), request=request)
    weights = prepare_run(planned, data).inputs.recipe.class_weights
    assert bool(weights) == weighted
    if rare == 8 and weighted:
        assert max(weights) == weights[9] > 3 * min(weights)


def test_a_weighted_run_goes_on_to_the_same_bits(own: Dataset, tmp_path: Path) -> None:
    request = RecipeRequest(FOLDER | {"epochs": 2}, balance=True)
    data = replace(own, train=own.train[(own.train.labels != 3) | (np.arange(200) % 9 == 0)])
    data = replace(data, fingerprint=compute_fingerprint(data))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        planned = plan_run(folder, resolve_recipe(request, None), request=request)
        run = prepare_run(planned, data)
        assert len(set(run.inputs.recipe.class_weights)) > 1
        stop_after = None if folder is whole else 1
        for _ in itertools.islice(train(run.inputs, folder, CPU), stop_after):
            pass
    saved = load_checkpoint(parts)
    again = plan_run(parts, resolve_recipe(RecipeRequest(), saved), saved, request=RecipeRequest())
    for _ in train(prepare_run(again, data).inputs, parts, CPU, resume=saved):
        pass
    ends = [load_checkpoint(folder).network for folder in (whole, parts)]
    torch.testing.assert_close(*ends, atol=0, rtol=0)
    with pytest.raises(CheckpointError, match="with weights of its classes"):
        resolve_recipe(RecipeRequest(balance=False), saved)


def test_a_run_goes_on_as_the_kind_that_it_was_begun_with(own: Dataset, tmp_path: Path) -> None:
    request = RecipeRequest(FOLDER | {"epochs": 2}, flip=False)
    planned = plan_run(tmp_path, resolve_recipe(request, None), request=request)
    run = prepare_run(planned, colored(own))
    next(train(run.inputs, tmp_path, CPU))
    saved = load_checkpoint(tmp_path)
    assert saved.recipe == run.inputs.recipe
    for same in (RecipeRequest(), RecipeRequest(kind=ImageKind.PHOTOGRAPHS, flip=False)):
        plan = plan_run(tmp_path, resolve_recipe(same, saved), saved, request=same)
        assert prepare_run(plan, colored(own)).inputs.recipe == saved.recipe
    for other in (RecipeRequest(kind=ImageKind.GLYPHS), RecipeRequest(flip=True)):
        with pytest.raises(CheckpointError):
            plan_run(tmp_path, resolve_recipe(other, saved), saved, request=other)


def test_a_set_that_has_changed_is_refused(own: Dataset, tmp_path: Path) -> None:
    next(train(prepare_run(plan_run(tmp_path, SHORT), own).inputs, tmp_path, CPU))
    saved = load_checkpoint(tmp_path)
    goes_on = plan_run(tmp_path, SHORT, saved)
    assert prepare_run(goes_on, own).inputs.fingerprint == saved.fingerprint
    less = replace(own, train=own.train[slice(0, 150)])
    with pytest.raises(CheckpointError, match=r"own has changed since .* was trained on it: "):
        prepare_run(goes_on, replace(less, fingerprint=compute_fingerprint(less)))


@pytest.mark.parametrize(
    ("name", "value"), [("epochs", 9), ("model", "edge"), ("lr", 0.5), ("seed", 3)]
)
def test_another_recipe_cannot_be_resumed(
    few: tuple[Split, Split], tmp_path: Path, name: str, value: Any
) -> None:
    next(train(inputs(SHORT, few), tmp_path, CPU))
    saved = load_checkpoint(tmp_path)
    check_resumable(saved, SHORT, tmp_path)
    before = getattr(SHORT, name)
    with pytest.raises(CheckpointError, match=f"trained with {name} {before}, not {value}"):
        check_resumable(saved, replace(SHORT, **{name: value}), tmp_path)


def test_finish_records_its_result_once_and_for_all(
    few: tuple[Split, Split], tmp_path: Path, digits: Dataset
) -> None:
    for _ in train(inputs(ONE, few), tmp_path, CPU):
        pass
    saved = load_checkpoint(tmp_path)
    assert saved.result is None
    finished = runs.finish(tmp_path, saved, digits.test)
    assert load_checkpoint(tmp_path).result == finished.result
    torch.testing.assert_close(load_checkpoint(tmp_path).average, saved.average, atol=0, rtol=0)


def test_newest_is_the_one_written_last(tmp_path: Path) -> None:
    for age, name in enumerate(["b", "a", "c"]):
        run = written(tmp_path / name, b"")
        os.utime(run / CHECKPOINT, (1000 - age, 1000 - age))
    (tmp_path / "empty").mkdir()
    assert runs.newest_run(tmp_path) == tmp_path / "b"


def test_newest_without_any_run_says_how_to_train_one(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"no run in .*: train one first with 'mnist-edge tr"):
        runs.newest_run(tmp_path)


def test_set_aside_counts_up_and_loses_nothing(tmp_path: Path) -> None:
    for number in range(1, 4):
        run = written(tmp_path / "edge", bytes([number]))
        assert runs.set_aside(run) == tmp_path / f"edge-{number}"
        assert not run.exists()
    kept = [(tmp_path / f"edge-{number}" / CHECKPOINT).read_bytes() for number in range(1, 4)]
    assert kept == [b"\1", b"\2", b"\3"]


def test_set_aside_leaves_a_folder_without_a_run_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert runs.set_aside(tmp_path) is None
    assert runs.set_aside(tmp_path / "nowhere") is None
    assert (tmp_path / "notes.txt").exists()


@pytest.mark.parametrize("run", [".", "..", "../edge"])
def test_set_aside_does_not_move_the_ground_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str
) -> None:
    here = written(tmp_path / "edge", b"1")
    if run == "..":
        here = here / "inside"
        here.mkdir()
    monkeypatch.chdir(here)
    with pytest.raises(CheckpointError, match="is where you are: choose another --out"):
        runs.set_aside(Path(run))


def test_set_aside_says_when_it_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    run = written(tmp_path / "edge", b"1")
    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(CheckpointError, match=r"cannot rename .*: Permission denied. Choose"):
        runs.set_aside(run)


def test_images_of_no_class_are_trained_towards_equal_probabilities(
    own: Dataset, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (120, 28, 28), dtype=np.uint8)
    data = replace(own, outliers=Outliers(noise[:60], noise[60:80], noise[80:]))
    recipe = replace(SHORT, epochs=30, outlier_share=0.0, synthetic_share=0.0)
    tops: list[float] = []
    for given in (own, data):
        folder = tmp_path / str(len(tops))
        run = prepare_run(plan_run(folder, recipe), given)
        for _ in train(run.inputs, folder, CPU):
            pass
        network = load_checkpoint(folder).trained_network()
        tops.append(float(softmax(network.predict_logits(noise[80:])).max(axis=1).mean()))
    assert tops[1] < 0.2 < tops[0]


@pytest.mark.parametrize("before", [True, False])
def test_a_run_goes_on_with_the_images_of_no_class_that_it_began_with(
    own: Dataset, tmp_path: Path, before: bool
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (9, 28, 28), np.uint8)
    assert own.fingerprint is not None
    digest = compute_fingerprint(own).test
    given = replace(
        own,
        outliers=Outliers(noise[:3], noise[3:6], noise[6:]),
        fingerprint=replace(own.fingerprint, outliers=digest),
    )
    begun, other = (given, own) if before else (own, given)
    run = prepare_run(plan_run(tmp_path, ONE), begun)
    next(train(run.inputs, tmp_path, CPU))
    plan = plan_run(tmp_path, ONE, load_checkpoint(tmp_path))
    prepare_run(plan, begun)
    with pytest.raises(CheckpointError, match="of no class"):
        prepare_run(plan, other)
