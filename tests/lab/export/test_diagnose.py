import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from mnist_edge import metrics
from mnist_edge.datasets import Dataset
from mnist_edge.lab.export.diagnose import Diagnosis, LayerNoise, diagnose_layers, sqnr_db
from mnist_edge.lab.export.qdq import WEIGHTED, Quantizer
from mnist_edge.lab.training.models import Network
from mnist_edge.model_file.session import open_session
from tests.helpers.exports import to_onnx_once

Floats = NDArray[np.float32]
BAD, DEAD = "Conv_12", "Conv_10"  # the second block's two convolutions


@dataclass(frozen=True)
class Case:
    quantizer: Quantizer
    images: NDArray[np.uint8]
    found: Diagnosis

    def row(self, name: str) -> LayerNoise:
        (row,) = (row for row in self.found.layers if row.name == name)
        return row


@pytest.fixture(scope="module")
def fp32(residual: Network) -> onnx.ModelProto:
    return to_onnx_once(residual)


@pytest.fixture(scope="module")
def healthy(fp32: onnx.ModelProto, digits: Dataset) -> Case:
    return measured(fp32, digits)


@pytest.fixture(scope="module")
def ill(fp32: onnx.ModelProto, digits: Dataset) -> Case:
    """A network with one bad layer: huge weights, that nothing reaches, in every channel.

    They do no harm in float, for they read a channel that is always 0; in int8 they take the
    scale, and leave the other weights a step or two.
    """
    model = onnx.ModelProto()
    model.CopyFrom(fp32)
    weights, bias = (changeable(model, DEAD, at) for at in (1, 2))
    weights[0], bias[0] = 0, 0
    put(model, DEAD, 1, weights)
    put(model, DEAD, 2, bias)
    weights = changeable(model, BAD, 1)
    weights[:, 0, 1, 1] = 30 * np.abs(weights).max()
    put(model, BAD, 1, weights)
    return measured(model, digits)


def measured(model: onnx.ModelProto, data: Dataset) -> Case:
    quantizer, images = Quantizer(model, data.train.images[:256]), data.test.images[:300]
    return Case(quantizer, images, diagnose_layers(quantizer, images))


def tensor_of(model: onnx.ModelProto, name: str, at: int) -> onnx.TensorProto:
    (node,) = (node for node in model.graph.node if node.name == name)
    found: dict[str, onnx.TensorProto] = {item.name: item for item in model.graph.initializer}
    return found[node.input[at]]


def changeable(model: onnx.ModelProto, name: str, at: int) -> Floats:
    return numpy_helper.to_array(tensor_of(model, name, at)).astype(np.float32)


def put(model: onnx.ModelProto, name: str, at: int, values: Floats) -> None:
    tensor = tensor_of(model, name, at)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


# Decibels.


def test_sqnr_by_hand() -> None:
    signal = np.array([3, 4], np.float32)  # power 25
    assert sqnr_db(signal, signal + np.array([0.3, 0.4], np.float32)) == pytest.approx(20, abs=1e-4)
    assert sqnr_db(signal, np.zeros(2, np.float32)) == pytest.approx(0)
    assert sqnr_db(signal, 2 * signal + np.array([3, 4], np.float32)) == pytest.approx(
        10 * math.log10(25 / 100)
    )


def test_sqnr_at_its_ends() -> None:
    signal, nothing = np.ones(3, np.float32), np.zeros(3, np.float32)
    assert sqnr_db(signal, signal) == math.inf
    assert sqnr_db(nothing, nothing) == math.inf
    assert sqnr_db(nothing, signal) == -math.inf


def test_sqnr_of_an_even_rounding_is_six_decibels_a_bit() -> None:
    """The textbook's 6.02 dB per bit, of a uniform signal."""
    signal = np.random.default_rng(0).uniform(-1, 1, 200_000).astype(np.float32)
    for bits in (4, 6, 8):
        step = 2 / 2**bits
        found = sqnr_db(signal, np.round(signal / step).astype(np.float32) * np.float32(step))
        assert found == pytest.approx(20 * math.log10(2) * bits, abs=0.1)


# Every layer, measured otherwise.


def test_rows_are_the_layers_in_order(healthy: Case, fp32: onnx.ModelProto) -> None:
    layers = [node for node in fp32.graph.node if node.op_type in ("Conv", "Add", "Gemm")]
    assert [row.name for row in healthy.found.layers] == [node.name for node in layers]
    assert healthy.found.images == 300


def test_sums_have_no_weights_and_no_gain(healthy: Case) -> None:
    sums = [row for row in healthy.found.layers if row.name.startswith("Add")]
    assert len(sums) == 2
    for row in sums:
        assert row.what == ""
        assert row.weights_db is None
        assert row.mean_shift is None
        assert healthy.found.gain(row) is None
        assert math.isfinite(row.output_db)


