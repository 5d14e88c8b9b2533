"""How the kernels of a training step are launched on a GPU, and the network that does it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mnist_edge.errors import EdgeError
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.models import Network

_COMPILE_FROM_STEPS = 4000  # compiling costs about as long as some thousand steps


@dataclass(frozen=True, slots=True)
class Acceleration:
    """`compiled`: torch.compile fuses the network's kernels. `graphed`: the whole step is replayed
    as one CUDA graph. Neither: kernels are launched one by one."""

    compiled: bool = False
    graphed: bool = False


AUTO = "auto"
ACCELERATIONS = {
    "eager": Acceleration(),
    "compile": Acceleration(compiled=True),
    "cuda-graph": Acceleration(graphed=True),
    "compile+cuda-graph": Acceleration(compiled=True, graphed=True),
}


def choose_acceleration(name: str, group: ProcessGroup, steps: int) -> Acceleration:
    """What a name, or "auto", means for a run of so many steps. EdgeError for an unknown name.

    Several processes exchange gradients between the kernels, and so launch them one by one.
    """
    if name != AUTO and name not in ACCELERATIONS:
        raise EdgeError(f"acceleration is one of {', '.join((AUTO, *ACCELERATIONS))}, not {name}")
    if group.size > 1:
        return Acceleration()
    if name != AUTO:
        return ACCELERATIONS[name]
    return Acceleration(compiled=group.device.type == "cuda" and steps >= _COMPILE_FROM_STEPS)


def training_forward(
    network: Network, group: ProcessGroup, acceleration: Acceleration
) -> Callable[..., Any]:
    """A network as it is called in the training loop."""
    if group.size > 1:
        devices = [group.device.index] if group.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(network, device_ids=devices)
    return torch.compile(network) if acceleration.compiled else network
