"""The widest pair of weights of files that other tools quantized: which weights share a sum."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mnist_edge.model_file import graph
from mnist_edge.model_file.saturation import widest_pair

WEIGHTS = np.array([[100, 1, 2], [90, -3, 60]], np.int8)  # rows: 102, 150; columns: 190, 4, 62


def made(nodes: list[onnx.NodeProto], weights: np.ndarray = WEIGHTS) -> graph.Graph:
    constants = {"w": weights, "s": np.float32(0.1), "z": np.int8(0), "u": np.uint8(0)}
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "quantized",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.array(own), name) for name, own in constants.items()],
        )
    )
    return graph.read(model.SerializeToString())


def qdq(op: str, **attributes: Any) -> list[onnx.NodeProto]:
    return [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["f"]),
        helper.make_node(op, ["x", "f"], ["y"], **attributes),
    ]


@pytest.mark.parametrize(
    ("nodes", "widest"),
    [
        (qdq("MatMul"), 190),
        (qdq("Gemm"), 190),
        (qdq("Gemm", transB=1), 150),
        (qdq("Conv"), 150),
        (qdq("Reshape"), 150),  # not followed: by the first axis
        ([helper.make_node("MatMulInteger", ["x", "w"], ["y"])], 190),
        ([helper.make_node("QLinearMatMul", ["x", "s", "u", "w", "s", "z", "s", "u"], ["y"])], 190),
        ([helper.make_node("QLinearConv", ["x", "s", "u", "w", "s", "z", "s", "u"], ["y"])], 150),
        ([helper.make_node("Relu", ["x"], ["y"])], 0),
    ],
)
def test_the_weights_of_one_sum_are_paired(nodes: list[onnx.NodeProto], widest: int) -> None:
    assert widest_pair(made(nodes)) == widest


def test_unsigned_weights_and_floats_have_no_pairs() -> None:
    assert widest_pair(made(qdq("MatMul"), WEIGHTS.astype(np.float32))) == 0
    assert widest_pair(made(qdq("MatMul"), WEIGHTS.view(np.uint8))) == 0


def test_the_least_of_all_numbers_counts_as_it_is() -> None:
    """-128 has no positive of its own in eight bits."""
    lowest = np.full((2, 1), -128, np.int8)
    assert widest_pair(made(qdq("MatMul"), lowest)) == 256
