import copy

import pytest
import torch
from torch import Tensor, nn

from mnist_edge.lab.training import bf16
from mnist_edge.lab.training.models import build
from tests.lab.conftest import settled

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SHAPES = [(3, 1, 4), (3, 2, 7), (3, 2, 14), (1, 1, 4), (1, 2, 7), (5, 1, 6)]  # kernel, stride, side


def gradients(layer: nn.Module, x: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    y.backward(upstream.to(y.dtype))
    assert x.grad is not None
    (weight,) = layer.parameters()
    assert weight.grad is not None
    return y.float(), x.grad, weight.grad


@pytest.mark.parametrize(("kernel", "stride", "side"), SHAPES)
def test_products_of_matrices_are_the_convolution_and_its_gradients(
    kernel: int, stride: int, side: int
) -> None:
    torch.manual_seed(0)
    usual = nn.Conv2d(64, 24, kernel, stride, kernel // 2, bias=False)
    wide = copy.deepcopy(usual)
    bf16.use_im2col(wide)
    assert type(wide) is not nn.Conv2d
    x = torch.randn(5, 64, side, side).to(memory_format=torch.channels_last)
    upstream = torch.randn_like(usual(x))
    exact = x.clone().requires_grad_()
    expected = usual(exact)
    expected.backward(upstream)
    found = gradients(wide, x, upstream)
    for name, one, other in zip(
        ("output", "input", "weight"),
        (expected, exact.grad, usual.weight.grad),
        found,
        strict=True,
    ):
        assert one is not None
        # 8 bits of mantissa: a product of two rounded values is off by at most 2^-8 of itself.
        error = (one - other).abs().max() / one.abs().max()
        assert error < 0.01, name


def test_the_first_layer_asks_for_no_gradient_of_its_input() -> None:
    layer = nn.Conv2d(64, 8, 3, padding=1, bias=False)
    bf16.use_im2col(layer)
    with torch.autocast("cpu", torch.bfloat16):
        layer(torch.randn(2, 64, 5, 5)).sum().backward()
    assert layer.weight.grad is not None


def test_without_autocast_a_widened_network_is_what_it_was() -> None:
    network = build("resnet3").eval()
    wide = copy.deepcopy(network)
    bf16.use_im2col(wide)
    images = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(network(images), wide(images))
    assert list(wide.state_dict()) == list(network.state_dict())


def test_only_wide_convolutions_without_bias_are_replaced() -> None:
    layers = nn.ModuleList(
        [
            nn.Conv2d(32, 64, 3, padding=1, bias=False),
            nn.Conv2d(64, 64, 3, padding=1),
            nn.Conv2d(64, 64, 3, bias=False),
            nn.Conv2d(64, 64, 3, padding=1, groups=2, bias=False),
            nn.Conv2d(64, 64, 3, padding=2, dilation=2, bias=False),
            nn.Conv2d(64, 64, 3, padding=1, bias=False),
        ]
    )
    bf16.use_im2col(layers)
    assert [type(layer) is nn.Conv2d for layer in layers] == [True] * 5 + [False]


def test_pays_on_gpus_and_for_large_networks_on_cpus_with_amx(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small, large = build("edge-xs"), build("resnet3")
    assert bf16.should_use(small, CUDA)
    for flags, expected in ((("avx2",), False), (("avx2", "amx_bf16"), True)):
        monkeypatch.setattr(bf16, "has_flag", lambda flag, flags=flags: flag in flags)
        assert bf16.should_use(large, CPU) == expected
        assert not bf16.should_use(small, CPU)
    assert not bf16.should_use(large, torch.device("mps"))


def test_the_fastest_form_answers_as_the_network_and_leaves_it_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    network = settled(build("resnet3"))
    images = torch.randint(0, 256, (20, 28, 28), dtype=torch.uint8)
    with torch.no_grad():
        expected = network(images)
        for in_bf16, error in ((False, 1e-5), (True, 0.05)):
            monkeypatch.setattr(bf16, "should_use", lambda *_, should_use=in_bf16: should_use)
            found = bf16.answering(network, CPU)(images)
            assert found.dtype == torch.float32
            assert (found - expected).abs().max() < error * expected.abs().max()
    assert {type(layer) for layer in network.modules() if isinstance(layer, nn.Conv2d)} == {
        nn.Conv2d
    }


def test_narrow_networks_train_channels_last_and_wide_ones_in_float32_do_not() -> None:
    wide, narrow = build("resnet3"), build("edge")
    for in_bf16, layout in ((False, torch.contiguous_format), (True, torch.channels_last)):
        assert bf16.layout(narrow, CPU, in_bf16) == torch.channels_last
        assert bf16.layout(wide, CPU, in_bf16) == layout
        assert bf16.layout(wide, CUDA, in_bf16) == layout
