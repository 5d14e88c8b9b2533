"""What the networks of the zoo are built of: convolutions with batch norm, and residual blocks."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


class ConvNorm(nn.Sequential):
    """A convolution without bias, and its batch norm. Padding, where none is given, keeps the size
    (over stride)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        stride: int = 1,
        padding: int | None = None,
    ) -> None:
        pad = kernel // 2 if padding is None else padding
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, pad, bias=False), nn.BatchNorm2d(outputs)
        )

    def fold(self) -> tuple[Tensor, Tensor]:
        """Weights (O, I, k, k) and bias (O,), float64, that compute the same in eval mode."""
        convolution, norm = self
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        return _fold_norm(convolution.weight.detach(), norm)


class FoldingBlock(nn.Module):
    """ReLU(3×3 + 1×1 + identity), each with its batch norm: residual while it learns.

    Ding et al. 2021, arXiv 2101.03697 (RepVGG). Between the branches and the ReLU there is nothing
    but a sum, so they are one convolution: `fold`, which the exported file runs. The identity is
    there where the shape stays.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.wide = ConvNorm(inputs, outputs, 3, stride)
        self.point = ConvNorm(inputs, outputs, 1, stride)
        same = inputs == outputs and stride == 1
        self.identity = nn.BatchNorm2d(inputs) if same else None

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs, H, W)
        y = self.wide(x) + self.point(x)  # (N, outputs, H / stride, W / stride)
        return F.relu(y if self.identity is None else y + self.identity(x))

    @torch.no_grad()
    def fold(self) -> nn.Sequential:
        """The 3×3 convolution, with bias, and ReLU that compute the same in eval mode."""
        weight, bias = self.wide.fold()
        others = [self.point.fold()]
        if self.identity is not None:
            eye = torch.eye(len(weight), dtype=weight.dtype, device=weight.device)[:, :, None, None]
            others.append(_fold_norm(eye, self.identity))
        for point, its_bias in others:
            weight[:, :, 1:2, 1:2] += point
            bias += its_bias
        outputs, inputs = weight.shape[:2]
        with torch.random.fork_rng(devices=[]):  # it draws weights, and a seed is to stay a seed
            one = nn.Conv2d(inputs, outputs, 3, self.stride, padding=1)
        one.to(weight.device)
        one.weight.copy_(weight)
        one.bias.copy_(bias)  # type: ignore[union-attr]
        return nn.Sequential(one, nn.ReLU())


def _fold_norm(weight: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """A convolution's weights (O, I, k, k) and bias (O,) with its batch norm in them, float64.

    In double precision, so that a sum of branches is rounded once.
    """
    mean, variance, scale, shift = (
        value.double()
        for value in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        if value is not None  # as in every batch norm here
    )
    return fuse_conv_bn_weights(weight.double(), None, mean, variance, norm.eps, scale, shift)


class ZeroShortcut(nn.Module):
    """Option A of He et al. 2015: every second pixel, new channels filled with zeros."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride, self.missing = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.missing))


class ResidualBlock(nn.Module):
    """ReLU(convolutions(x) + shortcut(x)), a ReLU between the convolutions (He et al. 2015).

    `kernels` gives one convolution each; the first one carries the stride. `shortcut` is "zero"
    or "projection" where the shape changes, or None for the plain twin without any skip.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int = 1,
        kernels: tuple[int, ...] = (3, 3),
        shortcut: str | None = "projection",
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [ConvNorm(inputs, outputs, kernels[0], stride)]
        for kernel in kernels[1:]:
            layers += [nn.ReLU(), ConvNorm(outputs, outputs, kernel)]
        self.convolutions = nn.Sequential(*layers)
        self.shortcut = _shortcut(shortcut, inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs, H, W)
        y = self.convolutions(x)  # (N, outputs, H / stride, W / stride)
        return F.relu(y if self.shortcut is None else y + self.shortcut(x))


def _shortcut(kind: str | None, inputs: int, outputs: int, stride: int) -> nn.Module | None:
    if kind is None:
        return None
    if inputs == outputs and stride == 1:
        return nn.Identity()
    if kind == "zero":
        return ZeroShortcut(inputs, outputs, stride)
    return ConvNorm(inputs, outputs, kernel=1, stride=stride)


def fold_blocks(module: nn.Module) -> None:
    """Put every FoldingBlock's one convolution in its place. For networks in eval mode."""
    for name, layer in list(module.named_children()):
        if isinstance(layer, FoldingBlock):
            setattr(module, name, layer.fold())
        else:
            fold_blocks(layer)
