"""The zoo: small residual networks for 28×28 grey images, and their names.

Every network takes the raw pixels, uint8 or float in 0..255, and gives logits. Normalisation is
x / 255 and nothing else, and it lives in `Network`, once. Shapes stand behind the lines.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mnist_edge.contract import SIDE
from mnist_edge.errors import EdgeError

SHORTCUTS = ("zero", "projection")


class Network(nn.Module):
    """Raw pixels in, logits out: images uint8 or float (N, 28, 28) -> float32 (N, classes).

    `temperature` divides the logits (Guo et al. 2017, arXiv 1706.04599); 1 while training.
    """

    temperature: Tensor

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        x = images.unsqueeze(1).float() / 255  # (N, 1, 28, 28)
        logits: Tensor = self.body(x)
        return logits / self.temperature

    def answer(self, images: NDArray[np.uint8], batch: int = 1000) -> NDArray[np.float32]:
        """The logits (N, classes) of images (N, 28, 28), in eval mode, without gradients."""
        was_training, device = self.training, self.temperature.device
        self.eval()
        with torch.inference_mode():
            parts = [
                self(torch.tensor(images[at : at + batch], device=device)).cpu()
                for at in range(0, len(images), batch)
            ]
        self.train(was_training)
        logits: NDArray[np.float32] = torch.cat(parts).float().numpy()
        return logits


class ConvNorm(nn.Sequential):
    """A convolution without bias, and its batch norm. Padding keeps the size (over stride)."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weights (O, I, k, k) and bias (O,), float64, that compute the same in eval mode."""
        convolution, norm = self
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        return _normed(convolution.weight.detach(), norm)


class FoldingBlock(nn.Module):
    """ReLU(3×3 + 1×1 + identity), each with its batch norm: residual while it learns.

    Ding et al. 2021, arXiv 2101.03697 (RepVGG). Between the branches and the ReLU there is nothing
    but a sum, so they are one convolution: `folded`, which the exported file runs. The identity is
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
    def folded(self) -> nn.Sequential:
        """The 3×3 convolution, with bias, and ReLU that compute the same in eval mode."""
        weight, bias = self.wide.folded()
        others = [self.point.folded()]
        if self.identity is not None:
            eye = torch.eye(len(weight), dtype=weight.dtype)[:, :, None, None]
            others.append(_normed(eye, self.identity))
        for point, its_bias in others:
            weight[:, :, 1:2, 1:2] += point
            bias += its_bias
        outputs, inputs = weight.shape[:2]
        one = nn.Conv2d(inputs, outputs, 3, self.stride, padding=1)
        one.weight.copy_(weight)
        one.bias.copy_(bias)  # type: ignore[union-attr]
        return nn.Sequential(one, nn.ReLU())


def _normed(weight: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """A convolution's weights (O, I, k, k) and bias (O,) with its batch norm in them, float64.

    In double precision, so that a sum of branches is rounded once.
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    shift = norm.bias.double() - norm.running_mean.double() * scale
    return weight.double() * scale[:, None, None, None], shift


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


def _head(channels: int, size: int, classes: int) -> list[nn.Module]:
    # AvgPool2d, not AdaptiveAvgPool2d: it exports as AveragePool, which can run in int8.
    return [nn.AvgPool2d(size), nn.Flatten(), nn.Linear(channels, classes)]


def fold_blocks(module: nn.Module) -> None:
    """Put every FoldingBlock's one convolution in its place. For networks in eval mode."""
    for name, layer in list(module.named_children()):
        if isinstance(layer, FoldingBlock):
            setattr(module, name, layer.folded())
        else:
            fold_blocks(layer)


def folding(
    stem: tuple[int, int, int], blocks: Sequence[tuple[int, int]], classes: int = 10
) -> nn.Module:
    """A stem (channels, kernel, stride) and folding blocks (channels, stride), then the head."""
    channels, kernel, stride = stem
    layers: list[nn.Module] = [ConvNorm(1, channels, kernel, stride), nn.ReLU()]
    side = math.ceil(SIDE / stride)
    for outputs, stride in blocks:
        layers.append(FoldingBlock(channels, outputs, stride))
        channels, side = outputs, math.ceil(side / stride)
    return nn.Sequential(*layers, *_head(channels, side, classes))


def _edge(classes: int, shortcut: str) -> nn.Module:
    return nn.Sequential(
        ConvNorm(1, 16, stride=2),  # (N, 16, 14, 14)
        nn.ReLU(),
        ResidualBlock(16, 16),  # (N, 16, 14, 14)
        ResidualBlock(16, 32, stride=2),  # (N, 32, 7, 7)
        ResidualBlock(32, 64, stride=2),  # (N, 64, 4, 4)
        *_head(64, 4, classes),
    )


