"""Files and checkpoints of version 0.1 named the fields of a recipe in another way."""

import json
from pathlib import Path
from typing import Any

import pytest

from mnist_edge.classifier import read_card
from mnist_edge.model_file.older_names import rename_fields

SHIPPED = sorted((Path(__file__).parent.parent.parent / "exported").glob("*.onnx"))
OLD: dict[str, Any] = {
    "rough": {
        "share": 0.4,
        "warp": {"rotation_deg": 20.0, "scale": 0.2, "shear": 0.0, "shift": 0.0, "elastic_px": 0.0},
        "wear": {"often": 0.2, "thinner": 0.1, "fatter": 0.7, "gaps": 0.3, "specks": 0.4}
        | {"coarse": 0.5, "hard": 2.0, "faint": 0.6, "noise": 0.1},
    },
    "drawn_share": 0.1,
    "nondigit_share": 0.05,
}


def test_a_recipe_of_old_has_the_names_of_today() -> None:
    recipes = pytest.importorskip("mnist_edge.lab.training.recipe", exc_type=ImportError)
    from mnist_edge.lab.training.augment import Augmentation
    from mnist_edge.lab.training.corruptions import Corruptions

    corruptions = Corruptions(0.2, 0.1, 0.7, 0.0, 0.3, 0.4, 0.5, 2.0, 0.0, 0.6, 0.1)
    new = recipes.Recipe(
        strong_augmentation=recipes.StrongAugmentation(
            0.4, Augmentation(20.0, 0.2, 0.0, 0.0, 0.0), corruptions
        ),
        synthetic_share=0.1,
        outlier_share=0.05,
    )
    renamed = {"strong_augmentation", "synthetic_share", "outlier_share"}
    rest = {key: value for key, value in new.as_dict().items() if key not in renamed}
    assert recipes.Recipe.from_dict(rest | OLD) == new
    assert rename_fields(new.as_dict()) == new.as_dict()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_recipe_of_a_shipped_file_is_one_of_today(path: Path) -> None:
    recipes = pytest.importorskip("mnist_edge.lab.training.recipe", exc_type=ImportError)
    values = read_card(path).trained["recipe"]
    assert values["strong_augmentation"]["corruptions"]["dilate"] == 1.0
    recipe = recipes.Recipe.from_dict(values)
    assert recipe.synthetic_share == 0.12
    told = json.loads(json.dumps(recipe.as_dict()))
    assert told == told | values


@pytest.mark.parametrize(
    ("value", "renamed"),
    [
        (None, None),
        (3, 3),
        ("rough", "rough"),
        ({}, {}),
        ({"rough": 3}, {"strong_augmentation": 3}),
        ({"rough": {"wear": [1]}}, {"strong_augmentation": {"corruptions": [1]}}),
    ],
)
def test_what_is_no_recipe_keeps_its_values(value: Any, renamed: Any) -> None:
    assert rename_fields(value) == renamed


def test_of_an_old_and_a_new_name_neither_is_dropped() -> None:
    both = {"drawn_share": 0.1, "synthetic_share": 0.2}
    assert rename_fields(both) == both
