"""An ONNX file's graph as values, from bytes that nobody has looked at before."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.opening.schema import Message, Reader, RefusedError
from mnist_edge.opening.wire import varints

FLOAT, UINT8, INT8, INT32, INT64, STRING, BOOL = 1, 2, 3, 6, 7, 8, 9
FLOAT16, DOUBLE = 10, 11
"""TensorProto.DataType."""

BITS = {
    1: 32,
    2: 8,
    3: 8,
    4: 16,
    5: 16,
    6: 32,
    7: 64,
    9: 8,
    10: 16,
    11: 64,
    12: 32,
    13: 64,
    16: 16,
    17: 8,
    18: 8,
    19: 8,
    20: 8,
    21: 4,
    22: 4,
    23: 4,
    24: 8,
    25: 2,
    26: 2,
}
"""Of each type of number; texts and complex numbers have none."""

NUMPY = {
    1: "<f4",
    2: "u1",
    3: "i1",
    4: "<u2",
    5: "<i2",
    6: "<i4",
    7: "<i8",
    9: "?",
    10: "<f2",
    11: "<f8",
    12: "<u4",
    13: "<u8",
}
NAMES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "text",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    16: "bfloat16",
}
_PAYLOADS = {
    "float_data": (1,),
    "int32_data": (2, 3, 4, 5, 6, 9, 10, *range(16, 27)),
    "int64_data": (7,),
    "double_data": (11,),
    "uint64_data": (12, 13),
    "string_data": (8,),
}
_TYPES = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}
_EMPTY = {"f": 0.0, "i": 0, "s": memoryview(b"")}

Shape = tuple[int | str | None, ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A constant. `external` says where its data lie in another file, None where they are here."""

    name: str
    shape: tuple[int, ...]
    dtype: int
    payload: Any = field(repr=False)
    external: dict[str, str] | None = None

    def values(self) -> NDArray[Any] | None:
        """Its numbers; None for texts, types that NumPy lacks, and what is not in the file."""
        kind = NUMPY.get(self.dtype)
        if kind is None or self.external is not None:
            return None
        if isinstance(self.payload, memoryview):
            return np.frombuffer(self.payload, kind).reshape(self.shape)
        return _typed(self.payload, self.dtype, kind).reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output of a graph: `dtype` and `shape` are None where they are not told, or
    where it is no tensor."""

    name: str
    dtype: int | None
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class Node:
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Graph:
    """`inputs` are those that a call has to give; `metadata` is the model's."""

    nodes: tuple[Node, ...]
    constants: dict[str, Tensor]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    opsets: dict[str, int]
    metadata: dict[str, str]


def show(values: Sequence[Value]) -> str:
    """Inputs or outputs for a person."""

    def one(value: Value) -> str:
        sizes = ", ".join(str(x) if isinstance(x, int) else "N" for x in value.shape or ())
        dtype = NAMES.get(value.dtype or 0, "of another kind")
        return f"{value.name[:100]} {dtype} ({sizes if value.shape is not None else '?'})"

    return " and ".join(map(one, values[:5])) or "missing"


def read(content: bytes) -> Graph:
    """The graph of a file. ValueError for what is no ONNX file, RefusedError for one that two
    parsers may read differently, or with more in it than a graph of tensors."""
    model = Reader().read("ModelProto", memoryview(content))
    if "graph" not in model:
        raise ValueError("it holds no graph")
    graph = model["graph"]
    constants = [_tensor(one) for one in graph.get("initializer", ())]
    by_name = {one.name: one for one in constants}
    if len(by_name) < len(constants):
        raise RefusedError("two of its constants have the same name")
    inputs = [_value(one) for one in graph.get("input", ())]
    return Graph(
        nodes=tuple(_node(one) for one in graph.get("node", ())),
        constants=by_name,
        inputs=tuple(one for one in inputs if one.name not in by_name),
        outputs=tuple(_value(one) for one in graph.get("output", ())),
        opsets={_domain(one): one.get("version", 0) for one in model.get("opset_import", ())},
        metadata=_texts(model.get("metadata_props", ())),
    )


def _domain(message: Message) -> str:
    domain: str = message.get("domain", "")
    return "" if domain == "ai.onnx" else domain


def _texts(entries: Sequence[Message]) -> dict[str, str]:
    return {one.get("key", ""): one.get("value", "") for one in entries}


