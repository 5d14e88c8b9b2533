import json
import math
import re
from dataclasses import replace
from typing import Any

import pytest
import torch

from mnist_edge.errors import EdgeError
from mnist_edge.image_kind import ImageKind
from mnist_edge.lab.training.augment import Augmentation
from mnist_edge.lab.training.corruptions import Corruptions
from mnist_edge.lab.training.models import ZOO
from mnist_edge.lab.training.recipe import Recipe, StrongAugmentation
from mnist_edge.lab.training.recipes import RECIPES, recipe_for

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("epochs", [0, -1]),
        ("batch_size", [1, 0, -8]),
        ("lr", [0, -1e-3, NAN, INF]),
        ("weight_decay", [-0.1, NAN, INF]),
        ("label_smoothing", [-0.1, 1, NAN]),
        ("ema_decay", [-0.1, 1, NAN]),
        ("warmup", [0, 1, NAN]),
        ("seed", [-1, 2**31]),
        ("class_weights", [(1.0, 0.0), (NAN,), (INF, 1.0)]),
        ("synthetic_share", [-0.1, 0.6, NAN]),
        ("outlier_share", [-0.1, 0.5, NAN]),
    ],
)
def test_a_wrong_field_is_named_with_its_value(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(EdgeError, match=re.escape(f"recipe: {name} cannot be {value}")):
            Recipe(**{name: value})


@pytest.mark.parametrize(("steps", "warmup"), [(200, 0.2), (37, 0.5), (1000, 0.01)])
def test_learning_rate_is_pytorchs_linear_rise_and_cosine_fall(steps: int, warmup: float) -> None:
    recipe = Recipe(lr=2e-3, warmup=warmup)
    rise = round(steps * warmup)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=2e-3)
    schedulers = torch.optim.lr_scheduler
    schedule = schedulers.SequentialLR(
        optimizer,
        [
            schedulers.LinearLR(optimizer, 1 / rise, 1.0, total_iters=rise - 1),
            schedulers.CosineAnnealingLR(optimizer, steps - rise),
        ],
        milestones=[rise],
    )
    for step in range(steps):
        expected = optimizer.param_groups[0]["lr"]
        assert recipe.learning_rate(step, steps) == pytest.approx(expected, rel=1e-6, abs=1e-9)
        optimizer.step()
        schedule.step()


def test_learning_rate_rises_to_its_peak_once_and_falls_to_almost_nothing() -> None:
    recipe = Recipe(lr=1e-3, warmup=0.3)
    rates = [recipe.learning_rate(step, 100) for step in range(100)]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(1e-3)
    assert peak == 29
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] < 1e-3 / 100


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_learning_rate_of_the_shortest_runs_is_defined(steps: int) -> None:
    rates = [Recipe(warmup=0.9).learning_rate(step, steps) for step in range(steps)]
    assert all(0 < rate < 1.000001 * Recipe().lr for rate in rates)


