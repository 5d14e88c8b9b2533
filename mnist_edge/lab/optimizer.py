"""The optimizers that a recipe can name."""

from typing import Any

import torch
from torch import nn

from mnist_edge.lab.recipe import Recipe

_MOMENTUM = 0.9  # of SGD (He et al. 2015)


def optimizer(
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


def state_of(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """An optimizer's state as any device can go on with it: no tensor among its settings."""
    state = optimizer.state_dict()
    groups = [
        {**group, "lr": float(group["lr"])}
        | ({"capturable": False} if "capturable" in group else {})
        for group in state["param_groups"]
    ]
    return {**state, "param_groups": groups}


def restore(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load a state of `state_of`, and keep what this optimizer was made with for its device.

    Raises ValueError for a state of other parameters.
    """
    own = [group.get("capturable") for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, capturable in zip(optimizer.param_groups, own, strict=True):
        if capturable is not None:
            group["capturable"] = capturable