def _node(message: Message) -> Node:
    attributes = dict(map(_attribute, message.get("attribute", ())))
    if len(attributes) < len(message.get("attribute", ())):
        raise RefusedError("an operator has two attributes of one name")
    return Node(
        message.get("op_type", ""),
        _domain(message),
        tuple(message.get("input", ())),
        tuple(message.get("output", ())),
        attributes,
    )


def _attribute(message: Message) -> tuple[str, Any]:
    """Name and value. Files of before 2018 do not say the type: the value that is there tells."""
    if message.get("ref_attr_name"):
        raise RefusedError("an attribute refers to another, outside of a function")
    given = [name for name in _TYPES.values() if name in message]
    kind = _TYPES.get(message.get("type", 0)) or (given[0] if given else None)
    if kind is None or len(given) > 1 or given not in ([], [kind]):
        raise RefusedError("an attribute has another value than its type says")
    value = message.get(kind, _EMPTY.get(kind, ()))
    return message.get("name", ""), _tensor(value) if kind == "t" else value


def _value(message: Message) -> Value:
    tensor = message.get("type", {}).get("tensor_type", {})
    dims = tensor["shape"].get("dim", ()) if "shape" in tensor else None
    shape = None if dims is None else tuple(map(_size, dims))
    return Value(message.get("name", ""), tensor.get("elem_type"), shape)


def _size(message: Message) -> int | str | None:
    if "dim_value" in message and "dim_param" in message:
        raise RefusedError("a size is a number and a name")
    size: int | str | None = message.get("dim_value", message.get("dim_param"))
    return None if isinstance(size, int) and size < 0 else size


def _tensor(message: Message) -> Tensor:
    """ValueError where the data are of another number or type than it says."""
    shape, dtype = tuple(message.get("dims", ())), message.get("data_type", 0)
    external = None
    if message.get("data_location", 0) or message.get("external_data"):
        external = _texts(message.get("external_data", ()))
    if min(shape, default=0) < 0 or prod(shape) >= 2**40:
        raise ValueError("a constant has a size that none can have")
    name = message.get("name", "")
    payload = () if external is not None else _payload(message, dtype, prod(shape))
    return Tensor(name, shape, dtype, payload, external)


def _payload(message: Message, dtype: int, count: int) -> Any:
    """The data, of which there have to be `count` numbers."""
    given = [name for name in ("raw_data", *_PAYLOADS) if name in message]
    if dtype not in BITS and dtype != STRING:
        raise RefusedError(f"it has a constant of the type {dtype}, which ONNX Runtime lacks")
    if len(given) > 1:
        raise RefusedError("a constant has its data twice")
    payload = message[given[0]] if given else ()
    if given == ["raw_data"]:
        if dtype == STRING:
            raise ValueError("a constant of texts has no texts")
        found = len(payload) == -(-count * BITS[dtype] // 8)
    else:
        if given and dtype not in _PAYLOADS[given[0]]:
            raise ValueError(f"a constant of the type {dtype} has {given[0]}")
        each = 8 // BITS[dtype] if dtype in BITS and BITS[dtype] < 8 else 1
        found = _count(payload, given[0] if given else "") == -(-count // each)
    if not found:
        raise ValueError("a constant has more or fewer numbers than it says")
    return payload


def _count(parts: Sequence[int | memoryview], name: str) -> int:
    if name == "string_data":
        return len(parts)
    width = {"float_data": 4, "double_data": 8}.get(name)
    total = 0
    for part in parts:
        if isinstance(part, int):
            total += 1
        elif width:
            if len(part) % width:
                raise ValueError("a constant's last number does not end")
            total += len(part) // width
        else:
            total += int(np.count_nonzero(np.frombuffer(part, np.uint8) < 0x80))
    return total


def _typed(parts: Sequence[int | memoryview], dtype: int, kind: str) -> NDArray[Any]:
    """The numbers of data that are not raw."""
    if dtype in (FLOAT, DOUBLE):
        joined = b"".join(part for part in parts if not isinstance(part, int))
        return np.frombuffer(joined, kind)
    numbers = [
        value for part in parts for value in ((part,) if isinstance(part, int) else varints(part))
    ]
    wide = np.array(numbers, np.uint64)
    if dtype == FLOAT16:  # its bits
        return wide.astype(np.uint16).view(kind)
    return wide.astype(np.int64).astype(kind) if kind != "<u8" else wide
