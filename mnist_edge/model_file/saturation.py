"""Whether int8 sums can saturate on some CPU, told by a file's weights alone.

x86 without VNNI multiplies uint8 by int8 with `vpmaddubsw`, which adds two neighbouring products in
16 bits and saturates (Intel, Intrinsics Guide). 255 · (|a| + |b|) must not pass 32,767, so two
weights that add up to at most 128 cannot saturate, in whatever order a kernel lays them: a bound on
the file, for every machine.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mnist_edge.model_file.graph import Graph, Node

LARGEST_PAIR = 32_767 // 255
"""Of |a| + |b|, neighbouring int8 weights, that cannot saturate."""

# Operator -> which input holds the weights.
_CONVOLUTIONS = {"Conv": 1, "QLinearConv": 3, "ConvInteger": 1}
_PRODUCTS = {
    "Gemm": 1,
    "MatMul": 1,
    "QGemm": 3,
    "QLinearMatMul": 3,
    "MatMulInteger": 1,
    "DynamicQuantizeMatMul": 1,
    "MatMulIntegerToFloat": 1,
}


def widest_pair(graph: Graph) -> int:
    """The largest |a| + |b| of two int8 weights that go into the same sum; 0 without int8."""
    widest = 0
    for weights in _weights(graph):
        rows = np.sort(np.abs(weights.astype(np.int64)), axis=1)
        widest = max(widest, int(rows[:, -2:].sum(axis=1).max(initial=0)))
    return widest


def _weights(graph: Graph) -> Iterator[NDArray[np.int8]]:
    """The int8 constants of convolutions and products, int8 (sums, weights of each)."""
    dequantized = {
        node.outputs[0]: node.inputs[0]
        for node in graph.nodes
        if node.op == "DequantizeLinear" and node.inputs and node.outputs
    }
    uses = [(node, node.inputs[at]) for node in graph.nodes if (at := _place(node)) is not None]
    found = [(node, dequantized.get(name, name)) for node, name in uses]
    # What moves weights about between the two is not followed: such count by their first axis.
    elsewhere = set(dequantized.values()) - {name for _, name in found}
    for one, name in [*found, *((None, name) for name in elsewhere)]:
        constant = graph.constants.get(name)
        values = constant.values() if constant else None
        if values is not None and values.dtype == np.int8 and values.ndim > 1 and values.size:
            yield _by_sums(one, values)


def _place(node: Node) -> int | None:
    """Which of its inputs are a node's weights; None where it has none."""
    at = (_CONVOLUTIONS | _PRODUCTS).get(node.op)
    return at if at is not None and at < len(node.inputs) else None


def _by_sums(node: Node | None, values: NDArray[np.int8]) -> NDArray[np.int8]:
    """The weights of each sum in a row: a convolution's by output channel, a product's by column
    of its matrix, or by row where that is transposed."""
    if node is None or node.op in _CONVOLUTIONS:
        return values.reshape(len(values), -1)
    if not node.attributes.get("transB"):
        values = np.moveaxis(values, -2, -1)
    return values.reshape(-1, values.shape[-1])
