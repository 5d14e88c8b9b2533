"""The exponential moving average of the weights, which is what is evaluated and shipped."""

import itertools

import torch
from torch import Tensor, nn

TensorPairs = tuple[list[Tensor], list[Tensor]]


def tensor_pairs(average: nn.Module, network: nn.Module) -> TensorPairs:
    """The float tensors of both, batch norm's running statistics too, side by side."""

    def tensors(module: nn.Module) -> list[Tensor]:
        every = itertools.chain(module.parameters(), module.buffers())
        return [tensor for tensor in every if tensor.is_floating_point()]

    return tensors(average), tensors(network)


def update_weight(step: int, decay: float) -> float:
    """How much of the new weights goes into the average after `step` (from 0).

    The ramp lets the average of a young or short run forget its first weights in time.
    """
    return 1 - min(decay, (1 + step) / (10 + step))


@torch.no_grad()
def update(both: TensorPairs, weight: Tensor | float) -> None:
    """Move the average by `weight`, 0..1, towards the network."""
    average, network = both
    if isinstance(weight, float):
        torch._foreach_lerp_(average, network, weight)
        return
    change = torch._foreach_sub(network, average)  # lerp takes no tensor as the weight of all
    torch._foreach_mul_(change, weight)
    torch._foreach_add_(average, change)
