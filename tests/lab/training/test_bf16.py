import pytest
import torch

from mnist_edge.lab.training import bf16
from mnist_edge.lab.training.models import build
from tests.lab.conftest import settled

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_pays_on_gpus_and_for_large_networks_on_cpus_that_multiply_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small, large = build("edge-xs"), build("resnet3")
    assert bf16.should_use(small, CUDA)
    for flags in ({"avx2"}, {"avx2", "avx512_bf16"}, {"avx2", "amx_bf16"}):
        monkeypatch.setattr(bf16, "has_flag", flags.__contains__)
        assert bf16.should_use(large, CPU) == (flags > {"avx2"})
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
            found = bf16.logits_function(network, CPU)(images)
            assert found.dtype == torch.float32
            assert (found - expected).abs().max() < error * expected.abs().max()
        assert torch.equal(network(images), expected)
    assert all(parameter.is_contiguous() for parameter in network.parameters())


def test_narrow_networks_train_channels_last_and_wide_ones_in_float32_do_not() -> None:
    wide, narrow = build("resnet3"), build("edge")
    for in_bf16, layout in ((False, torch.contiguous_format), (True, torch.channels_last)):
        assert bf16.memory_format(narrow, CPU, in_bf16) == torch.channels_last
        assert bf16.memory_format(wide, CPU, in_bf16) == layout
        assert bf16.memory_format(wide, CUDA, in_bf16) == layout
