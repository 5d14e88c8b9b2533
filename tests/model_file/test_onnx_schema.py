"""What is known of onnx.proto, against the onnx package; and that nothing else is read."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from mnist_edge.model_file import graph, onnx_schema
from mnist_edge.model_file.onnx_schema import MESSAGES, REFUSED, RefusedError
from tests.conftest import write_tiny_model
from tests.model_file.test_protobuf import varint

_SCALARS = {2: "float", 3: "int64", 5: "int32", 9: "string", 12: "bytes", 14: "enum"}
_DATA = {1: "doubles", 2: "floats", 3: "varints", 4: "varints", 5: "varints"}
_RENAMED = {("AttributeProto", "GraphProto"): "Subgraph", ("AttributeProto", "TypeProto"): "Types"}


def descriptors() -> dict[str, Any]:
    found: dict[str, Any] = {}

    def add(message: Any) -> None:
        found[message.name] = message
        for inner in message.nested_types:
            add(inner)

    for message in onnx.onnx_ml_pb2.DESCRIPTOR.message_types_by_name.values():
        add(message)
    return found


@pytest.mark.parametrize("name", MESSAGES)
def test_every_field_is_known_as_onnx_defines_it(name: str) -> None:
    for field in descriptors()[name].fields:
        found = MESSAGES[name][field.number]
        repeated = field.is_repeated if hasattr(field, "is_repeated") else field.label == 3
        assert (found.name, found.repeated) == (field.name, repeated)
        if field.message_type:
            kind = field.message_type.name
            kind = "Tensors" if field.name == "tensors" else _RENAMED.get((name, kind), kind)
            assert found.kind == kind
            assert (kind in MESSAGES) != (kind in REFUSED)
        elif name == "TensorProto" and field.name.endswith("_data") and field.type != 12:
            assert found.kind == _DATA[field.type]
        else:
            assert found.kind in (_SCALARS[field.type], "text")
    assert len(MESSAGES[name]) == len(descriptors()[name].fields)


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def model(**tensor: Any) -> bytes:
    """A file with one constant."""
    made = ModelProto()
    made.graph.initializer.append(TensorProto(name="w", data_type=1, **tensor))
    return bytes(made.SerializeToString())


HEADER = ModelProto(graph=onnx.GraphProto(name="g")).SerializeToString()
REFUSALS = {
    "a graph that C++ adds to the other": (HEADER + HEADER, "says ModelProto.graph twice"),
    "a field of another day": (HEADER + field(99, b""), "a ModelProto has a field 99"),
    "a tag that C++ cuts off": (
        field(7, field(5, b"\xea\x80\x80\x80\x10" + varint(0))),
        "more bits than are read",
    ),
    "the mark of outside weights, cut off by C++": (
        field(7, field(5, varint(14 << 3) + varint(2**32 + 1))),
        "data_location has more than 32 bits",
    ),
    "another wire type, which C++ passes over": (
        field(7, varint(5 << 3 | 0) + varint(1)),
        "has the wire type 0",
    ),
    "a name in no encoding": (field(7, field(5, field(8, b"\xff"))), "a name is not UTF-8"),
    "metadata in no encoding": (HEADER + field(14, field(1, b"\xc3(")), "a key is not UTF-8"),
    "numbers that are not there": (model(dims=[2], raw_data=b"1234"), "more or fewer numbers"),
    "numbers twice": (model(dims=[1], raw_data=b"1234", float_data=[1]), "its data twice"),
    "a size below zero": (model(dims=[-1]), "a size that none can have"),
    "a size beyond all": (model(dims=[2**62, 4]), "a size that none can have"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_two_parsers_may_read_differently_is_refused(name: str) -> None:
    content, reason = REFUSALS[name]
    with pytest.raises((RefusedError, ValueError), match=reason):
        graph.read(content)


def attribute(**changes: Any) -> bytes:
    node = onnx.NodeProto(op_type="Relu")
    node.attribute.append(onnx.AttributeProto(name="a", **changes))
    return bytes(ModelProto(graph=onnx.GraphProto(node=[node])).SerializeToString())


def test_an_attribute_is_what_its_type_says() -> None:
    int_type, float_type = onnx.AttributeProto.INT, onnx.AttributeProto.FLOAT
    assert graph.read(attribute(type=int_type, i=3)).nodes[0].attributes == {"a": 3}
    assert graph.read(attribute(i=3)).nodes[0].attributes == {"a": 3}  # of before 2018
    assert graph.read(attribute(type=float_type)).nodes[0].attributes == {"a": 0.0}
    for bad in ({"type": float_type, "i": 3}, {"type": int_type, "i": 3, "f": 1.0}, {}):
        with pytest.raises(RefusedError, match="another value than its type"):
            graph.read(attribute(**bad))


@pytest.mark.parametrize("kind", ["f4", "f8", "f2", "u1", "i1", "u2", "i2", "i4", "i8", "u4", "u8"])
@pytest.mark.parametrize("raw", [True, False])
def test_constants_are_read_as_onnx_reads_them(kind: str, raw: bool) -> None:
    values = np.array([[1, 0, 100], [3, 2, 1]], kind)
    values = values if kind.startswith("u") else -values
    dtype = helper.np_dtype_to_tensor_dtype(values.dtype)
    tensor = numpy_helper.from_array(values, "w")
    if not raw:
        given = values.view(np.uint16) if kind == "f2" else values
        tensor = helper.make_tensor("w", dtype, values.shape, given.flatten().tolist(), raw=False)
    if not raw and kind == "f2":
        tensor = TensorProto(name="w", data_type=dtype, dims=[2, 3])
        tensor.int32_data.extend(values.view(np.uint16).flatten().tolist())
    made = ModelProto(graph=onnx.GraphProto(initializer=[tensor]))
    found = graph.read(made.SerializeToString()).constants["w"]
    assert found.shape == (2, 3)
    read = found.values()
    assert read is not None
    np.testing.assert_array_equal(read, numpy_helper.to_array(tensor))


def test_a_graph_is_read_as_onnx_reads_it(tmp_path: Any) -> None:
    made = onnx.load(write_tiny_model(tmp_path / "tiny.onnx"))
    found = graph.read(made.SerializeToString())
    assert [node.op for node in found.nodes] == [node.op_type for node in made.graph.node]
    assert [node.inputs for node in found.nodes] == [tuple(node.input) for node in made.graph.node]
    assert found.opsets == {"": 14}
    assert found.metadata == {entry.key: entry.value for entry in made.metadata_props}
    assert found.inputs == (graph.Value("image", TensorProto.UINT8, ("N", 28, 28)),)
    assert found.outputs == (graph.Value("logits", TensorProto.FLOAT, ("N", 10)),)
    assert onnx_schema.MOST_FIELDS > 100_000