def _edge_xs(classes: int, shortcut: str) -> nn.Module:
    return nn.Sequential(
        ConvNorm(1, 16, kernel=5, stride=2),  # (N, 16, 14, 14)
        nn.ReLU(),
        ResidualBlock(16, 16, stride=2),  # (N, 16, 7, 7)
        ResidualBlock(16, 32, stride=2),  # (N, 32, 4, 4)
        *_head(32, 4, classes),
    )


def _resnet3(classes: int, shortcut: str) -> nn.Module:
    kernels = (3, 3, 1)
    return nn.Sequential(
        ResidualBlock(1, 64, stride=2, kernels=kernels),  # (N, 64, 14, 14)
        ResidualBlock(64, 256, stride=2, kernels=kernels),  # (N, 256, 7, 7)
        ResidualBlock(256, 512, stride=2, kernels=kernels),  # (N, 512, 4, 4)
        *_head(512, 4, classes),
    )


def _resnet18(classes: int, shortcut: str) -> nn.Module:
    from torchvision.models import resnet18  # slow to import, and only this model needs it

    net: nn.Module = resnet18(num_classes=classes)
    net.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    net.avgpool = nn.Identity()  # the last map of a 28×28 image is 1×1 already
    return net


def _cifar_resnet(blocks: int, skips: bool) -> "Callable[[int, str], nn.Module]":
    """He et al. 2015, section 4.2: 6 n + 2 layers in three stages of 16, 32, 64 channels."""

    def build(classes: int, shortcut: str) -> nn.Module:
        kind = shortcut if skips else None
        layers: list[nn.Module] = [ConvNorm(1, 16), nn.ReLU()]  # (N, 16, 28, 28)
        for inputs, outputs in ((16, 16), (16, 32), (32, 64)):
            stride = 1 if inputs == outputs else 2
            layers.append(ResidualBlock(inputs, outputs, stride, shortcut=kind))
            layers += [ResidualBlock(outputs, outputs, shortcut=kind) for _ in range(blocks - 1)]
        return nn.Sequential(*layers, *_head(64, 7, classes))  # (N, 64, 7, 7) before the head

    return build


@dataclass(frozen=True, slots=True)
class Entry:
    """A name of the zoo: what it is, and how its body is built from (classes, shortcut)."""

    what: str
    build: "Callable[[int, str], nn.Module]" = field(repr=False)
    shortcuts: tuple[str, ...] = ()  # the choices that --shortcut has here; the first is default


ZOO: dict[str, Entry] = {
    "edge": Entry("stride-2 stem, residual stages of 16/32/64 channels; the default", _edge),
    "edge-xs": Entry("5×5 stride-2 stem, residual stages of 16/32 channels", _edge_xs),
    "resnet3": Entry("three wide residual blocks of three convolutions, 64/256/512", _resnet3),
    "resnet18": Entry("torchvision's ResNet-18 with a 1-channel stem", _resnet18),
    "resnet20": Entry("He et al. 2015, section 4.2, n = 3", _cifar_resnet(3, True), SHORTCUTS),
    "resnet56": Entry("He et al. 2015, section 4.2, n = 9", _cifar_resnet(9, True), SHORTCUTS),
    "plain20": Entry("resnet20 without its skips", _cifar_resnet(3, False)),
    "plain56": Entry("resnet56 without its skips", _cifar_resnet(9, False)),
}


def build(name: str, classes: int = 10, shortcut: str | None = None) -> Network:
    """A fresh network of the zoo, with PyTorch's default initialisation (global RNG).

    Raises EdgeError for an unknown name, or a shortcut that the network does not know.
    """
    if name not in ZOO:
        raise EdgeError(f"there is no model '{name}': choose one of {', '.join(ZOO)}")
    choices = ZOO[name].shortcuts
    if shortcut is not None and shortcut not in choices:
        known = f"choose one of {', '.join(choices)}" if choices else "leave --shortcut away"
        raise EdgeError(f"model '{name}' has no shortcut '{shortcut}': {known}")
    return Network(ZOO[name].build(classes, shortcut or "".join(choices[:1])))


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs: `params` (trainable), `macs` (multiply-adds for one image)."""

    params: int
    macs: int


def cost(network: Network) -> Cost:
    """Count parameters, and the multiply-adds of convolutions and dense layers for one image."""
    macs = 0

    def count(layer: nn.Module, inputs: object, output: Tensor) -> None:
        nonlocal macs
        if isinstance(layer, nn.Conv2d):
            macs += output.numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            macs += layer.weight.numel()

    hooks = [layer.register_forward_hook(count) for layer in network.modules()]
    was_training = network.training
    device = network.temperature.device
    with torch.no_grad():
        network.eval()(torch.zeros(1, 28, 28, dtype=torch.uint8, device=device))
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    params = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return Cost(params, macs)
