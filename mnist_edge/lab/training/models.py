"""The zoo: small residual networks for small images, grey or RGB, and their names.

Every network takes the raw pixels, uint8 or float in 0..255, and gives logits. Normalisation is
x / 255 and nothing else, and it lives in `Network`, once. Shapes stand behind the lines.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mnist_edge.catalogue import NETWORKS
from mnist_edge.errors import EdgeError, UsageError
from mnist_edge.image_shape import MNIST_SHAPE, ImageShape
from mnist_edge.lab.training.blocks import ConvNorm, FoldingBlock, ResidualBlock

CHAIN_EXAMPLE = "16k5s2v-32s2-64s2-64"  # of a chain
_STEM = re.compile(r"([1-9]\d{0,3})(?:k([13579]))?(?:s([1-9]))?(?P<valid>v)?")
_BLOCK = re.compile(r"([1-9]\d{0,3})(?:s([1-9]))?")

_FLAT = "flat"
_MAX_PARAMETERS = 50_000_000
_MAX_CLASSES = 10_000
_MAX_BLOCKS = 100  # of a chain
_MAX_VALUES = 16 << 20  # of a map of all images that are answered at once: 64 MB

Build = Callable[[int, str, ImageShape], nn.Module]
"""Makes a network's body for so many classes, with a choice of shortcut, and for images of a
shape."""


class Network(nn.Module):
    """Raw pixels in, logits out: images uint8 or float (N, H, W), or (N, H, W, 3) in RGB ->
    float32 (N, classes).

    `shape` is that of its images. `temperature` divides the logits (Guo et al. 2017, arXiv
    1706.04599); 1 while training. `widest` is how many values the largest map of an image has.
    """

    temperature: Tensor

    def __init__(self, body: nn.Module, shape: ImageShape = MNIST_SHAPE, widest: int = 1) -> None:
        super().__init__()
        self.body, self.shape, self.widest = body, shape, widest
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        x = channels_first(images).float() / 255  # (N, C, H, W)
        logits: Tensor = self.body(x)
        return logits / self.temperature

    def largest_batch(self, most: int = 1000) -> int:
        """How many images to answer at once, at most `most`: of a network with wide maps, fewer."""
        return max(1, min(most, _MAX_VALUES // self.widest))

    def predict_logits(self, images: NDArray[np.uint8], batch: int = 1000) -> NDArray[np.float32]:
        """The logits (N, classes) of images of its shape, in eval mode, without gradients.

        At most `batch` at once; of a network with wide maps, fewer.
        """
        was_training, device = self.training, self.temperature.device
        self.eval()
        batch = self.largest_batch(batch)
        with torch.inference_mode():
            parts = [
                self(torch.tensor(images[at : at + batch], device=device)).cpu()
                for at in range(0, len(images), batch)
            ]
        self.train(was_training)
        logits: NDArray[np.float32] = torch.cat(parts).float().numpy()
        return logits


def channels_first(images: Tensor) -> Tensor:
    """Images (N, H, W) or (N, H, W, 3) as (N, C, H, W)."""
    return images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)


Size = tuple[int, int]
"""Height and width of a map."""


def _head(channels: int, size: Size, classes: int) -> list[nn.Module]:
    # AvgPool2d, not AdaptiveAvgPool2d: it exports as AveragePool, which can run in int8.
    return [nn.AvgPool2d(size), nn.Flatten(), nn.Linear(channels, classes)]


def _flat_head(channels: int, size: Size, classes: int) -> list[nn.Module]:
    """Weights of its own for every pixel of the last map. In int8 that costs nothing, neither
    bytes nor time: an average is exported as such weights too."""
    return [nn.Flatten(), nn.Linear(channels * size[0] * size[1], classes)]


def chain(spec: str) -> Build:
    """A network of folding blocks, from what they are called: "16k5s2v-32s2-64s2-64".

    The stem's channels, [k its kernel,] [s its stride,] [v without padding]; then those of each
    block, whose kernel is always 3, [and s its stride]. Its last map is averaged, unless the last
    part is "flat". EdgeError for anything else.
    """
    first, *others = spec.split("-")
    flat = others[-1:] == [_FLAT]
    if flat:
        others.pop()
    stem, found = _STEM.fullmatch(first), [_BLOCK.fullmatch(other) for other in others]
    blocks = [(int(block[1]), int(block[2] or 1)) for block in found if block]
    if stem is None or not blocks or len(blocks) < len(found):
        raise UsageError(
            f"'{spec}' is no chain such as {CHAIN_EXAMPLE}: channels, k kernel, s stride"
        )
    channels, kernel, stride = (int(stem[1]), int(stem[2] or 3), int(stem[3] or 1))
    padding = 0 if stem["valid"] else kernel // 2
    widths = [channels, *(outputs for outputs, _ in blocks)]
    if len(blocks) > _MAX_BLOCKS:
        raise UsageError(f"a chain of {len(blocks):,} blocks is too long: at most {_MAX_BLOCKS}")
    # A 3×3 and a 1×1 convolution in each block; its dense layer is small beside them.
    if sum(10 * before * after for before, after in pairwise(widths)) > _MAX_PARAMETERS:
        raise UsageError(f"'{spec}' has more than {_MAX_PARAMETERS:,} parameters: too many here")

    def build(classes: int, shortcut: str, shape: ImageShape) -> nn.Module:
        layers = [ConvNorm(shape.channels, channels, kernel, stride, padding), nn.ReLU()]
        sides = [
            (side + 2 * padding - kernel) // stride + 1 for side in (shape.height, shape.width)
        ]
        inputs = channels
        for outputs, by in blocks:
            layers.append(FoldingBlock(inputs, outputs, by))
            inputs, sides = outputs, [math.ceil(side / by) for side in sides]
        size = (sides[0], sides[1])
        return nn.Sequential(*layers, *(_flat_head if flat else _head)(inputs, size, classes))

    return build


def _halved(shape: ImageShape, times: int) -> Size:
    """The size of a map after so many strides of 2, each with padding."""
    by = 2**times
    return math.ceil(shape.height / by), math.ceil(shape.width / by)


def _widest_of_chain(spec: str, shape: ImageShape) -> int:
    """At most how many values a chain's maps have: as if it did not shrink behind its stem."""
    channels = [int(part) for part in re.findall(r"(?:^|-)(\d+)", spec)]
    stride = int(re.findall(r"^[^-]*s(\d)|$", spec)[0] or 1)
    return max(channels) * math.ceil(shape.height / stride) * math.ceil(shape.width / stride)


