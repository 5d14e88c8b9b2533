import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mnist_edge import catalogue
from mnist_edge.catalogue import Cost
from mnist_edge.errors import EdgeError
from mnist_edge.lab.training.blocks import FoldingBlock, ResidualBlock, ZeroShortcut, fold_blocks
from mnist_edge.lab.training.layer_summary import cost
from mnist_edge.lab.training.models import CHAIN_EXAMPLE, ZOO, Network, architecture, build
from tests.lab.conftest import settled

NAMES = list(ZOO)


def images(count: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28), np.uint8)


def block_shapes(name: str) -> list[tuple[int, ...]]:
    network, shapes = build(name).eval(), []

    def note(layer: nn.Module, inputs: object, output: Tensor) -> None:
        shapes.append(tuple(output.shape[1:]))

    for layer in network.modules():
        if isinstance(layer, ResidualBlock | FoldingBlock):
            layer.register_forward_hook(note)
    network(torch.zeros(1, 28, 28))
    return shapes


@pytest.mark.parametrize("name", NAMES)
def test_macs_are_half_of_what_pytorch_counts_as_flops(name: str) -> None:
    network = build(name).eval()
    spent = cost(network)
    fold_blocks(network)  # it is the exported file that costs
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(torch.zeros(1, 28, 28, dtype=torch.uint8))
    assert 2 * spent.macs == counter.get_total_flops()
    assert spent.params == sum(weights.numel() for weights in network.parameters())


@pytest.mark.parametrize("name", ["edge", "edge-xs", "8s2-8"])
def test_what_a_chain_costs_is_less_than_what_learns(name: str) -> None:
    network = build(name)
    assert cost(network).params < sum(weights.numel() for weights in network.parameters())
    before = cost(network)
    fold_blocks(network.eval())
    assert cost(network) == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("classes", [2, 10])
def test_answers_one_logit_per_class(name: str, classes: int) -> None:
    logits = build(name, classes).eval()(torch.zeros(2, 28, 28, dtype=torch.uint8))
    assert logits.shape == (2, classes)
    assert logits.dtype == torch.float32


def conv(inputs: int, outputs: int, kernel: int) -> int:
    """Weights of a convolution without bias, and of its batch norm."""
    return inputs * outputs * kernel**2 + 2 * outputs


def folded(inputs: int, outputs: int) -> int:
    """Weights and biases of the one convolution that a folding block becomes."""
    return 9 * inputs * outputs + outputs


def test_edge_costs_by_hand() -> None:
    blocks = folded(16, 32) + folded(32, 32) + folded(32, 64) + folded(64, 64)
    small, smallest = 6 * 6, 3 * 3  # pixels of the maps that the blocks give
    macs = 12 * 12 * 16 * 25 + 9 * (small * (16 * 32 + 32 * 32) + smallest * (32 * 64 + 64 * 64))
    expected = Cost(conv(1, 16, 5) + blocks + 64 * 10 + 10, macs + 64 * 10)
    assert cost(build("edge")) == expected


def test_edge_xs_costs_by_hand() -> None:
    blocks = 3 * folded(16, 16) + folded(16, 24) + folded(24, 24)
    macs = 12 * 12 * 16 * 25 + 9 * (6 * 6 * 3 * 16 * 16 + 3 * 3 * (16 * 24 + 24 * 24))
    dense = 3 * 3 * 24 * 10  # a weight for every pixel of the last map
    expected = Cost(conv(1, 16, 5) + blocks + dense + 10, macs + dense)
    assert cost(build("edge-xs")) == expected
    assert expected.params <= 20_000


def test_a_folding_block_learns_with_the_parameters_of_its_branches() -> None:
    for block, expected in (
        (FoldingBlock(6, 6), conv(6, 6, 3) + conv(6, 6, 1) + 2 * 6),
        (FoldingBlock(6, 9), conv(6, 9, 3) + conv(6, 9, 1)),
        (FoldingBlock(6, 6, stride=2), conv(6, 6, 3) + conv(6, 6, 1)),
    ):
        assert sum(weights.numel() for weights in block.parameters()) == expected


@pytest.mark.parametrize(("name", "blocks"), [("resnet20", 3), ("resnet56", 9)])
def test_cifar_parameters_by_hand(name: str, blocks: int) -> None:
    stages = sum(
        conv(inputs, outputs, 3) + (2 * blocks - 1) * conv(outputs, outputs, 3)
        for inputs, outputs in ((16, 16), (16, 32), (32, 64))
    )
    assert cost(build(name)).params == conv(1, 16, 3) + stages + 64 * 10 + 10


