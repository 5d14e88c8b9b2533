"""An ONNX file's graph as values, from bytes that nobody has looked at before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mnist_edge.model_file import tensors
from mnist_edge.model_file.onnx_schema import Message, Reader, RefusedError
from mnist_edge.model_file.tensors import NAMES, Tensor, texts

_TYPES = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}
_EMPTY = {"f": 0.0, "i": 0, "s": memoryview(b"")}

Shape = tuple[int | str | None, ...]


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


def describe(values: Sequence[Value]) -> str:
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
    constants = [tensors.read(one) for one in graph.get("initializer", ())]
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
        metadata=texts(model.get("metadata_props", ())),
    )


def _domain(message: Message) -> str:
    domain: str = message.get("domain", "")
    return "" if domain == "ai.onnx" else domain


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
    return message.get("name", ""), tensors.read(value) if kind == "t" else value


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
