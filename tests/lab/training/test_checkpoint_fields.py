"""A checkpoint whose archive is whole, and one of whose values is not what a run would write."""

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_edge.datasets import Dataset
from mnist_edge.errors import EdgeError
from mnist_edge.lab.training.checkpoint import CHECKPOINT, load_checkpoint
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.optimizer import build_optimizer
from mnist_edge.lab.training.recipe import OPTIMIZERS, Recipe
from tests.lab.conftest import make_run

TENSOR = torch.zeros(2)
ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)
LAUGHS: Any = [0]
for _ in range(60):  # 2**60 values, were anybody to walk through them
    LAUGHS = [LAUGHS, LAUGHS]

# The field, as a path, and what stands there.
WRONG: list[tuple[str, Any]] = [
    ("format", 2),
    ("format", None),
    ("result", {}),
    ("result", [1, 2]),
    ("result", "well"),
    ("result", {"split": "test", "correct": 1, "total": 2, "class_correct": [1]}),
    ("result", {"split": "test", "correct": 1, "total": 1, "class_total": [1] + [0] * 9}),
    (
        "result",
        {
            "split": "test",
            "correct": 1,
            "total": 2,
            "class_correct": [2] + [0] * 9,
            "class_total": [1, 1] + [0] * 8,
        },
    ),
    ("result.correct", -1),
    ("result.correct", "all"),
    ("result.correct", math.nan),
    ("result.correct", 10**6),
    ("result.total", 0),
    ("result.total", True),
    ("result.split", TENSOR),
    ("result.best", 1),
    ("history", None),
    ("history", "x"),
    ("history", {}),
    ("history", []),
    ("history", ENDLESS),
    ("history", LAUGHS),
    ("history.0", None),
    ("history.0.validation_total", 0),
    ("history.0.validation_correct", 3),
    ("history.0.loss", "low"),
    ("history.0.loss", math.inf),
    ("history.0.loss", None),
    ("history.0.epoch", 2),
    ("history.0.duration_s", -1.0),
    ("history.0.images_per_s", ENDLESS),
    ("history.0.more", 1),
    ("trained", None),
    ("trained", TENSOR),
    ("trained", "cpu"),
    ("trained.device", ENDLESS),
    ("trained.device", "x" * 10_000),
    ("trained.threads", 0),
    ("trained.threads", "2"),
    ("trained.loss", math.nan),
    ("epochs_done", "x"),
    ("epochs_done", 0),
    ("epochs_done", 2),
    ("epochs_done", True),
    ("epochs_done", 1.0),
    ("recipe", None),
    ("recipe", {}),
    ("recipe.dataset", 5),
    ("recipe.dataset", "x" * 10_000),
    ("recipe.epochs", 1.5),
    ("recipe.epochs", 10**6),
    ("recipe.seed", TENSOR),
    ("recipe.seed", -1),
    ("recipe.lr", None),
    ("recipe.lr", math.nan),
    ("recipe.model", ["edge"]),
    ("recipe.model", "1-" * 500 + "1"),
    ("recipe.shortcut", 1),
    ("recipe.augmentation", None),
    ("recipe.augmentation.shear", "far"),
    ("recipe.strong_augmentation", {"share": 0.5}),
    ("recipe.distillation", {"teachers": 5}),
    ("recipe.distillation", {"teachers": ["a"], "views": 10**9}),
    ("classes", None),
    ("classes", list(range(10))),
    ("classes", ["a"] * 10),
    ("classes", ["0"]),
    ("classes", LAUGHS),
    ("average", [1]),
    ("average", None),
    ("average", {}),
    ("average.temperature", None),
    ("average.temperature", torch.ones(2)),
    ("average.temperature", torch.ones((), dtype=torch.int64)),
    ("average.1", torch.ones(())),
    ("network", {}),
    ("network", LAUGHS),
    ("optimizer", None),
    ("optimizer", {"state": 5}),
    ("optimizer", {"state": 5, "param_groups": []}),
    ("optimizer", {"state": {}, "param_groups": 5}),
    ("optimizer", {"state": {0: LAUGHS}, "param_groups": []}),
    ("optimizer", {"state": {}, "param_groups": [{"params": LAUGHS}] * 9}),
    ("optimizer", {"state": {}, "param_groups": [{}] * 20_000}),
]


