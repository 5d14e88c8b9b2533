"""How the kernels of a training step are launched on a GPU, and the network that does it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from mnist_edge.errors import EdgeError
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.models import Network

ACCELERATIONS = ("auto", "eager", "compile", "cuda-graph", "compile+cuda-graph")
"""One by one; the network's fused by torch.compile; the whole step replayed as one CUDA graph; or
both."""

_COMPILE_FROM_STEPS = 4000  # compiling costs about as long as some thousand steps


def chosen(acceleration: str, group: ProcessGroup, steps: int) -> str:
    """What "auto" means for a run of so many steps. EdgeError for an unknown name.

    Several processes exchange gradients between the kernels, and so launch them one by one.
    """
    if acceleration not in ACCELERATIONS:
        raise EdgeError(f"acceleration is one of {', '.join(ACCELERATIONS)}, not {acceleration}")
    if group.size > 1:
        return "eager"
    if acceleration != "auto":
        return acceleration
    return "compile" if group.device.type == "cuda" and steps >= _COMPILE_FROM_STEPS else "eager"


def is_graphed(acceleration: str) -> bool:
    """Whether the step is to be a CUDA graph."""
    return acceleration.endswith("cuda-graph")


def forward_of(network: Network, group: ProcessGroup, acceleration: str) -> Callable[..., Any]:
    """A network as it is called in the training loop."""
    if group.size > 1:
        devices = [group.device.index] if group.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(network, device_ids=devices)
    return torch.compile(network) if acceleration.startswith("compile") else network
