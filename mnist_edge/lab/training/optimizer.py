"""The optimizers that a recipe can name, and their state in a checkpoint."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mnist_edge.lab.training.recipe import Recipe

_MOMENTUM = 0.9  # of SGD (He et al. 2015)
_STEP = "step"
_STATE_NAMES = {
    "adamw": {_STEP, "exp_avg", "exp_avg_sq"},
    "adam": {_STEP, "exp_avg", "exp_avg_sq"},
    "rmsprop": {_STEP, "square_avg"},
    "sgd": {"momentum_buffer"},
}
"""What each keeps of a parameter: the number of steps, and numbers in the parameter's shape."""


def build_optimizer(
    network: nn.Module, recipe: Recipe, capturable: bool = False
) -> torch.optim.Optimizer:
    """The recipe's optimizer; batch norms and biases, which have one dimension, are not decayed.

    `capturable`: its step can be recorded in a CUDA graph. Adam and AdamW alone can.
    """
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=_MOMENTUM)
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=recipe.lr)
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=recipe.lr, fused=True, capturable=capturable)


def portable_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """An optimizer's state as any device can go on with it: no tensor among its settings."""
    state = optimizer.state_dict()
    groups = [
        {**group, "lr": float(group["lr"])}
        | ({"capturable": False} if "capturable" in group else {})
        for group in state["param_groups"]
    ]
    return {**state, "param_groups": groups}


def restore_state(made: torch.optim.Optimizer, saved: Mapping[str, Any], recipe: Recipe) -> None:
    """Go on with the state that a checkpoint holds; the settings are the recipe's own.

    ValueError when it is not the state of these parameters.
    """
    parameters = [p for group in made.param_groups for p in group["params"]]
    states = saved.get("state", {})
    if states.keys() != set(range(len(parameters))) or not all(
        _fits_parameter(states[number], parameter, _STATE_NAMES[recipe.optimizer])
        for number, parameter in enumerate(parameters)
    ):
        raise ValueError(f"this is no state of {recipe.optimizer} for these parameters")
    made.load_state_dict({"state": states, "param_groups": made.state_dict()["param_groups"]})


def _fits_parameter(state: Mapping[str, Any], parameter: Tensor, names: set[str]) -> bool:
    shapes = {name: () if name == _STEP else parameter.shape for name in names}
    return set(state) == names and all(
        isinstance(state[name], Tensor)
        and state[name].shape == shape
        and state[name].is_floating_point()
        for name, shape in shapes.items()
    )
