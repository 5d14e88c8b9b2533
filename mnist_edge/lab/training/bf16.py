"""Training in bfloat16 where the hardware multiplies it many times as fast as float32: CUDA, and
CPUs with AMX.

Weights, batch norms' statistics, loss and optimizer stay in float32 (autocast: Micikevicius et al.
2018, arXiv 1710.03740; bfloat16 needs no loss scaling: Kalamkar et al. 2019, arXiv 1905.12322).
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_edge.host.machine import has_flag
from mnist_edge.lab.training.models import Network, cost

_AMX = "amx_bf16"
_LEAST = 5_000_000  # multiply-adds for an image
_WIDE = 64  # input channels from which products of matrices are the faster convolutions


def should_use(network: Network, device: torch.device) -> bool:
    """Whether a network is to be trained in bfloat16 on a device.

    Below some 5 million multiply-adds an image, a CPU spends its time elsewhere: `edge` gains
    nothing, resnet20 a factor of 2.
    """
    if device.type == "cuda":
        return True
    return device.type == "cpu" and has_flag(_AMX) and cost(network).macs > _LEAST


def layout(network: Network, device: torch.device, in_bf16: bool) -> torch.memory_format:
    """The memory layout in which a network is fastest.

    Measured in training, on CPUs with 2 cores: in float32, channels_last gives 1.2 to 1.4 times
    the images/s for the networks below a million parameters, and 0.6 times for resnet3; in
    bfloat16, more for all.
    """
    narrow = sum(p.numel() for p in network.parameters()) < 1_000_000
    it_pays = in_bf16 or (device.type == "cpu" and narrow)
    return torch.channels_last if it_pays else torch.contiguous_format


def answering(network: Network, device: torch.device) -> Callable[[Tensor], Tensor]:
    """A network, which stays as it is, as a function that answers on a device as fast as it can:
    uint8 (N, 28, 28) to logits, float32 (N, C)."""
    copied = copy.deepcopy(network).to(device).eval()
    in_bf16 = should_use(network, device)
    copied.to(memory_format=layout(copied, device, in_bf16))
    if in_bf16 and device.type == "cpu":
        use_im2col(copied)

    @torch.inference_mode()
    def answer(images: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=in_bf16):
            logits: Tensor = copied(images)
        return logits.float()

    return answer


def use_im2col(network: nn.Module) -> None:
    """Let a network's wide convolutions, on a CPU, run as products of matrices.

    oneDNN reaches 80 to 500 GFLOP/s in the gradients of 3×3 convolutions of 64 to 512 channels,
    where a product of matrices of the same size reaches 700 (2 cores, AMX): `resnet3` trains
    1.9 times as fast. Parameters keep their names.
    """
    for layer in network.modules():
        if type(layer) is nn.Conv2d and _fits(layer):
            layer.__class__ = _WideConv2d


def _fits(layer: nn.Conv2d) -> bool:
    alike = all(len(set(size)) == 1 for size in (layer.kernel_size, layer.stride))
    centred = layer.padding == tuple(kernel // 2 for kernel in layer.kernel_size)
    usual = layer.groups == 1 and set(layer.dilation) == {1} and layer.bias is None
    return alike and centred and usual and layer.in_channels >= _WIDE


class _WideConv2d(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        y: Tensor = _Convolution.apply(x.bfloat16(), self.weight.bfloat16(), self.stride[0])
        return y


class _Convolution(torch.autograd.Function):
    """A convolution of an odd kernel with its padding, as one product of matrices: each output
    pixel's window is a row (im2col), and so is, in the gradient, each input pixel's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        outputs, _, kernel, _ = weight.shape
        rows = _windows(x, kernel, stride)
        matrix = weight.permute(0, 2, 3, 1).reshape(outputs, -1)  # (O, k * k * I)
        ctx.save_for_backward(rows, matrix)
        ctx.layout = x.shape, kernel, stride
        side = (x.shape[2] - 1) // stride + 1
        return (rows @ matrix.T).view(len(x), side, -1, outputs).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, None]:
        rows, matrix = ctx.saved_tensors
        shape, kernel, stride = ctx.layout
        (gradient,) = gradients
        inputs, outputs = shape[1], len(matrix)
        upstream = gradient.permute(0, 2, 3, 1).reshape(-1, outputs)
        of_weight = (upstream.T @ rows).view(outputs, kernel, kernel, inputs).permute(0, 3, 1, 2)
        if not ctx.needs_input_grad[0]:
            return None, of_weight, None
        if stride == 1:  # a convolution again, with the kernel turned round
            turned = matrix.view(outputs, kernel, kernel, inputs).flip(1, 2)
            turned = turned.permute(1, 2, 0, 3).reshape(-1, inputs)
            of_x = (_windows(gradient, kernel, 1) @ turned).view(len(gradient), *shape[2:], inputs)
        else:
            of_x = _scattered(upstream @ matrix, gradient.shape, shape, kernel, stride)
        return of_x.permute(0, 3, 1, 2), of_weight, None


def _windows(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Every window of x (N, C, H, W) as a row: (N * H' * W', kernel * kernel * C)."""
    pixels, pad = x.permute(0, 2, 3, 1), kernel // 2
    if pad:
        pixels = F.pad(pixels, (0, 0, pad, pad, pad, pad))
    windows = pixels.unfold(1, kernel, stride).unfold(2, kernel, stride)  # (N, H', W', C, k, k)
    return windows.permute(0, 1, 2, 4, 5, 3).reshape(-1, kernel * kernel * x.shape[1])


def _scattered(
    rows: Tensor, upstream: torch.Size, shape: torch.Size, kernel: int, stride: int
) -> Tensor:
    """The inverse of `_windows`, adding what overlaps: (N, H, W, C), summed in float32."""
    count, _, high, wide = upstream
    _, channels, height, width = shape
    pad = kernel // 2
    windows = rows.view(count, high, wide, kernel, kernel, channels)
    total = rows.new_zeros(count, height + 2 * pad, width + 2 * pad, channels, dtype=torch.float32)
    for row in range(kernel):
        for column in range(kernel):
            places = total[
                :,
                row : row + stride * (high - 1) + 1 : stride,
                column : column + stride * (wide - 1) + 1 : stride,
            ]
            places += windows[:, :, :, row, column]
    return total[:, pad : pad + height, pad : pad + width].to(rows.dtype)
