"""Quantization-aware fine-tuning: a trained network learns to be itself in int8.

The network runs with its batch norms folded and every value rounded as the int8 file will round
it (fake quantization with straight-through gradients: Jacob et al. 2018, arXiv 1712.05877), and
is trained to give the probabilities of the original (distillation: Hinton et al. 2015, arXiv
1503.02531). What comes out is an fp32 network, quantized afterwards like any other.
"""

import copy
import itertools
import math
import operator
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mnist_edge.datasets import Split
from mnist_edge.errors import EdgeError
from mnist_edge.lab.training.blocks import fold_blocks
from mnist_edge.lab.training.losses import divergence
from mnist_edge.lab.training.models import Network, channels_first
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.training_mix import augment_batch, with_synthetic

_WEIGHT_STEPS = 64  # 7 bits, as `qdq` has them
_RANGE_DECAY = 0.99  # of the moving average of a value's range, per step

Watcher = Callable[[int, int], None]
"""Told how many steps are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Finetuning:
    """AdamW under a cosine from `lr` to 0; batches as the network's own recipe made them."""

    epochs: int = 3
    lr: float = 1e-4
    batch_size: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise EdgeError(
                f"{self.epochs} epochs of fine-tuning change nothing: ask for 1 or more"
            )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def finetune(
    original: Network,
    training: Split,
    recipe: Recipe,
    plan: Finetuning,
    watch: Watcher = lambda done, total: None,
    *,
    outliers: NDArray[np.uint8] | None = None,
) -> Network:
    """A network near `original` that loses less when it is quantized. On the CPU; seeded.

    It sees what `recipe`, which trained the original, made of the training images, and of a
    person's own images of no class, whose probabilities stay as equal as the original's are.
    """
    images = torch.from_numpy(with_synthetic(training, recipe, outliers).images)
    tuner = _Tuner(original, recipe, plan)
    batch = min(plan.batch_size, len(images))
    steps = len(images) // batch
    for epoch in range(plan.epochs):
        order = torch.randperm(len(images), generator=tuner.generator)
        for step in range(steps):
            done = epoch * steps + step
            rate = plan.lr * 0.5 * (1 + math.cos(math.pi * done / (plan.epochs * steps)))
            tuner.step(images[order[step * batch : (step + 1) * batch]], rate)
            watch(done + 1, plan.epochs * steps)
    tuner.student.temperature.copy_(original.temperature)
    return tuner.student.eval()


def trial_step(
    original: Network, training: Split, recipe: Recipe, plan: Finetuning
) -> Callable[[], int]:
    """A step of fine-tuning, to be timed, on networks of its own and a few of the images; called,
    it returns how many."""
    tuner = _Tuner(original, recipe, plan)
    images = torch.from_numpy(training.images[: plan.batch_size])

    def step() -> int:
        tuner.step(images, 0.0)
        return len(images)

    return step


class _Tuner:
    """The original, the student with its roundings simulated, and how the student learns."""

    def __init__(self, original: Network, recipe: Recipe, plan: Finetuning) -> None:
        self.recipe, self.temperature = recipe, original.temperature
        self.teacher = _fuse_batch_norms(original)
        self.student = copy.deepcopy(self.teacher)
        self.simulated = _simulate_int8(self.student.body)
        self.generator = torch.Generator().manual_seed(plan.seed)
        self.optimizer = torch.optim.AdamW(self.student.parameters(), lr=plan.lr, weight_decay=0.0)

    def step(self, images: Tensor, rate: float) -> None:
        """One step on a batch, uint8 (N, H, W) or (N, H, W, 3), at a learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        # Whole values, as the file will see: its first scale is exact for nothing else.
        seen = augment_batch(images, self.recipe, self.generator).round().clamp(0, 255)
        seen = channels_first(seen) / 255
        with torch.no_grad():
            wanted = self.teacher.body(seen)
        found = self.simulated(seen)
        loss = divergence(found, wanted, self.temperature)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()


def _fuse_batch_norms(network: Network) -> Network:
    """The network with its batch norms folded into its convolutions, in eval mode."""
    fused = copy.deepcopy(network).eval()
    fold_blocks(fused)
    for parent in list(fused.modules()):
        children = list(parent.named_children())
        for (name, layer), (after_name, after) in itertools.pairwise(children):
            if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(layer, after).requires_grad_())
                setattr(parent, after_name, nn.Identity())
    return fused


class _FakeQuantizedLayer(nn.Module):
    """A convolution or dense layer whose weights are rounded per output channel."""

    def __init__(self, layer: nn.Conv2d | nn.Linear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        weight = self.layer.weight
        most = weight.detach().flatten(1).abs().amax(dim=1).clamp(min=1e-12)
        rounded = torch.fake_quantize_per_channel_affine(
            weight,
            most / _WEIGHT_STEPS,
            torch.zeros_like(most, dtype=torch.int32),
            0,
            -_WEIGHT_STEPS,
            _WEIGHT_STEPS,
        )
        if isinstance(self.layer, nn.Linear):
            return F.linear(x, rounded, self.layer.bias)
        return F.conv2d(x, rounded, self.layer.bias, self.layer.stride, self.layer.padding)


class _FakeQuantize(nn.Module):
    """A value rounded to 8 bits over the moving average of its range, which includes 0."""

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        low, high = x.detach().aminmax()
        if self.high == self.low:  # the first batch
            self.low, self.high = low.clamp(max=0), high.clamp(min=1e-6)
        else:
            self.low = self.low.lerp(low.clamp(max=0), 1 - _RANGE_DECAY)
            self.high = self.high.lerp(high.clamp(min=1e-6), 1 - _RANGE_DECAY)
        scale = ((self.high - self.low) / 255).item()
        return torch.fake_quantize_per_tensor_affine(
            x, scale, round(-self.low.item() / scale), 0, 255
        )


def _simulate_int8(body: nn.Module) -> nn.Module:
    """The body as int8 will compute it: weights rounded, and what the layers give, once each.

    A ReLU is part of the layer before it. The logits stay float, as in the file.
    """
    graph = fx.symbolic_trace(body)
    modules = dict(graph.named_modules())
    for node in list(graph.graph.nodes):  # what batch norms left: a ReLU behind it is the layer's
        if isinstance(modules.get(str(node.target)), nn.Identity):
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    for node in list(graph.graph.nodes):
        layer = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(layer, nn.Conv2d | nn.Linear):
            graph.set_submodule(str(node.target), _FakeQuantizedLayer(layer))
        rounds = isinstance(layer, nn.Conv2d) or _is_add(node) or _is_relu(node, layer)
        in_one = any(_is_relu(user, modules.get(str(user.target))) for user in node.users)
        if rounds and not in_one:
            name = f"bytes_{node.name}"
            graph.add_submodule(name, _FakeQuantize())
            with graph.graph.inserting_after(node):
                rounded = graph.graph.call_module(name, (node,))
            node.replace_all_uses_with(
                rounded, delete_user_cb=lambda user, own=rounded: user != own
            )
    graph.recompile()
    return graph


def _is_add(node: fx.Node) -> bool:
    return node.op == "call_function" and node.target in (operator.add, operator.iadd, torch.add)


def _is_relu(node: fx.Node, layer: nn.Module | None) -> bool:
    return isinstance(layer, nn.ReLU) or node.target in (F.relu, torch.relu)
