"""What the fields of a checkpoint may be: one place for types, ranges and how they fit together.

A checkpoint may come from anywhere. What leaves here is plain values and tensors, which fit the
network that the recipe names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mnist_edge.dataset_names import fit_of_version_1
from mnist_edge.errors import CheckpointError
from mnist_edge.fingerprint import Fingerprint
from mnist_edge.image_shape import MNIST_SHAPE, Fit, ImageShape
from mnist_edge.lab.training.dataclass_schema import (
    SchemaError,
    build_dataclass,
    check_value,
    is_plain,
)
from mnist_edge.lab.training.events import EpochResult
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.torch_file import StoredTensor, TorchFile

_MIN_CLASSES, _MAX_CLASSES = 2, 10_000
_MAX_IMAGES = 10**9
_MAX_ENVIRONMENT = 100
_MAX_PARAMETERS, _MAX_SETTINGS = 10_000, 100  # of an optimizer, and of each of these


@dataclass(frozen=True, slots=True)
class _Result:
    split: str
    correct: int
    total: int
    class_correct: tuple[int, ...] = ()
    class_total: tuple[int, ...] = ()


def read_fields(file: TorchFile) -> dict[str, Any]:
    """The fields of a checkpoint, without its format. EdgeError where one is wrong."""
    values = file.values
    recipe = Recipe.from_dict(values["recipe"])
    classes = _classes(values["classes"])
    _check(
        len(recipe.class_weights) in (0, len(classes)), "recipe.class_weights are not its classes'"
    )
    epochs_done = check_value(int, values["epochs_done"], "epochs_done")
    _check(1 <= epochs_done <= recipe.epochs, "epochs_done is no epoch of the recipe")
    network, average = (_weights(values[name], file, name) for name in ("network", "average"))
    shape = _shape(values.get("shape"))
    _check_weights(recipe, classes, shape, network, average)
    return {
        "recipe": recipe,
        "classes": classes,
        "epochs_done": epochs_done,
        "history": _history(values["history"], epochs_done),
        "network": network,
        "average": average,
        "optimizer": _optimizer(values["optimizer"], file),
        "trained": _environment(values["trained"]),
        "result": _result(values["result"], len(classes)),
        "fingerprint": _fingerprint(values.get("fingerprint")),
        "shape": shape,
        "fit": _fit(values.get("fit"), recipe),
    }


def _check(right: bool, wrong: str) -> None:
    if not right:
        raise SchemaError(wrong)


def _classes(values: Any) -> tuple[str, ...]:
    names: tuple[str, ...] = check_value(tuple[str, ...], values, "classes")
    _check(_MIN_CLASSES <= len(names) <= _MAX_CLASSES, "classes are too few or too many")
    _check(all(names) and len(set(names)) == len(names), "classes have no name, or one name twice")
    return names


def _history(values: Any, epochs_done: int) -> list[dict[str, Any]]:
    _check(
        isinstance(values, list) and len(values) == epochs_done, "history has not every epoch once"
    )
    return [_epoch(value, number) for number, value in enumerate(values, start=1)]


def _epoch(values: Any, number: int) -> dict[str, Any]:
    """An epoch's result as it is written: EpochResult, and its accuracy."""
    name = f"history[{number - 1}]"
    _check(isinstance(values, dict), f"{name} is no dict")
    own = {key: value for key, value in values.items() if key != "validation_accuracy"}
    # The first runs did not know it yet.
    result = build_dataclass(EpochResult, {"training_accuracy": 0.0} | own, name)
    _check(result.epoch == number, f"{name}.epoch is not {number}")
    _check_count(result.validation_correct, result.validation_total, f"{name}.validation_correct")
    _check(0 <= (result.test_correct or 0) <= _MAX_IMAGES, f"{name}.test_correct is none")
    _check(result.duration_s >= 0, f"{name}.duration_s is negative")
    return dict(own) | {"validation_accuracy": result.validation_accuracy}


def _result(values: Any, classes: int) -> dict[str, Any] | None:
    """Older runs do not know it by class."""
    if values is None:
        return None
    result = build_dataclass(_Result, values, "result")
    _check_count(result.correct, result.total, "result.correct")
    whole = {"split": result.split, "correct": result.correct, "total": result.total}
    correct, total = result.class_correct, result.class_total
    if not correct and not total:
        return whole
    right = len(correct) == len(total) == classes and all(
        0 <= one <= of for one, of in zip(correct, total, strict=True)
    )
    right = right and (sum(correct), sum(total)) == (result.correct, result.total)
    _check(right, "result by class is no part of its total")
    return whole | {"class_correct": list(correct), "class_total": list(total)}