@pytest.fixture(scope="module")
def values(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run = make_run(tmp_path_factory.mktemp("runs") / "edge-xs", digits)
    loaded: dict[str, Any] = torch.load(run / CHECKPOINT, weights_only=True)
    return loaded


def written(run: Path, values: Any) -> Path:
    run.mkdir(parents=True, exist_ok=True)
    torch.save(values, run / CHECKPOINT)
    return run


def changed(values: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(values)
    *way, last = (int(part) if part == "0" else part for part in path.split("."))
    inner: Any = changed
    for part in way:
        inner = inner[part]
    inner[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"), WRONG, ids=[f"{at}-{p}" for at, (p, _) in enumerate(WRONG)]
)
def test_a_wrong_value_is_one_line(
    values: dict[str, Any], tmp_path: Path, path: str, value: Any
) -> None:
    run = written(tmp_path, changed(values, path, value))
    started = time.process_time()
    with pytest.raises(EdgeError) as raised:
        load_checkpoint(run)
    said = str(raised.value)
    assert "\n" not in said
    assert len(said) < 300 + len(str(tmp_path)) + 5000 * path.endswith("model")
    assert time.process_time() - started < 5


@pytest.mark.parametrize("field", ["recipe", "classes", "network", "optimizer", "result"])
def test_a_missing_field_is_named(values: dict[str, Any], tmp_path: Path, field: str) -> None:
    left = {name: value for name, value in values.items() if name != field}
    with pytest.raises(EdgeError, match=f"has no {field}"):
        load_checkpoint(written(tmp_path, left))


def test_what_is_right_stays_as_it_is(values: dict[str, Any], tmp_path: Path) -> None:
    found = load_checkpoint(written(tmp_path, values))
    assert found.recipe.as_dict() == values["recipe"]
    for name in ("classes", "epochs_done", "history", "trained", "result"):
        assert getattr(found, name) == values[name]


def test_a_run_of_the_first_version_still_opens(values: dict[str, Any], tmp_path: Path) -> None:
    old = copy.deepcopy(values)
    for later in (
        "strong_augmentation",
        "synthetic_share",
        "outlier_share",
        "distillation",
        "optimizer",
    ):
        del old["recipe"][later]
    for later in ("training_accuracy", "test_correct"):
        del old["history"][0][later]
    assert load_checkpoint(written(tmp_path, old)).recipe == Recipe(**_own(values["recipe"]))


def _own(recipe: dict[str, Any]) -> dict[str, Any]:
    return {name: recipe[name] for name in ("model", "dataset", "epochs")}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("model", ["edge-xs", "resnet20"])
def test_every_optimizers_state_comes_back_bit_for_bit(
    values: dict[str, Any], tmp_path: Path, name: str, model: str
) -> None:
    recipe = Recipe(model, "digits", epochs=1, optimizer=name)
    network = build(model).to(memory_format=torch.channels_last)
    made = build_optimizer(network, recipe)
    network(torch.rand(8, 28, 28)).square().sum().backward()
    made.step()
    own = {"recipe": recipe.as_dict(), "network": network.state_dict()}
    own |= {"average": build(model).state_dict(), "optimizer": made.state_dict()}
    found = load_checkpoint(written(tmp_path, values | own))
    expected = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    for part in ("network", "average", "optimizer"):
        torch.testing.assert_close(
            getattr(found, part), dict(expected[part]), rtol=0, atol=0, check_stride=True
        )


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.clear(),
        lambda state: state.pop(0),
        lambda state: state.update({0: {}}),
        lambda state: state[0].pop("exp_avg"),
        lambda state: state[0].update(step=None),
        lambda state: state[0].update(step=torch.zeros(3)),
        lambda state: state[0].update(exp_avg=torch.zeros(3)),
        lambda state: state[0].update(exp_avg=state[0]["exp_avg"].long()),
        lambda state: state[0].update(more=torch.zeros(())),
        lambda state: state.update({"0": state.pop(0)}),
    ],
)
def test_a_state_of_other_parameters_is_refused(
    values: dict[str, Any], tmp_path: Path, change: Callable[[dict[Any, Any]], None]
) -> None:
    from mnist_edge.lab.training.optimizer import restore_state

    recipe, network = Recipe("edge-xs"), build("edge-xs")
    made = build_optimizer(network, recipe)
    network(torch.rand(8, 28, 28)).square().sum().backward()
    made.step()
    saved = copy.deepcopy(made.state_dict())
    restore_state(made, saved, recipe)
    change(saved["state"])
    with pytest.raises(ValueError, match="no state of adamw for these parameters"):
        restore_state(made, saved, recipe)
