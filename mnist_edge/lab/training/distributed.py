"""The processes that train together: one alone, or several under torchrun."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

from mnist_edge.errors import EdgeError, UsageError


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """This process's place among `size` processes, and the device that it computes on."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Rank 0 alone writes and shows."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait until every process has come here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def process_group(device: str) -> Iterator[ProcessGroup]:
    """The group that torchrun's environment describes, or one process alone.

    device: "auto", "cuda", "mps" or "cpu"; across processes nccl connects CUDA devices, and gloo
    CPUs. Raises EdgeError when the device is not there.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = _device(device)
    if size == 1:
        yield ProcessGroup(0, 1, chosen)
        return
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    rank = dist.get_rank()
    try:
        yield ProcessGroup(rank, size, chosen)
    except RuntimeError as error:
        if rank == 0 or not _lost(error):
            raise
        raise EdgeError(f"process {rank} ends, because another one did") from error
    finally:
        dist.destroy_process_group()


def _lost(error: RuntimeError) -> bool:
    """Whether a process could not be reached: gloo has no exception of its own for it."""
    return isinstance(error, dist.DistError) or "gloo" in str(error).lower()


def _device(name: str) -> torch.device:
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, available in there.items() if available))
    if name not in there:
        raise UsageError(f"there is no device '{name}': choose one of auto, {', '.join(there)}")
    if not there[name]:
        raise UsageError(f"PyTorch sees no {name} device here: use --device auto or cpu")
    return torch.device(name)


def training_environment(group: ProcessGroup, in_bf16: bool) -> dict[str, Any]:
    """What weights depend on beside the recipe and the data, for the checkpoint."""
    on_gpu = group.device.type == "cuda"
    name = torch.cuda.get_device_name(group.device) if on_gpu else platform.machine()
    return {
        "device": f"{group.device.type} ({name})",
        "processes": group.size,
        "threads": torch.get_num_threads(),
        "precision": "bf16" if in_bf16 else "fp32",
        "torch": str(torch.__version__),
    }