def _fingerprint(values: Any) -> Fingerprint | None:
    """None in runs from before there were any."""
    if values is None:
        return None
    try:
        return Fingerprint.from_dict(values)
    except (ValueError, KeyError, TypeError) as error:
        raise SchemaError("fingerprint is none") from error


def _shape(values: Any) -> ImageShape:
    """MNIST's in runs from before there were others."""
    if values is None:
        return MNIST_SHAPE
    _check(isinstance(values, dict), "shape is no dict")
    try:
        return ImageShape(**values)
    except (ValueError, TypeError) as error:
        raise SchemaError("shape is none of an image") from error


def _fit(value: Any, recipe: Recipe) -> Fit:
    if value is None:
        return fit_of_version_1(recipe.dataset)
    try:
        return Fit(check_value(str, value, "fit"))
    except ValueError as error:
        raise SchemaError("fit is none that is known") from error


def _check_count(correct: int, total: int, name: str) -> None:
    _check(0 <= correct <= total <= _MAX_IMAGES and total > 0, f"{name} is no part of its total")


def _environment(values: Any) -> dict[str, Any]:
    """Plain values by their names: a card holds them as JSON."""
    _check(isinstance(values, dict) and len(values) <= _MAX_ENVIRONMENT, "trained is no short dict")
    for name, value in values.items():
        _check(isinstance(name, str) and is_plain(name), "trained has a name that is no text")
        _check(is_plain(value), "trained has a value that JSON does not know")
    threads = values.get("threads", 1)
    _check(type(threads) is int and threads > 0, "trained.threads is no number of threads")
    return dict(values)


def _weights(values: Any, file: TorchFile, name: str) -> dict[str, Tensor]:
    _check(isinstance(values, dict), f"{name} is no dict")
    _check(
        all(isinstance(key, str) and isinstance(one, StoredTensor) for key, one in values.items()),
        f"{name} holds what is no tensor",
    )
    _check(len(set(values.values())) == len(values), f"{name} has one tensor under two names")
    return {key: file.tensor(stored) for key, stored in values.items()}


def _check_weights(
    recipe: Recipe,
    classes: tuple[str, ...],
    shape: ImageShape,
    *weights: Mapping[str, Tensor],
) -> None:
    """CheckpointError for weights of another network; before that is built, which takes memory."""
    with torch.device("meta"):
        network = build(recipe.model, len(classes), recipe.shortcut, shape)
        wanted = _shapes(network.state_dict())
    if any(_shapes(found) != wanted for found in weights):
        raise CheckpointError(
            f"the weights are not those of a '{recipe.model}' of this version: train it again"
        )


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in weights.items()}


def _optimizer(values: Any, file: TorchFile) -> dict[str, Any]:
    """The state of each parameter, and the settings of their groups; {} for a run that ended.

    Whether the state fits the parameters, `optimizer.restore` finds out.
    """
    _check(isinstance(values, dict), "optimizer is no dict")
    if not values:
        return {}
    _check(set(values) == {"state", "param_groups"}, "optimizer has not its two parts")
    states = _dicts(values["state"], "optimizer.state")
    groups = values["param_groups"]
    _check(isinstance(groups, list), "optimizer.param_groups is no list")
    numbered = _dicts(dict(enumerate(groups)), "optimizer.param_groups")
    return {
        "state": {
            number: {name: _state(one, file) for name, one in state.items()}
            for number, state in states.items()
        },
        "param_groups": [
            {name: _setting(one) for name, one in group.items()} for group in numbered.values()
        ],
    }


def _dicts(values: Any, name: str) -> dict[Any, dict[Any, Any]]:
    """A dict of dicts, each of which may be there many times: their numbers are bounded."""
    right = isinstance(values, dict) and len(values) <= _MAX_PARAMETERS
    right = right and all(
        isinstance(one, dict) and len(one) <= _MAX_SETTINGS for one in values.values()
    )
    _check(right, f"{name} has not what an optimizer has")
    return dict(values)


def _state(value: Any, file: TorchFile) -> Any:
    if isinstance(value, StoredTensor):
        return file.tensor(value)
    _check(is_plain(value), "optimizer.state holds what is no tensor")
    return value


def _setting(value: Any) -> Any:
    parts = value if isinstance(value, list | tuple) else [value]
    right = len(parts) <= _MAX_PARAMETERS and all(map(is_plain, parts))
    _check(right, "optimizer.param_groups holds what is no setting")
    return value