@pytest.mark.parametrize(("name", "blocks"), [("20", 3), ("56", 9)])
def test_cifar_networks_have_6n_plus_2_layers(name: str, blocks: int) -> None:
    for family in ("resnet", "plain"):
        layers = [
            layer
            for layer in build(family + name).modules()
            if isinstance(layer, nn.Conv2d | nn.Linear)
        ]
        assert len(layers) == 6 * blocks + 2 == int(name)


def test_edge_and_resnet3_stages_have_the_sizes_they_state() -> None:
    assert block_shapes("resnet3") == [(64, 14, 14), (256, 7, 7), (512, 4, 4)]
    assert block_shapes("edge") == [(32, 6, 6), (32, 6, 6), (64, 3, 3), (64, 3, 3)]
    assert block_shapes("edge-xs") == [(16, 6, 6)] * 3 + [(24, 3, 3)] * 2
    assert block_shapes("resnet20") == [(16, 28, 28)] * 3 + [(32, 14, 14)] * 3 + [(64, 7, 7)] * 3


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_says_what_networks_cost(name: str) -> None:
    told = catalogue.NETWORKS[name]
    assert Cost(told.params, told.macs) == cost(build(name))
    assert told.shortcuts == architecture(name).shortcuts


def test_the_catalogue_has_the_networks_of_the_zoo_in_its_order() -> None:
    assert list(catalogue.NETWORKS) == NAMES


def test_resnet3_has_about_4_75_million_parameters() -> None:
    assert cost(build("resnet3")).params == pytest.approx(4.75e6, rel=0.03)


def test_resnet18_is_torchvisions_apart_from_its_stem() -> None:
    from torchvision.models import resnet18

    theirs = {name: value.shape for name, value in resnet18(num_classes=10).state_dict().items()}
    ours = {name: value.shape for name, value in build("resnet18").body.state_dict().items()}
    assert ours.pop("conv1.weight") == (64, 1, 7, 7)
    assert theirs.pop("conv1.weight") == (64, 3, 7, 7)
    assert ours == theirs


def test_resnet18_computes_what_torchvisions_does() -> None:
    from torchvision.models import resnet18

    network, theirs = settled(build("resnet18")), resnet18(num_classes=10)
    weights = network.body.state_dict()
    # A grey image given three times, to a third of the weights each.
    weights["conv1.weight"] = weights["conv1.weight"].repeat(1, 3, 1, 1) / 3
    theirs.load_state_dict(weights)
    batch = torch.from_numpy(images(4))
    with torch.no_grad():
        expected = theirs.eval()(batch[:, None].float().repeat(1, 3, 1, 1) / 255)
        torch.testing.assert_close(network(batch), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", ["20", "56"])
def test_plain_twin_has_the_parameters_of_option_a_and_no_skips(size: str) -> None:
    plain = build("plain" + size)
    assert cost(plain) == cost(build("resnet" + size, shortcut="zero"))
    blocks = [layer for layer in plain.modules() if isinstance(layer, ResidualBlock)]
    assert [block.shortcut for block in blocks] == [None] * len(blocks)


def test_block_with_dead_convolutions_passes_its_input_on() -> None:
    for shortcut, passed in (("zero", True), (None, False)):
        block = ResidualBlock(4, 4, shortcut=shortcut).eval()
        for layer in block.convolutions.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.zeros_(layer.weight)
        x = torch.rand(2, 4, 6, 6)
        torch.testing.assert_close(block(x), x if passed else torch.zeros_like(x))


def test_zero_shortcut_takes_every_second_pixel_and_fills_with_zeros() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 7, 7)).astype(np.float32)
    expected = np.zeros((3, 10, 4, 4), np.float32)
    for row in range(4):
        for column in range(4):
            expected[:, :4, row, column] = x[:, :, 2 * row, 2 * column]
    np.testing.assert_array_equal(ZeroShortcut(4, 10, 2)(torch.from_numpy(x)).numpy(), expected)


def test_projection_adds_just_its_own_parameters() -> None:
    zero = cost(build("resnet20", shortcut="zero"))
    projection = cost(build("resnet20", shortcut="projection"))
    assert projection.params - zero.params == conv(16, 32, 1) + conv(32, 64, 1)
    assert projection.macs - zero.macs == 16 * 32 * 14**2 + 32 * 64 * 7**2


def test_option_a_is_the_default_of_the_cifar_networks() -> None:
    assert cost(build("resnet20")) == cost(build("resnet20", shortcut="zero"))


@pytest.mark.parametrize("name", ["lenet", "", "k5-16", "edge-32", "-16"])
def test_unknown_name_lists_the_zoo(name: str) -> None:
    known = f"choose one of {', '.join(ZOO)}, or a chain such as {CHAIN_EXAMPLE}"
    with pytest.raises(EdgeError, match=f"^there is no model '{name}': {known}$"):
        build(name)


