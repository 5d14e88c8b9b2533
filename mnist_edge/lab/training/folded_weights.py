"""The folded weights of an exported graph, put back into a network that can be trained.

An fp32 file has one convolution, with a bias, where the network has a convolution and its batch
norm, or a FoldingBlock with its three branches; 1/255 is in the first weights, the temperature in
the last. `load_folded` undoes that so that the network answers as the file does, and
`calibrate_norms` gives its batch norms the statistics that training will find, at the same
answers: else the first steps would be those of another network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mnist_edge.errors import ModelError
from mnist_edge.lab.training.blocks import FoldingBlock
from mnist_edge.lab.training.models import Network


@dataclass(frozen=True, slots=True)
class FoldedLayer:
    """A convolution or dense layer of a graph: `weight` float32 (O, I, k, k) or (O, I), `bias`
    float32 (O,)."""

    weight: Tensor
    bias: Tensor


@dataclass(slots=True)
class _Unit:
    """What a folded layer was folded from, and whether it takes the image itself."""

    layer: nn.Conv2d | nn.Linear | FoldingBlock
    takes_image: bool
    norm: nn.BatchNorm2d | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its folded weights."""
        layer = self.layer.wide[0] if isinstance(self.layer, FoldingBlock) else self.layer
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        return tuple(layer.weight.shape)


@torch.no_grad()
def load_folded(network: Network, layers: Sequence[FoldedLayer], temperature: float) -> None:
    """Put a graph's layers, in the order in which they compute, into the network that they were
    folded from, whose logits are then those of the graph times `temperature`.

    ModelError where they are not those of this network.
    """
    units = _units(network)
    if [unit.shape for unit in units] != [tuple(one.weight.shape) for one in layers]:
        raise ModelError("its layers are not those of the network that it names")
    for unit, folded in zip(units, layers, strict=True):
        _unfold(unit, folded.weight * 255 if unit.takes_image else folded.weight, folded.bias)
    last = units[-1].layer
    assert isinstance(last, nn.Linear)
    last.weight.mul_(temperature)
    last.bias.mul_(temperature)
    network.temperature.fill_(1.0)


def _units(network: Network) -> list[_Unit]:
    """A network's layers in the order in which they compute, each with its batch norm."""
    shape = network.shape
    image = torch.zeros(1, shape.channels, shape.height, shape.width)
    blocks = [layer for layer in network.body.modules() if isinstance(layer, FoldingBlock)]
    inside = {part for block in blocks for part in block.modules() if part is not block}
    units: list[_Unit] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(layer, nn.BatchNorm2d):
            units[-1].norm = layer
        elif isinstance(layer, nn.Conv2d | nn.Linear | FoldingBlock):
            units.append(_Unit(layer, inputs[0] is image))

    hooked = [layer for layer in network.body.modules() if layer not in inside]
    hooks = [layer.register_forward_pre_hook(note) for layer in hooked]
    was_training = network.training
    network.eval().body(image)
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    return units


def _unfold(unit: _Unit, weight: Tensor, bias: Tensor) -> None:
    layer = unit.layer
    if isinstance(layer, nn.Linear):
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    elif isinstance(layer, FoldingBlock):
        _unfold_block(layer, weight, bias)
    else:
        assert unit.norm is not None  # as behind every convolution of the zoo
        layer.weight.copy_(weight)
        _set_norm(unit.norm, 1.0, bias)


def _unfold_block(block: FoldingBlock, weight: Tensor, bias: Tensor) -> None:
    """The 1×1 branch gets half of the middle values, so that both learn from the start: a branch
    of zeros has no variance to divide by. The identity's scale is 0, from which it can grow."""
    middle = weight[:, :, 1:2, 1:2] / 2
    wide, point = block.wide[0], block.point[0]
    assert isinstance(wide, nn.Conv2d)
    assert isinstance(point, nn.Conv2d)
    wide.weight.copy_(weight)
    wide.weight[:, :, 1:2, 1:2] = middle
    point.weight.copy_(middle)
    _set_norm(block.wide[1], 1.0, bias)
    _set_norm(block.point[1], 1.0, torch.zeros_like(bias))
    if block.identity is not None:
        _set_norm(block.identity, 0.0, torch.zeros_like(bias))


def _set_norm(norm: nn.Module, scale: float, shift: Tensor) -> None:
    """A batch norm that gives scale · x + shift."""
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)
    norm.weight.fill_(scale)
    norm.bias.copy_(shift)


@torch.no_grad()
def calibrate_norms(network: Network, images: Tensor) -> None:
    """Give batch norms the mean and variance of what they are given for `images`, uint8 or float
    (N, H, W) or (N, H, W, 3), and the scale and shift with which the network answers as before."""
    sums: dict[nn.BatchNorm2d, list[Tensor]] = {}

    def add(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        x = inputs[0].transpose(0, 1).flatten(1).double()  # (C, N · H · W)
        found = sums.setdefault(norm, [torch.zeros_like(x[:, 0]) for _ in range(3)])
        found[0] += x.sum(1)
        found[1] += x.square().sum(1)
        found[2] += len(x[0])

    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(add) for norm in norms]
    was_training = network.training
    network.eval()
    for part in torch.split(images, network.largest_batch()):
        network(part)
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    for norm, (total, squares, count) in sums.items():
        mean = total / count
        _renormalize(norm, mean, (squares / count - mean.square()).clamp(min=0))


def _renormalize(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """Other statistics, and the same function."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    slope = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    shift = norm.bias.double() + slope * (mean - norm.running_mean.double())
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_(slope * (norm.running_var.double() + norm.eps).sqrt())
    norm.bias.copy_(shift)
