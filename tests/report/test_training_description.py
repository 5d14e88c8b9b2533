from typing import Any

import pytest

from mnist_edge.report import training_description

RECIPE: dict[str, Any] = {
    "model": "edge",
    "dataset": "mnist",
    "epochs": 40,
    "batch_size": 1,
    "lr": 0.004,
    "weight_decay": 0.05,
    "warmup": 0.2,
    "seed": 7,
    "shortcut": None,
    "augmentation": {
        "rotation_deg": 12.0,
        "scale": 0.1,
        "shear": 0.12,
        "shift": 0.0,
        "elastic_px": 0.6,
    },
    "strong_augmentation": {
        "share": 0.5,
        "transform": {"rotation_deg": 18.0, "scale": 0.18},
        "corruptions": {"probability": 0.3, "erode": 0.8, "blur": 0.0, "dropout": 1.2},
    },
    "synthetic_share": 0.12,
    "outlier_share": 0.0,
    "schedule": "one-cycle",
    "distillation": None,
}


def told(recipe: dict[str, Any], **others: Any) -> dict[str, str]:
    rows = training_description.training_rows({"recipe": recipe, **others})
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def test_a_recipe_is_told_in_words_and_what_was_not_done_is_left_out() -> None:
    assert told(RECIPE, seed=1234, device="cpu (x86_64)", threads=2, torch="2.15.0") == {
        "epochs": "40",
        "batch": "1 image",
        "peak learning rate": "0.004",
        "schedule": "one cycle, falling to 0 along a cosine",
        "warm-up": "over the first 20 % of all steps",
        "weight decay": "0.05",
        "augmentation": "rotation ±12°, scale ±10 %, shear ±0.12, elastic 0.6 px",
        "strong augmentation": "50 % of each batch: rotation ±18°, scale ±18 %",
        "corruptions, with strong augmentation": (
            "each with probability 0.3: erode 0.8, dropout 1.2"
        ),
        "synthetic digits": "12 % of all training images",
        "PyTorch": "2.15.0",
        "seed": "1234",
        "device": "cpu (x86_64)",
        "threads": "2",
    }


def test_a_recipe_of_others_is_told_too() -> None:
    assert told(
        {"optimizer": "rmsprop", "schedule": "constant", "warmup": 0.2, "ema_decay": 0}
    ) == {
        "optimizer": "RMSprop",
        "schedule": "constant",
    }
    assert told(
        {"optimizer": "lion", "schedule": "one-cycle", "warmup": 0.2, "images": 10_000}
    ) == {
        "training images": "10,000",
        "optimizer": "lion",
        "schedule": "one cycle, falling to 0 along a cosine",
        "warm-up": "over the first 20 % of all steps",
    }


@pytest.mark.parametrize(
    ("views", "copies", "models", "whose"),
    [
        (1, "1 augmented view", [], "its teachers"),
        (16, "16 augmented views", ["resnet3", "edge"], "resnet3 and edge"),
    ],
)
def test_a_distillation_names_its_teachers(
    views: int, copies: str, models: list[str], whose: str
) -> None:
    plan = {"teachers": ["a" * 64, "b" * 64], "models": models}
    plan |= {"views": views, "share": 0.7, "temperature": 2.0}  # type: ignore[dict-item]
    assert told({"distillation": plan}) == {
        "distillation": f"70 % of the loss is against the probabilities of {whose} at temperature "
        f"2, on {copies} of each image",
        "SHA-256 of the teachers": f"{'a' * 64}, {'b' * 64}",
    }


def test_a_fine_tuned_network_says_what_it_started_from() -> None:
    origin = {"name": "edge.onnx", "sha256": "a" * 64, "dataset": "mnist"}
    assert told({"pretrained": origin, "epochs": 4}) == {
        "fine-tuned from": f"edge.onnx, trained on mnist (SHA-256 {'a' * 64})",
        "epochs": "4",
    }


def test_what_a_later_version_did_is_told_by_its_own_name() -> None:
    later = {
        "teacher": {"model": "resnet3", "weight": 0.7, "files": ["a", "b"], "inner": {"x_px": 2}},
        "step_size": 3,
        "took_s": 125.0,
        "amsgrad": True,
        "nothing": {},
        "none": [None],
    }
    assert told(later) == {
        "teacher": "model resnet3, weight 0.7, files a, b, inner (x 2 px)",
        "step size": "3",
        "took": "2:05 min",
        "amsgrad": "yes",
    }


@pytest.mark.parametrize("value", ["much", None, [], {}, [1, 2], {"a": 1}, True, 3])
@pytest.mark.parametrize("key", sorted(RECIPE))
def test_a_value_that_is_not_as_we_write_it_is_told_too(key: str, value: Any) -> None:
    rows = training_description.training_rows({"recipe": RECIPE | {key: value}})
    assert all(name and text and "{" not in text for name, text in rows)


@pytest.mark.parametrize("values", [{}, {"recipe": None}, {"recipe": 3}, {"seed": 0}])
def test_without_a_recipe_the_rest_is_told(values: dict[str, Any]) -> None:
    rows = training_description.training_rows(values)
    assert [name for name, _ in rows] == [key for key in values if values[key] is not None]


def test_every_shipped_recipe_is_words() -> None:
    recipes = pytest.importorskip("mnist_edge.lab.training.recipes", exc_type=ImportError).RECIPES
    for recipe in recipes.values():
        for name, text in training_description.training_rows(
            {"recipe": recipe.as_dict(), "seed": recipe.seed}
        ):
            assert not set("{}_") & set(name + text), (name, text)
            assert "None" not in text


def test_a_quantization_is_told_in_words() -> None:
    values = {
        "method": "minmax",
        "images": 512,
        "seed": 0,
        "weight_bits": 7,
        "keep_float": ["Conv_0", "Gemm_9"],
        "finetune": {"epochs": 3, "lr": 1e-4},
    }
    assert dict(training_description.quantization_rows(values)) == {
        "calibration": "minmax",
        "calibrated on": "512 training images",
        "seed": "0",
        "weights": "7 bits, per channel",
        "layers left in float": "Conv_0, Gemm_9",
        "quantization-aware fine-tuning": "epochs 3, lr 0.0001",
    }
    assert training_description.quantization_rows({}) == []