def test_weights_are_rounded_to_seven_bits_per_channel(healthy: Case) -> None:
    for name in healthy.quantizer.layers(WEIGHTED):
        weights = changeable(healthy.quantizer.model, name, 1).astype(np.float64)
        flat = weights.reshape(len(weights), -1)
        scale = np.abs(flat).max(axis=1, keepdims=True) / 64
        noise = flat - np.round(flat / scale) * scale
        expected = 10 * math.log10((flat**2).sum() / (noise**2).sum())
        assert healthy.row(name).weights_db == pytest.approx(expected, abs=0.05)


def test_what_a_layer_is(healthy: Case) -> None:
    assert healthy.row("Conv_4").what == "16→16, 3×3"
    assert healthy.row("Conv_13").what == "16→32, 1×1"


def test_a_chain_has_a_row_for_each_block(chain: Network, digits: Dataset) -> None:
    """What the branches of a block were is folded: its one convolution is what int8 computes."""
    found = measured(to_onnx_once(chain), digits).found.layers
    assert [row.what for row in found] == [
        "4→32, 5×2",
        *["16→16, 3×3"] * 3,
        *("16→24, 3×3", "24→24, 3×3", "216→10"),
    ]
    for row in found:
        # An identity that is folded in towers over its channel's other weights: some decibels less.
        assert row.weights_db is not None
        assert row.weights_db > 25
        assert row.output_db > 15
        assert row.mean_shift is not None


def logits(model: onnx.ModelProto, folder: Path, images: NDArray[np.uint8]) -> Floats:
    onnx.save(model, folder / "run.onnx")
    answer: Floats = open_session(folder / "run.onnx", optimize=False).run(
        ["logits"], {"image": images}
    )[0]
    return answer


def shift(one: Floats, other: Floats) -> float:
    return float(np.abs(metrics.softmax(one) - metrics.softmax(other)).mean())


def test_the_last_layers_output_is_the_logits(
    healthy: Case, fp32: onnx.ModelProto, tmp_path: Path
) -> None:
    before, after = (
        logits(model, tmp_path, healthy.images) for model in (fp32, healthy.quantizer.quantize())
    )
    expected = 10 * math.log10((before**2).sum() / ((before - after) ** 2).sum())
    assert healthy.found.layers[-1].output_db == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("name", ["Conv_2", "Conv_13", "Gemm_18"])
def test_shifts_are_those_of_the_files(
    healthy: Case, fp32: onnx.ModelProto, tmp_path: Path, name: str
) -> None:
    before = logits(fp32, tmp_path, healthy.images)
    whole = shift(before, logits(healthy.quantizer.quantize(), tmp_path, healthy.images))
    without = shift(before, logits(healthy.quantizer.quantize([name]), tmp_path, healthy.images))
    assert healthy.found.mean_shift == pytest.approx(whole, rel=1e-3)
    assert healthy.row(name).mean_shift == pytest.approx(without, rel=1e-3)
    assert healthy.found.gain(healthy.row(name)) == pytest.approx(1 - without / whole, abs=1e-3)


def test_noise_of_a_healthy_network_is_small(healthy: Case) -> None:
    """7 bits of weights give some 35 dB, and a network of eight layers keeps some 20."""
    for row in healthy.found.layers:
        assert row.weights_db is None or row.weights_db > 30
        assert row.output_db > 15


def test_nothing_lost_is_nothing_to_gain() -> None:
    row = LayerNoise("Conv_2", "", 40.0, 40.0, mean_shift=0.0)
    assert Diagnosis((row,), mean_shift=0.0, images=1).gain(row) == 0


def test_progress_is_told(healthy: Case) -> None:
    told: list[tuple[int, int]] = []
    diagnose_layers(
        healthy.quantizer,
        healthy.images[:2],
        lambda done, total: told.append((done, total)),
    )
    count = len(healthy.found.layers)
    assert told == [(done, count) for done in range(count + 1)]


# A bad layer is found.


def test_a_bad_layer_has_the_noisiest_weights(ill: Case) -> None:
    decibels = {row.name: row.weights_db for row in ill.found.layers if row.weights_db is not None}
    others = [value for name, value in decibels.items() if name != BAD]
    assert decibels[BAD] < min(others) - 3


def test_leaving_a_bad_layer_in_float_gains_most(ill: Case) -> None:
    gains = {row.name: ill.found.gain(row) for row in ill.found.layers}
    others = [gain for name, gain in gains.items() if name != BAD and gain is not None]
    bad = gains[BAD]
    assert bad is not None
    assert bad > max(others) + 0.2


def test_noise_shows_from_the_bad_layer_on(ill: Case, healthy: Case) -> None:
    names = [row.name for row in ill.found.layers]
    before, after = names[names.index(BAD) - 1], BAD
    assert ill.row(before).output_db == pytest.approx(healthy.row(before).output_db, abs=5)
    assert ill.row(after).output_db < healthy.row(after).output_db - 5
