"""Small networks of others, really trained: for one form of pixels each, so that it is known which.

784-32-10 with a ReLU, by Adam, in NumPy: a second each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mnist_edge.datasets import Split
from tests.backends.foreign import Preparation

Floats = NDArray[np.float32]
HIDDEN, BATCH, STEPS = 32, 64, 500


@dataclass(frozen=True)
class Net:
    """What a network was trained for: `shape` of its input, and its last node, "" for logits."""

    name: str
    made_for: Preparation
    shape: Sequence[int | str] = ("N", 1, 28, 28)
    last: str = ""


UNIT, NORMALISED = (1 / 255, 0.0), (1 / (255 * 0.3081), 255 * 0.1307)
NETS = [
    Net("unit", Preparation(*UNIT)),
    Net("normalised", Preparation(*NORMALISED), last="LogSoftmax"),
    Net("normalised-one", Preparation(*NORMALISED), (1, 1, 28, 28), "Softmax"),
    Net("raw", Preparation(), ("N", 28, 28, 1), "Softmax"),
    Net("raw-scores", Preparation(), last="Sigmoid"),
    Net("signed", Preparation(1 / 127.5, 127.5), ("N", 784), "Sigmoid"),
    Net("paper", Preparation(*UNIT, invert=True), ("N", 28, 28)),
]


def train(net: Net, data: Split, seed: int = 0, steps: int = STEPS) -> list[Floats]:
    """Weights and biases: cross-entropy, or the binary one of each class behind a Sigmoid."""
    random = np.random.default_rng(seed)
    pixels = net.made_for.of(data.images).reshape(len(data), -1).astype(np.float32)
    size = float(np.sqrt((pixels**2).mean()))
    weights: list[Floats] = [
        (random.normal(size=shape) * scale).astype(np.float32)
        for shape, scale in (
            ((784, HIDDEN), np.sqrt(2 / 784) / size),
            ((1, HIDDEN), 0.0),
            ((HIDDEN, 10), np.sqrt(2 / HIDDEN)),
            ((1, 10), 0.0),
        )
    ]
    rates = [0.003 / size, 0.003, 0.003, 0.003]
    moments = [(np.zeros_like(own), np.zeros_like(own)) for own in weights]
    for step in range(1, steps + 1):
        some = random.integers(0, len(data), BATCH)
        slopes = _slopes(
            net, weights, pixels[some], np.eye(10, dtype=np.float32)[data.labels[some]]
        )
        for own, slope, (first, second), rate in zip(weights, slopes, moments, rates, strict=True):
            first += 0.1 * (slope - first)
            second += 0.001 * (slope**2 - second)
            step_size = (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
            own -= np.float32(rate) * step_size
    return weights


def _slopes(net: Net, weights: list[Floats], pixels: Floats, wanted: Floats) -> list[Floats]:
    hidden = np.maximum(pixels @ weights[0] + weights[1], 0)
    logits = hidden @ weights[2] + weights[3]
    if net.last == "Sigmoid":
        answers = 1 / (1 + np.exp(-logits))
    else:
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        answers = powers / powers.sum(axis=1, keepdims=True)
    wrong = (answers - wanted) / len(pixels)
    back = (wrong @ weights[2].T) * (hidden > 0)
    return [
        pixels.T @ back,
        back.sum(0, keepdims=True),
        hidden.T @ wrong,
        wrong.sum(0, keepdims=True),
    ]


def write(folder: Path, net: Net, weights: list[Floats]) -> Path:
    """The network as an ONNX file."""
    names = ["w1", "b1", "w2", "b2"]
    nodes = [
        helper.make_node("Reshape", ["in", "flat"], ["pixels"]),
        helper.make_node("Gemm", ["pixels", "w1", "b1"], ["before"]),
        helper.make_node("Relu", ["before"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "w2", "b2"], ["logits" if net.last else "out"]),
    ]
    if net.last:
        nodes.append(helper.make_node(net.last, ["logits"], ["out"]))
    graph = helper.make_graph(
        nodes,
        net.name,
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, net.shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [net.shape[0], 10])],
        [
            numpy_helper.from_array(np.array([-1, 784]), "flat"),
            *(numpy_helper.from_array(own, name) for own, name in zip(weights, names, strict=True)),
        ],
    )
    path = folder / f"{net.name}.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)
    onnx.save(model, path)
    return path
