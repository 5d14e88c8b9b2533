from pathlib import Path

import numpy as np
import onnx
import pytest

import mnist_edge
from mnist_edge.benchmark import kernels
from mnist_edge.benchmark.kernels import Deviation, deviation
from mnist_edge.lab.export.qdq import Quantizer
from mnist_edge.model_file.contract import INPUT
from mnist_edge.preprocess import render_digits

EXPORTED = Path(mnist_edge.__file__).parent.parent / "exported"
FEED = {INPUT: np.zeros((1, 28, 28), np.uint8)}


def convolutions(name: str) -> list[str]:
    """The names of a shipped file's convolutions."""
    nodes = onnx.load(EXPORTED / f"{name}.onnx").graph.node
    found = [node.name for node in nodes if node.op_type == "Conv"]
    assert len(found) >= 4
    return found


@pytest.mark.parametrize("name", ["edge-int8", "edge-xs-int8", "resnet3-int8"])
def test_every_layer_of_a_shipped_int8_file_runs_in_int8(name: str) -> None:
    found, count = kernels.profile_kernels(EXPORTED / f"{name}.onnx", FEED), len(convolutions(name))
    assert (found.int8_convolutions, found.convolutions) == (count, count)
    assert (found.int8_products, found.products) == (1, 1)
    assert found.in_float == ()
    assert found.any_int8
    assert found.nodes > count + 1


@pytest.mark.parametrize("name", ["edge", "edge-xs"])
def test_an_int8_file_has_all_layers_of_the_other(name: str) -> None:
    assert len(convolutions(f"{name}-int8")) == len(convolutions(name))


def test_an_fp32_file_has_no_int8_kernel() -> None:
    found, count = kernels.profile_kernels(EXPORTED / "edge.onnx", FEED), len(convolutions("edge"))
    assert (found.int8_convolutions, found.convolutions, found.int8_products) == (0, count, 0)
    assert len(found.in_float) == count + 1
    assert not found.any_int8


def test_a_layer_that_was_left_in_float_is_named(tmp_path: Path) -> None:
    model, layers = onnx.load(EXPORTED / "edge-xs.onnx"), convolutions("edge-xs")
    mixed = Quantizer(model, render_digits(32), "minmax").quantize((layers[2],))
    onnx.save(mixed, tmp_path / "mixed.onnx")
    found = kernels.profile_kernels(tmp_path / "mixed.onnx", FEED)
    assert (found.int8_convolutions, found.convolutions) == (len(layers) - 1, len(layers))
    assert len(found.in_float) == 1
    assert found.any_int8


def test_looking_leaves_no_profile_behind(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kernels.profile_kernels(tiny_model, FEED)
    assert list(tmp_path.iterdir()) == [tiny_model]


def logits(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 5, (500, 10)).astype(np.float32)


def test_a_deviation_counts_labels_and_measures_logits_in_quanta() -> None:
    reference, found = logits(), logits()
    found[7, found[7].argmin()] = found[7].max() + 1
    expected = float(np.abs(found - reference).max())
    result = deviation(reference, found)
    assert (result.images, result.changed) == (500, 1)
    assert result.max_logit_difference == pytest.approx(expected)
    assert result.quantum == pytest.approx(float(np.ptp(reference)) / 255)
    assert result.limit == pytest.approx(4 * result.quantum)


@pytest.mark.parametrize(
    ("changed", "difference", "alike"),
    [
        (0, 0.0, True),
        (1, 0.3, True),  # a near tie
        (2, 0.3, False),
        (0, 0.41, False),
        (0, 10.0, False),
        (0, float("nan"), False),
        (0, float("inf"), False),
    ],
)
def test_rounding_is_alike_and_saturation_is_not(
    changed: int, difference: float, alike: bool
) -> None:
    assert Deviation(500, changed, difference, quantum=0.1).alike is alike
