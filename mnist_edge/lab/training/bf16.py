"""Training in bfloat16 where the hardware multiplies it faster than float32: CUDA, and CPUs with
AVX-512-BF16 or AMX.

Weights, batch norms' statistics, loss and optimizer stay in float32 (autocast: Micikevicius et al.
2018, arXiv 1710.03740; bfloat16 needs no loss scaling: Kalamkar et al. 2019, arXiv 1905.12322).
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from mnist_edge.host.machine import has_flag
from mnist_edge.lab.training.layer_summary import cost
from mnist_edge.lab.training.models import Network

_CPU_FLAGS = ("avx512_bf16", "amx_bf16")
_MIN_MACS = 5_000_000  # multiply-adds for an image


def should_use(network: Network, device: torch.device) -> bool:
    """Whether a network is to be trained in bfloat16 on a device.

    Below some 5 million multiply-adds an image, a CPU spends its time elsewhere: `edge` gains a
    tenth, resnet3 and resnet20 a factor of 2 (benchmarks/bf16_training.py).
    """
    if device.type == "cuda":
        return True
    fast = device.type == "cpu" and any(map(has_flag, _CPU_FLAGS))
    return fast and cost(network).macs > _MIN_MACS


def memory_format(network: Network, device: torch.device, in_bf16: bool) -> torch.memory_format:
    """The memory layout in which a network is fastest.

    Measured in training, on CPUs with 2 cores: in float32, channels_last gives 1.2 to 1.4 times
    the images/s for the networks below a million parameters, and 0.6 times for resnet3; in
    bfloat16, more for all.
    """
    narrow = sum(p.numel() for p in network.parameters()) < 1_000_000
    it_pays = in_bf16 or (device.type == "cpu" and narrow)
    return torch.channels_last if it_pays else torch.contiguous_format


def logits_function(network: Network, device: torch.device) -> Callable[[Tensor], Tensor]:
    """What computes a network's logits on a device as fast as it can: uint8 images to float32
    (N, C). The network stays as it is."""
    copied = copy.deepcopy(network).to(device).eval()
    in_bf16 = should_use(network, device)
    copied.to(memory_format=memory_format(copied, device, in_bf16))

    @torch.inference_mode()
    def answer(images: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=in_bf16):
            logits: Tensor = copied(images)
        return logits.float()

    return answer
