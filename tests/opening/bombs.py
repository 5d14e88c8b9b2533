"""ONNX files of a few hundred bytes that ask for gigabytes, or never end.

Each takes uint8 (N, 28, 28) as `image` and gives float32 (N, 10) as `logits`, as the contract
wants it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from mnist_edge.contract import Card


def one_huge_constant() -> onnx.ModelProto:
    """A vector of 4 GiB, which is added up."""
    return _model(
        [
            helper.make_node("ConstantOfShape", ["size"], ["huge"]),
            helper.make_node("ReduceSum", ["huge", "first"], ["sum"], keepdims=0),
            helper.make_node("Add", ["grey", "sum"], ["one"]),
        ],
        size=[1 << 30],
        first=[0],
    )


def wide_padding() -> onnx.ModelProto:
    """An image with a margin of 15,000 pixels: 36 GB of it."""
    return _model(
        [
            helper.make_node("Reshape", ["float", "planes"], ["plane"]),
            helper.make_node("Conv", ["plane", "kernel"], ["wide"], pads=[15_000] * 4),
            helper.make_node("GlobalMaxPool", ["wide"], ["top"]),
            helper.make_node("Flatten", ["top"], ["one"]),
        ],
        planes=[-1, 1, 28, 28],
        kernel=np.ones((1, 1, 3, 3), np.float32),
    )


def doubling() -> onnx.ModelProto:
    """An image beside itself, thirty times over."""
    nodes = [helper.make_node("Concat", [f"x{at}"] * 2, [f"x{at + 1}"], axis=1) for at in range(30)]
    return _model(
        [
            helper.make_node("Identity", ["float"], ["x0"]),
            *nodes,
            helper.make_node("ReduceMax", ["x30"], ["top"], axes=[1, 2], keepdims=0),
            helper.make_node("Reshape", ["top", "column"], ["one"]),
        ],
        column=[-1, 1],
    )


def many_constants() -> onnx.ModelProto:
    """Forty constants of 40 MB, which an optimizer works out once and for all."""
    nodes: list[NodeProto] = [helper.make_node("Identity", ["grey"], ["sum0"])]
    for at in range(40):
        nodes += [
            helper.make_node("Expand", [f"value{at}", "size"], [f"large{at}"]),
            helper.make_node("Add", [f"large{at}", f"sum{at}"], [f"with{at}"]),
            helper.make_node("ReduceMax", [f"with{at}"], [f"top{at}"], axes=[0], keepdims=1),
            helper.make_node("Reshape", [f"top{at}", "column"], [f"sum{at + 1}"]),
        ]
    values = {f"value{at}": [[float(at)]] for at in range(40)}
    nodes.append(helper.make_node("Add", ["sum40", "grey"], ["one"]))
    return _model(nodes, size=[10_000_000, 1], column=[-1, 1], **values)


def endless_loop() -> onnx.ModelProto:
    """A trillion rounds of nothing."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["goes"]),
            helper.make_node("Sin", ["value"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    return _model(
        [helper.make_node("Loop", ["rounds", "", "grey"], ["one"], body=body)],
        rounds=np.array(10**12, np.int64),
    )


def averaging() -> bytes:
    """No bomb: all ten logits are the image's sum, 2 kB with a card."""
    from tests.conftest import make_card

    model = _model([helper.make_node("Identity", ["grey"], ["one"])])
    helper.set_model_props(model, make_card().to_metadata())
    return bytes(model.SerializeToString())


TOO_LARGE: dict[str, Callable[[], onnx.ModelProto]] = {
    make.__name__: make for make in (one_huge_constant, wide_padding, doubling, many_constants)
}


def write(path: Path, model: onnx.ModelProto, card: Card | None = None) -> Path:
    """Save it, with a card as if it were ours where one is given."""
    if card:
        helper.set_model_props(model, card.to_metadata())
    onnx.save(model, path)
    return path


def _model(nodes: Sequence[NodeProto], **constants: object) -> onnx.ModelProto:
    """A graph that has `float`, the image, and `grey` (N, 1), its sum, and makes `one` (N, 1)."""
    values = {"sides": [1, 2], "ten": np.ones((1, 10), np.float32), **constants}
    before = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["float", "sides"], ["grey0"], keepdims=0),
        helper.make_node("Unsqueeze", ["grey0", "second"], ["grey"]),
    ]
    values["second"] = [1]
    graph = helper.make_graph(
        [*before, *nodes, helper.make_node("Mul", ["one", "ten"], ["logits"])],
        "bomb",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(_array(value), name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _array(value: object) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """Whole numbers as sizes, int64; others float32."""
    if isinstance(value, np.ndarray):
        return value
    array = np.array(value)
    return array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
