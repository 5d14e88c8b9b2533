"""Weights that lie in a file of their own (`model.onnx` and `model.onnx.data`), brought into the
model's bytes, so that there is one thing to look through and to run.

ONNX Runtime is never told of another file: from memory, it would look for it in the current folder.
"""

from collections.abc import Callable, Iterator, Mapping

from mnist_edge.model_file.graph import Graph
from mnist_edge.model_file.onnx_schema import RefusedError
from mnist_edge.model_file.protobuf import BYTES, VARINT, fields
from mnist_edge.model_file.tensors import Tensor

Read = Callable[[str], bytes]
"""The bytes of the file of this name, which has no path in it."""

# onnx.proto: the messages in which tensors lie, by what holds them and their field's number.
_HOLDERS = {
    ("ModelProto", 7): "GraphProto",
    ("GraphProto", 1): "NodeProto",
    ("GraphProto", 5): "TensorProto",
    ("NodeProto", 5): "AttributeProto",
    ("AttributeProto", 5): "TensorProto",
}
_RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 9, 13, 14


def external_files(graph: Graph) -> frozenset[str]:
    """The files that a graph names as its weights'. RefusedError for a name that is none of a file
    beside the model: one with a path in it (CVE-2022-25882, CVE-2024-27318)."""
    names = {
        one.external.get("location", "") for one in _tensors(graph) if one.external is not None
    }
    for name in names:
        if name in ("", ".", "..") or any(letter in name for letter in "/\\:\0"):
            raise RefusedError("its weights lie in a file with a path, or without a name")
    return frozenset(names)


def inline(content: bytes, read: Read, most: int) -> bytes:
    """A model's bytes with the weights in them that `read` gives. RefusedError where these are not
    all there, or where the model would be larger than `most` bytes.

    The result is to be looked through as any other file's: `content` was only read for its names.
    """
    files: dict[str, bytes] = {}
    return _Rewriting(read, files, most - len(content)).message("ModelProto", memoryview(content))


def _tensors(graph: Graph) -> Iterator[Tensor]:
    yield from graph.constants.values()
    for node in graph.nodes:
        yield from (one for one in node.attributes.values() if isinstance(one, Tensor))


class _Rewriting:
    def __init__(self, read: Read, files: dict[str, bytes], room: int) -> None:
        self._read, self._files, self._room = read, files, room

    def message(self, kind: str, content: memoryview) -> bytes:
        parts, where = [], dict[str, str]()
        for number, wire, raw in fields(content):
            if kind == "TensorProto" and number in (_EXTERNAL_DATA, _DATA_LOCATION):
                where |= {"": ""} if isinstance(raw, int) else _entry(raw)
                continue
            inner = _HOLDERS.get((kind, number))
            if inner and not isinstance(raw, int):
                raw = memoryview(self.message(inner, raw))
            parts.append(_field(number, wire, raw))
        if where:
            parts.append(_field(_RAW_DATA, BYTES, self._data(where)))
        return b"".join(parts)

    def _data(self, where: Mapping[str, str]) -> memoryview:
        name = where.get("location", "")
        if name not in self._files:
            self._files[name] = self._read(name)
        file = memoryview(self._files[name])
        try:
            offset = int(where.get("offset", "0"))
            length = int(where.get("length", len(file) - offset))
        except ValueError:
            raise RefusedError("it does not say where its weights lie") from None
        if offset < 0 or length < 0 or offset + length > len(file):
            raise RefusedError(f"its weights are not all in {ascii(name)[1:-1]}")
        self._room -= length
        if self._room < 0:
            raise RefusedError("it is too large with its weights")
        return file[offset : offset + length]


def _entry(raw: memoryview) -> dict[str, str]:
    found = {number: value for number, _, value in fields(raw) if not isinstance(value, int)}
    key, value = (str(found.get(number, b""), "utf-8", "replace") for number in (1, 2))
    return {key: value}


def _field(number: int, wire: int, raw: int | memoryview) -> bytes:
    tag = _varint(number << 3 | wire)
    if isinstance(raw, int):
        return tag + _varint(raw)
    assert wire != VARINT
    return tag + (_varint(len(raw)) if wire == BYTES else b"") + raw


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
