"""ONNX files of a few hundred bytes that ask for gigabytes, or never end.

Each takes uint8 (N, 28, 28) as `image` and gives float32 (N, 10) as `logits`, as the contract
wants it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from mnist_edge.model_file.contract import Card


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


def kernel_of_millions() -> onnx.ModelProto:
    """The largest of 250,000 pixels, for each of 250,000 places: one operator, which nothing
    interrupts."""
    return _pooled(helper.make_node("MaxPool", ["wide"], ["pooled"], kernel_shape=[500, 500]))


def norm_of_millions() -> onnx.ModelProto:
    return _pooled(helper.make_node("LpPool", ["wide"], ["pooled"], kernel_shape=[500, 500]))


def _pooled(pool: NodeProto) -> onnx.ModelProto:
    return _model(
        [
            helper.make_node("Reshape", ["grey", "planes"], ["plane"]),
            helper.make_node("Expand", ["plane", "size"], ["wide"]),
            pool,
            helper.make_node("GlobalMaxPool", ["pooled"], ["top"]),
            helper.make_node("Reshape", ["top", "column"], ["one"]),
        ],
        planes=[-1, 1, 1, 1],
        size=[1, 1, 1000, 1000],
        column=[-1, 1],
    )


def many_products() -> onnx.ModelProto:
    """A chain of products of matrices, 8 MB each, that would take hours."""
    nodes = [helper.make_node("Expand", ["grey", "size"], ["m0"])]
    nodes += [helper.make_node("MatMul", [f"m{at}"] * 2, [f"m{at + 1}"]) for at in range(40)]
    nodes.append(helper.make_node("ReduceMax", ["m40"], ["one"], axes=[1], keepdims=1))
    return _model(nodes, size=[1400, 1400])


def sizes_of_the_picture() -> onnx.ModelProto:
    """As many numbers as the image is grey: none for a blank one."""
    return _model(
        [
            helper.make_node("Mul", ["grey", "much"], ["more"]),
            helper.make_node("Cast", ["more"], ["size0"], to=TensorProto.INT64),
            helper.make_node("Reshape", ["size0", "flat"], ["size"]),
            helper.make_node("ConstantOfShape", ["size"], ["huge"]),
            helper.make_node("ReduceSum", ["huge"], ["sum"], keepdims=0),
            helper.make_node("Add", ["grey", "sum"], ["one"]),
        ],
        much=np.array([[1e4]], np.float32),
        flat=[-1],
    )


def places_of_ink() -> onnx.ModelProto:
    """Where 200 million numbers are not 0."""
    return _model(
        [
            helper.make_node("Expand", ["grey", "size"], ["wide"]),
            helper.make_node("NonZero", ["wide"], ["places"]),
            helper.make_node("Shape", ["places"], ["count0"]),
            helper.make_node("Cast", ["count0"], ["count"], to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", ["count"], ["sum"], keepdims=0),
            helper.make_node("Add", ["grey", "sum"], ["one"]),
        ],
        size=[1, 50_000_000],
    )


def doubled_texts() -> onnx.ModelProto:
    """A text beside itself, thirty times over."""
    nodes = [helper.make_node("StringConcat", [f"t{at}"] * 2, [f"t{at + 1}"]) for at in range(30)]
    nodes.append(helper.make_node("Identity", ["grey"], ["one"]))
    model = _model(nodes)
    model.graph.initializer.append(numpy_helper.from_array(np.array(["text"], object), "t0"))
    model.opset_import[0].version = 20
    return model


def many_texts() -> onnx.ModelProto:
    """A text of 900 bytes, millions of times."""
    model = _model(
        [
            helper.make_node("Expand", ["text", "size"], ["texts"]),
            helper.make_node("Identity", ["grey"], ["one"]),
        ],
        size=[10_000_000],
    )
    model.graph.initializer.append(
        numpy_helper.from_array(np.array(["text" * 225], object), "text")
    )
    return model


def all_pairs() -> onnx.ModelProto:
    """Every image of a call with every other: little for one, 270 GB for many."""
    return _model(
        [
            helper.make_node("Reshape", ["grey", "row"], ["across"]),
            helper.make_node("Add", ["grey", "across"], ["pairs"]),
            helper.make_node("Expand", ["pairs", "size"], ["wide"]),
            helper.make_node("ReduceMax", ["wide"], ["top"], axes=[0, 2], keepdims=0),
            helper.make_node("Reshape", ["top", "column"], ["one"]),
        ],
        row=[1, -1],
        size=[1000, 1, 1],
        column=[-1, 1],
    )


def blocks_of_one_output() -> onnx.ModelProto:
    """Weights of 8 bits for a single output, 6 MB, which ONNX Runtime unpacks to floats and lays
    out in blocks of 16 outputs: 384 MB."""
    wide = 6_000_000
    return _model(
        [
            helper.make_node("DequantizeLinear", ["w8", "scale"], ["w"]),
            helper.make_node("Reshape", ["grey", "planes"], ["plane"]),
            helper.make_node("Expand", ["plane", "size"], ["wide"]),
            helper.make_node("Conv", ["wide", "w"], ["pixel"]),
            helper.make_node("Reshape", ["pixel", "column"], ["one"]),
        ],
        w8=np.ones((1, wide, 1, 1), np.int8),
        scale=np.array(1, np.float32),
        planes=[-1, 1, 1, 1],
        size=[1, wide, 1, 1],
        column=[-1, 1],
    )


def thrown_dice() -> onnx.ModelProto:
    return _model(
        [
            helper.make_node("RandomNormalLike", ["grey"], ["dice"]),
            helper.make_node("Add", ["grey", "dice"], ["one"]),
        ]
    )


TOO_LARGE: dict[str, Callable[[], onnx.ModelProto]] = {
    make.__name__: make for make in (one_huge_constant, wide_padding, doubling, many_constants)
}
REFUSALS: dict[Callable[[], onnx.ModelProto], str] = {
    one_huge_constant: "an answer takes more than 256 MB",
    wide_padding: "an answer takes more than 256 MB",
    doubling: "an answer takes more than 256 MB",
    many_constants: "an answer takes more than 256 MB",
    endless_loop: "it has graphs within its graph",
    kernel_of_millions: "an answer takes 251 billion steps, more than 20",
    norm_of_millions: "an answer takes 1,004 billion steps, more than 20",
    many_products: "an answer takes 110 billion steps, more than 20",
    sizes_of_the_picture: "the sizes that ConstantOfShape makes depend on the picture",
    places_of_ink: "it has the operator NonZero",
    doubled_texts: "it has the operator StringConcat",
    many_texts: "Expand works on texts",
    all_pairs: "its work grows faster than the number of images of a call",
    blocks_of_one_output: "an answer takes more than 256 MB",
    thrown_dice: "it has the operator RandomNormalLike",
}
"""Each, and why it is refused before it is opened."""


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