def test_the_example_of_a_chain_is_one() -> None:
    assert build(CHAIN_EXAMPLE).eval()(torch.zeros(2, 28, 28)).shape == (2, 10)
    assert "chain" in architecture(CHAIN_EXAMPLE).what
    with pytest.raises(
        EdgeError, match=f"'{CHAIN_EXAMPLE}' has no shortcut 'zero': leave --shortcut"
    ):
        build(CHAIN_EXAMPLE, shortcut="zero")


def test_unknown_shortcut_lists_the_choices() -> None:
    with pytest.raises(EdgeError, match="no shortcut 'b': choose one of zero, projection"):
        build("resnet20", shortcut="b")


@pytest.mark.parametrize("name", ["edge", "resnet18", "plain20"])
def test_shortcut_is_refused_where_there_is_no_choice(name: str) -> None:
    with pytest.raises(EdgeError, match=f"'{name}' has no shortcut 'zero': leave --shortcut away"):
        build(name, shortcut="zero")


def test_normalisation_is_x_over_255_and_nothing_else() -> None:
    pixels = images(3)
    seen = Network(nn.Identity())(torch.from_numpy(pixels))
    assert seen.shape == (3, 1, 28, 28)
    np.testing.assert_array_equal(seen[:, 0].numpy(), pixels.astype(np.float32) / 255)


def test_uint8_and_float_pixels_give_the_same_logits() -> None:
    network, pixels = build("edge-xs").eval(), torch.from_numpy(images(5))
    torch.testing.assert_close(network(pixels), network(pixels.float()), atol=0, rtol=0)


def test_temperature_divides_the_logits() -> None:
    network, pixels = build("edge-xs").eval(), torch.from_numpy(images(5))
    before = network(pixels)
    network.temperature.fill_(4.0)
    torch.testing.assert_close(network(pixels), before / 4)


def test_answer_does_not_depend_on_the_batch_size() -> None:
    network, pixels = settled(build("edge-xs")), images(17)
    whole = network.predict_logits(pixels)
    for batch in (1, 5, 17):
        np.testing.assert_allclose(network.predict_logits(pixels, batch), whole, atol=1e-5)


def widest(network: Network) -> int:
    """How many values the largest map has, measured."""
    sizes = [0]
    for layer in network.modules():
        layer.register_forward_hook(lambda layer, inputs, output: sizes.append(output[0].numel()))
    network(torch.zeros(2, 28, 28))
    return max(sizes)


@pytest.mark.parametrize("name", [*ZOO, "1000-1s9", "8k5s2v-300-20s2", "3s9-9-9"])
def test_a_networks_widest_map_is_known_and_not_overstated_by_much(name: str) -> None:
    found = widest(build(name))
    assert found <= build(name).widest
    assert build(name).widest <= 1.4 * found or name in ZOO
    assert build(name).widest * 1000 <= 16 << 20 or name not in ZOO


def test_a_network_of_wide_maps_answers_fewer_images_at_once() -> None:
    """A stranger's checkpoint may be small, and its maps may not."""
    seen: list[int] = []
    for name in ("resnet20", "edge", "resnet3", "1000-1s9"):
        network = build(name)
        network.register_forward_pre_hook(lambda layer, inputs: seen.append(len(inputs[0])))
        network.predict_logits(images(30))
    assert seen == [30, 30, 30, 21, 9]


def test_a_chain_is_only_so_long() -> None:
    build("-".join(["1"] * 101))
    with pytest.raises(EdgeError, match="a chain of 101 blocks is too long: at most 100"):
        build("-".join(["1"] * 102))


def test_answer_takes_images_that_nobody_may_write_to() -> None:
    network, pixels = build("edge-xs"), images(3)
    pixels.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert network.predict_logits(pixels).shape == (3, 10)


def test_answer_uses_eval_mode_and_leaves_the_network_as_it_was() -> None:
    network, pixels = settled(build("edge-xs")), images(9)
    expected = network.predict_logits(pixels)
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    np.testing.assert_array_equal(network.predict_logits(pixels), expected)
    assert network.training
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], atol=0, rtol=0)


def test_cost_leaves_the_network_as_it_was() -> None:
    network = build("edge-xs")
    mean = next(layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d))
    before = None if mean.running_mean is None else mean.running_mean.clone()
    cost(network)
    assert network.training
    torch.testing.assert_close(mean.running_mean, before)
    assert not [layer for layer in network.modules() if layer._forward_hooks]
    assert any(isinstance(layer, FoldingBlock) for layer in network.modules())


def test_folding_draws_nothing_from_the_global_random_state() -> None:
    network = build("edge-xs").eval()
    before = torch.get_rng_state()
    fold_blocks(network)
    torch.testing.assert_close(torch.get_rng_state(), before, atol=0, rtol=0)


