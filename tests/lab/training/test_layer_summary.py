import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mnist_edge.catalogue import Cost, Layer, total
from mnist_edge.lab.training.blocks import FoldingBlock, fold_blocks
from mnist_edge.lab.training.layer_summary import cost, layers
from mnist_edge.lab.training.models import ZOO, Network, build

CHOICES = [(name, kind) for name, entry in ZOO.items() for kind in entry.shortcuts or (None,)]


class Odd(nn.Module):
    """What the zoo has not: a layer of two calls, shared weights, a parameter of its own, a layer
    that gives two tensors, one that never runs, and one that nobody trains."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Conv2d(1, 1, 3, stride=(2, 1), padding=1)
        self.same = nn.Conv2d(1, 1, 3, padding=1)
        self.same.weight = self.twice.weight
        self.scale = nn.Parameter(torch.ones(7))
        self.pair = Pair()
        self.idle = nn.Linear(3, 4)
        self.frozen = nn.Linear(7 * 28, 2)
        self.frozen.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.same(self.twice(self.twice(x)))  # (N, 1, 7, 28)
        x, _ = self.pair(x * self.scale[:, None])
        y: Tensor = self.frozen(F.relu(x).flatten(1))
        return y


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


@pytest.fixture(params=CHOICES, ids=str)
def network(request: pytest.FixtureRequest) -> Network:
    name, kind = request.param
    return build(name, shortcut=kind)


def test_the_layers_of_every_network_add_up_to_what_it_costs(network: Network) -> None:
    """Once its blocks are folded, where it has some: that is what an exported file costs."""
    expected = cost(network)
    folds = any(isinstance(module, FoldingBlock) for module in network.modules())
    assert (total(layers(network)) != expected) == folds
    fold_blocks(network.eval())
    assert total(layers(network)) == expected


@pytest.mark.parametrize("name", ["edge", "edge-xs", "8s2-8"])
def test_layers_that_fold_add_up_to_what_learns(name: str) -> None:
    network = build(name).eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(torch.zeros(1, 28, 28, dtype=torch.uint8))
    held = sum(weights.numel() for weights in network.parameters())
    assert total(layers(network)) == Cost(held, counter.get_total_flops() // 2)


def test_the_branches_of_a_block_stand_one_after_the_other() -> None:
    found = layers(build("8s2-6s2-6"))
    strided, same = ([layer for layer in found if layer.name[0] == block] for block in "23")
    assert [layer.kind for layer in strided] == [
        *("Conv2d 3×3, stride 2", "BatchNorm2d", "Conv2d 1×1, stride 2", "BatchNorm2d")
    ]
    assert [layer.kind for layer in same] == [
        *("Conv2d 3×3", "BatchNorm2d", "Conv2d 1×1", "BatchNorm2d", "BatchNorm2d")
    ]
    assert {layer.output for layer in (*strided, *same)} == {(6, 7, 7)}


def test_they_come_in_the_order_in_which_they_run_with_their_shapes() -> None:
    found = layers(build("plain20"))
    assert found[0] == Layer("0.0", "Conv2d 3×3", (16, 28, 28), 9 * 16, 9 * 16 * 28 * 28)
    assert found[1] == Layer("0.1", "BatchNorm2d", (16, 28, 28), 32, 0)
    strided = next(layer for layer in found if layer.output == (32, 14, 14))
    assert (strided.kind, strided.params) == ("Conv2d 3×3, stride 2", 9 * 16 * 32)
    flat, last = found[-2:]
    assert flat.kind == "Flatten"
    assert (last.kind, last.output) == ("Linear", (10,))
    assert flat.output is not None
    (features,) = flat.output
    assert (last.params, last.macs) == (features * 10 + 10, features * 10)


def test_a_zero_shortcut_is_a_layer_that_costs_nothing() -> None:
    zero, projection = (layers(build("resnet20", shortcut=kind)) for kind in ("zero", "projection"))
    shown = [layer for layer in zero if layer.kind == "ZeroShortcut"]
    assert [layer.output for layer in shown] == [(32, 14, 14), (64, 7, 7)]
    assert total(shown) == Cost(0, 0)
    added = total(projection).params - total(zero).params
    assert added == 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64  # 1×1 weights, and their batch norms


def test_what_runs_twice_stands_twice_and_holds_its_parameters_once() -> None:
    network = Network(Odd())
    found = layers(network)
    assert [layer.name for layer in found] == [
        *("twice", "twice", "same", "pair", "frozen", "body", "idle")
    ]
    first, second, same, pair, frozen, own, idle = found
    assert (first.output, second.output) == ((1, 14, 28), (1, 7, 28))
    assert (first.params, second.params, same.params) == (10, 0, 1)
    assert (first.macs, second.macs, same.macs) == (9 * 14 * 28, 9 * 7 * 28, 9 * 7 * 28)
    assert pair.output is None
    assert (frozen.params, frozen.macs) == (0, 7 * 28 * 2)
    assert (own.kind, own.params) == ("Odd", 7)
    assert (idle.output, idle.params, idle.macs) == (None, 16, 0)
    assert total(found) == cost(network)


@pytest.mark.parametrize("training", [False, True])
def test_a_network_is_left_as_it_was(training: bool) -> None:
    network = build("edge-xs").train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    layers(network)
    assert network.training is training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