def test_a_small_set_gets_at_least_600_steps() -> None:
    for images in (10, 100, 1244, 5000):
        recipe = Recipe(epochs=20, batch_size=128).with_enough_epochs(images)
        assert recipe.epochs * max(1, images // 128) >= 600
        assert recipe.epochs >= 20


def test_a_large_set_keeps_its_epochs() -> None:
    assert Recipe(epochs=20).with_enough_epochs(55_000) == Recipe(epochs=20)


def test_dict_round_trip_survives_json_with_strong_augmentation() -> None:
    strong = StrongAugmentation(0.4, Augmentation(20, 0.2), Corruptions(0.2, dilate=0.7, noise=0.1))
    recipe = Recipe(strong_augmentation=strong, synthetic_share=0.1, outlier_share=0.05)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe


def test_a_recipe_of_photographs_survives_json_and_one_of_digits_says_nothing_of_them() -> None:
    recipe = replace(recipe_for("edge", "fashion-mnist"), class_weights=(0.5, 2.0))
    assert recipe.photograph_augmentation is not None
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe
    later = {"photograph_augmentation", "class_weights"}
    assert later <= recipe.as_dict().keys()
    assert not later & recipe_for("edge").as_dict().keys()


@pytest.mark.parametrize("model", [*ZOO, "8k5s2v-16s2"])
def test_every_model_has_a_recipe_for_photographs(model: str) -> None:
    recipe = recipe_for(model, "folder:things", ImageKind.PHOTOGRAPHS)
    assert (recipe.model, recipe.kind) == (model, ImageKind.PHOTOGRAPHS)
    assert not recipe.augmentation.moves
    assert recipe_for(model, "folder:things", ImageKind.GLYPHS).kind is ImageKind.GLYPHS


def test_what_an_older_recipe_did_not_know_is_off() -> None:
    values = Recipe().as_dict()
    for later in ("strong_augmentation", "synthetic_share", "outlier_share"):
        del values[later]
    old = Recipe.from_dict(values)
    assert old == Recipe()
    assert old.strong_augmentation is None
    assert old.synthetic_share == old.outlier_share == 0


@pytest.mark.parametrize(
    "strong", [{}, {"share": 0.5}, {"share": 0.5, "transform": {}, "ink": {}}, 3]
)
def test_a_foreign_strong_augmentation_is_refused(strong: object) -> None:
    with pytest.raises(EdgeError, match="not of this version"):
        Recipe.from_dict(Recipe().as_dict() | {"strong_augmentation": strong})


@pytest.mark.parametrize("share", [-0.1, 1.1, NAN])
def test_a_wrong_share_of_strong_augmentation_is_named(share: float) -> None:
    with pytest.raises(EdgeError, match=f"share of strong augmentation cannot be {share}"):
        StrongAugmentation(share)


def test_only_digits_in_mnists_form_are_digits() -> None:
    of_digits = {"mnist", "qmnist", "digits"}
    for name in (*of_digits, "kmnist", "fashion-mnist", "folder:digits"):
        assert Recipe(dataset=name).of_digits == (name in of_digits)


def test_dict_round_trip_survives_json() -> None:
    recipe = Recipe("resnet20", shortcut="zero", lr=0.00123, augmentation=Augmentation(shear=0.3))
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe


@pytest.mark.parametrize(
    "change", [{"momentum": 0.9}, {"augmentation": {"blur": 1}}, {"augmentation": None}]
)
def test_a_foreign_dict_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(EdgeError, match="not of this version"):
        Recipe.from_dict(Recipe().as_dict() | change)
    values = Recipe().as_dict()
    del values["augmentation"]
    with pytest.raises(EdgeError, match="not of this version"):
        Recipe.from_dict(values)


def test_every_model_of_the_zoo_has_a_recipe_of_its_own_name() -> None:
    assert list(RECIPES) == list(ZOO)
    assert all(recipe.model == name for name, recipe in RECIPES.items())


def test_recipe_for_takes_the_data_set() -> None:
    assert recipe_for("edge-xs", "digits").dataset == "digits"
    assert recipe_for("edge-xs", "digits").lr == RECIPES["edge-xs"].lr


@pytest.mark.parametrize("dataset", ["fashion-mnist", "kmnist", "folder:letters"])
def test_recipe_for_other_things_says_nothing_of_digits(dataset: str) -> None:
    recipe = recipe_for("edge", dataset)
    assert recipe.strong_augmentation is None
    assert recipe.synthetic_share == recipe.outlier_share == 0
    assert (
        recipe_for("edge", "qmnist").strong_augmentation
        == RECIPES["edge"].strong_augmentation
        is not None
    )


def test_recipe_for_an_unknown_model_lists_them() -> None:
    with pytest.raises(EdgeError, match="no model 'lenet': choose one of edge, edge-xs"):
        recipe_for("lenet")