def _widest_of_zoo(shape: ImageShape) -> int:
    """No network of the zoo has more than 16 channels at full size, or 64 at half."""
    return 64 * math.ceil(shape.height / 2) * math.ceil(shape.width / 2)


# Shapes behind the lines are those of a 28×28 image.
def _resnet3(classes: int, shortcut: str, shape: ImageShape) -> nn.Module:
    kernels = (3, 3, 1)
    return nn.Sequential(
        ResidualBlock(shape.channels, 64, stride=2, kernels=kernels),  # (N, 64, 14, 14)
        ResidualBlock(64, 256, stride=2, kernels=kernels),  # (N, 256, 7, 7)
        ResidualBlock(256, 512, stride=2, kernels=kernels),  # (N, 512, 4, 4)
        *_head(512, _halved(shape, 3), classes),
    )


def _resnet18(classes: int, shortcut: str, shape: ImageShape) -> nn.Module:
    from torchvision.models import resnet18  # slow to import, and only this model needs it

    net: nn.Module = resnet18(num_classes=classes)
    net.conv1 = nn.Conv2d(shape.channels, 64, 7, stride=2, padding=3, bias=False)
    last = _halved(shape, 5)  # 1×1 of a 28×28 image: nothing to average
    net.avgpool = nn.Identity() if last == (1, 1) else nn.AvgPool2d(last)
    return net