def test_the_seed_decides_the_initial_weights() -> None:
    def weights(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return torch.cat([p.flatten() for p in build("edge").parameters()])

    torch.testing.assert_close(weights(1), weights(1), atol=0, rtol=0)
    assert not torch.equal(weights(1), weights(2))


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(6, 6, 1), (6, 9, 1), (6, 9, 2)])
def test_a_folded_block_computes_what_its_branches_did(
    inputs: int, outputs: int, stride: int
) -> None:
    torch.manual_seed(0)
    block = FoldingBlock(inputs, outputs, stride)
    assert (block.identity is not None) == (inputs == outputs and stride == 1)
    for layer in block.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight, layer.running_var):
                nn.init.uniform_(values, 0.5, 2)  # type: ignore[arg-type]
            for values in (layer.bias, layer.running_mean):
                nn.init.normal_(values)  # type: ignore[arg-type]
    x = torch.randn(3, inputs, 7, 7)
    one = block.eval().fold()
    assert [type(layer) for layer in one] == [nn.Conv2d, nn.ReLU]
    with torch.no_grad():
        torch.testing.assert_close(one(x), block(x), atol=1e-5, rtol=1e-5)


def test_every_block_of_a_network_folds() -> None:
    network = settled(build("8k5s2-8-16s2-24s2"))
    seen = torch.from_numpy(images(5))
    with torch.no_grad():
        before = network(seen)
        fold_blocks(network)
        torch.testing.assert_close(network(seen), before, atol=1e-4, rtol=1e-4)
    kinds = [type(layer) for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert len(kinds) == 4
    assert not any(isinstance(layer, FoldingBlock) for layer in network.modules())


def test_a_chain_is_its_own_name() -> None:
    network = build("16k5s2-32s2-32-48s2", classes=7)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    wide = [layer for layer in convolutions if layer.kernel_size != (1, 1)]
    assert [layer.out_channels for layer in wide] == [16, 32, 32, 48]
    assert [layer.kernel_size[0] for layer in wide] == [5, 3, 3, 3]
    assert [layer.stride[0] for layer in wide] == [2, 2, 1, 2]
    assert network.eval()(torch.zeros(2, 28, 28)).shape == (2, 7)


@pytest.mark.parametrize(("spec", "side"), [("8k5s2v", 12), ("8v", 26), ("8k9v", 20), ("8s3v", 9)])
def test_a_stem_without_padding_gives_what_the_kernel_fits_into(spec: str, side: int) -> None:
    assert block_shapes(f"{spec}-6-4s2") == [(6, side, side), (4, -(-side // 2), -(-side // 2))]


def test_what_a_stem_leaves_away_is_three_wide_and_of_stride_one() -> None:
    assert str(build("16-32s1")) == str(build("16k3s1-32"))
    assert str(build("16k3s1-32")) != str(build("16k3s1v-32"))


def test_a_flat_chain_has_weights_of_its_own_for_each_pixel_of_the_last_map() -> None:
    averaged, flat = (build(f"8k5s2v-6s2{head}", classes=7) for head in ("", "-flat"))
    assert cost(flat).params - cost(averaged).params == 7 * 6 * (6 * 6 - 1)
    state = averaged.state_dict()
    last = next(reversed([name for name in state if name.endswith("weight")]))
    state[last] = state[last].repeat_interleave(6 * 6, dim=1) / (6 * 6)  # an average
    flat.load_state_dict({name.replace("body.5", "body.4"): one for name, one in state.items()})
    seen = torch.from_numpy(images(3))
    with torch.no_grad():
        torch.testing.assert_close(flat.eval()(seen), averaged.eval()(seen))


@pytest.mark.parametrize("stride", range(1, 10))
@pytest.mark.parametrize("valid", ["", "v"])
def test_a_chain_may_shrink_by_any_stride(stride: int, valid: str) -> None:
    spec = f"8s{stride}{valid}-8s2-8s{stride}"
    assert build(spec).eval()(torch.zeros(2, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(
    "name",
    [
        *("16", "16-", "16--32", "16k4-32", "16k11-32", "16s0-8", "16vs2-8", "16s2k3-8", "0-16"),
        *("16-flat", "16-flat-32", "16-32-flat-flat", "16-32-flats2"),
        *("16-32v", "16s2-32k3", "16-k3", "16-0", "1e3-8", "16-32 ", "16\n-32", "16-032"),
    ],
)
def test_no_chain_is_no_model(name: str) -> None:
    with pytest.raises(
        EdgeError, match=f"^'{name}' is no chain such as {CHAIN_EXAMPLE}: channels, k"
    ):
        build(name)