def _cifar_resnet(blocks: int, skips: bool, projection: bool = False) -> Build:
    """He et al. 2015, section 4.2: 6 n + 2 layers in three stages of 16, 32, 64 channels.

    With a `projection` nothing is asked: it is a network that has no other shortcut.
    """

    def build(classes: int, shortcut: str, shape: ImageShape) -> nn.Module:
        kind = "projection" if projection else shortcut if skips else None
        layers: list[nn.Module] = [ConvNorm(shape.channels, 16), nn.ReLU()]  # (N, 16, 28, 28)
        for inputs, outputs in ((16, 16), (16, 32), (32, 64)):
            stride = 1 if inputs == outputs else 2
            layers.append(ResidualBlock(inputs, outputs, stride, shortcut=kind))
            layers += [ResidualBlock(outputs, outputs, shortcut=kind) for _ in range(blocks - 1)]
        return nn.Sequential(*layers, *_head(64, _halved(shape, 2), classes))  # from (N, 64, 7, 7)

    return build


@dataclass(frozen=True, slots=True)
class Architecture:
    """A name of the zoo: what it is, and how its body is built from (classes, shortcut, shape).

    `widest` gives the values of the largest map of an image of a shape, or more."""

    what: str
    build: Build = field(repr=False)
    shortcuts: tuple[str, ...] = ()  # the choices that --shortcut has here; the first is default
    widest: Callable[[ImageShape], int] = field(default=_widest_of_zoo, repr=False)


def _in_catalogue(name: str, build: Build) -> Architecture:
    described = NETWORKS[name]
    return Architecture(described.what, build, described.shortcuts)


ZOO: dict[str, Architecture] = {
    name: _in_catalogue(name, build)
    for name, build in {
        "edge": chain("16k5s2v-32s2-32-64s2-64"),
        "edge-xs": chain("16k5s2v-16s2-16-16-24s2-24-flat"),
        "resnet3": _resnet3,
        "resnet8": _cifar_resnet(1, True, projection=True),
        "resnet18": _resnet18,
        "resnet20": _cifar_resnet(3, True),
        "resnet56": _cifar_resnet(9, True),
        "plain20": _cifar_resnet(3, False),
        "plain56": _cifar_resnet(9, False),
    }.items()
}


def architecture(name: str) -> Architecture:
    """What a name of the zoo, or a chain, stands for. EdgeError for any other."""
    if name in ZOO:
        return ZOO[name]
    if not name[:1].isdigit():
        known = ", ".join(ZOO)
        raise UsageError(
            f"there is no model '{name}': choose one of {known}, or a chain such as {CHAIN_EXAMPLE}"
        )
    widest = partial(_widest_of_chain, name)
    return Architecture("a chain of folding blocks", chain(name), widest=widest)


def build(
    name: str,
    classes: int = 10,
    shortcut: str | None = None,
    shape: ImageShape = MNIST_SHAPE,
) -> Network:
    """A fresh network for images of a shape, with PyTorch's default initialisation (global RNG).

    Raises EdgeError for an unknown name, a shortcut that the network does not know, or more than
    10,000 classes.
    """
    found = architecture(name)
    if classes > _MAX_CLASSES:
        raise EdgeError(f"{classes:,} classes are too many: at most {_MAX_CLASSES:,}")
    if shortcut is not None and shortcut not in found.shortcuts:
        known = ", ".join(found.shortcuts)
        advice = f"choose one of {known}" if known else "leave --shortcut away"
        raise UsageError(f"model '{name}' has no shortcut '{shortcut}': {advice}")
    body = found.build(classes, shortcut or "".join(found.shortcuts[:1]), shape)
    return Network(body, shape, found.widest(shape))
