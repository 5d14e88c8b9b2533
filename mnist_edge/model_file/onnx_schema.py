"""What onnx.proto says: the fields of each message of an ONNX file, and how they are read.

https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (onnx 1.23); a test holds it against the onnx
package. A field that onnx.proto does not know, has another wire type, or comes twice where it may
come once is refused: another parser might see something else in it.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_edge.model_file.protobuf import BYTES, FIXED32, FIXED64, VARINT, fields, varints

MOST_FIELDS = 250_000  # resnet56 has 6,000; each becomes an object of some hundred bytes
_DEEPEST = 20  # a model's deepest is 9; protocol buffers' own limit is 100

# `+` may come more than once. `text` is not read: nothing depends on it. A tensor's data (floats,
# doubles, varints) stays as it is until it is asked for.
_ONNX = """
ModelProto: 1 ir_version int64, 2 producer_name text, 3 producer_version text, 4 domain text,
  5 model_version int64, 6 doc_string text, 7 graph GraphProto, 8 opset_import OperatorSetIdProto+,
  14 metadata_props StringStringEntryProto+, 20 training_info TrainingInfoProto+,
  25 functions FunctionProto+, 26 configuration DeviceConfigurationProto+
GraphProto: 1 node NodeProto+, 2 name text, 5 initializer TensorProto+, 10 doc_string text,
  11 input ValueInfoProto+, 12 output ValueInfoProto+, 13 value_info ValueInfoProto+,
  14 quantization_annotation TensorAnnotation+, 15 sparse_initializer SparseTensorProto+,
  16 metadata_props StringStringEntryProto+
NodeProto: 1 input string+, 2 output string+, 3 name text, 4 op_type string,
  5 attribute AttributeProto+, 6 doc_string text, 7 domain string, 8 overload string,
  9 metadata_props StringStringEntryProto+, 10 device_configurations NodeDeviceConfigurationProto+
AttributeProto: 1 name string, 2 f float, 3 i int64, 4 s bytes, 5 t TensorProto, 6 g Subgraph,
  7 floats float+, 8 ints int64+, 9 strings bytes+, 10 tensors Tensors+, 11 graphs Subgraph+,
  13 doc_string text, 14 tp Types, 15 type_protos Types+, 20 type enum,
  21 ref_attr_name string, 22 sparse_tensor SparseTensorProto, 23 sparse_tensors SparseTensorProto+
TensorProto: 1 dims int64+, 2 data_type int32, 3 segment Segment, 4 float_data floats+,
  5 int32_data varints+, 6 string_data bytes+, 7 int64_data varints+, 8 name string,
  9 raw_data bytes, 10 double_data doubles+, 11 uint64_data varints+, 12 doc_string text,
  13 external_data StringStringEntryProto+, 14 data_location enum,
  16 metadata_props StringStringEntryProto+
ValueInfoProto: 1 name string, 2 type TypeProto, 3 doc_string text,
  4 metadata_props StringStringEntryProto+
TypeProto: 1 tensor_type Tensor, 4 sequence_type Sequence, 5 map_type Map, 6 denotation text,
  7 opaque_type Opaque, 8 sparse_tensor_type SparseTensor, 9 optional_type Optional
Tensor: 1 elem_type int32, 2 shape TensorShapeProto
Sequence: 1 elem_type TypeProto
Map: 1 key_type int32, 2 value_type TypeProto
TensorShapeProto: 1 dim Dimension+
Dimension: 1 dim_value int64, 2 dim_param string, 3 denotation text
TensorAnnotation: 1 tensor_name text, 2 quant_parameter_tensor_names StringStringEntryProto+
StringStringEntryProto: 1 key string, 2 value string
OperatorSetIdProto: 1 domain string, 2 version int64
"""
REFUSED = {
    "DeviceConfigurationProto": "it is cut up for several devices",
    "NodeDeviceConfigurationProto": "it is cut up for several devices",
    "FunctionProto": "it brings functions of its own: inline them with onnx.inliner",
    "Subgraph": "it has graphs within its graph (If, Loop, Scan): its work is not known beforehand",
    "Tensors": "it has an operator with a list of tensors, or with types, which ONNX Runtime lacks",
    "Types": "it has an operator with a list of tensors, or with types, which ONNX Runtime lacks",
    "TrainingInfoProto": "it holds instructions for training",
    "SparseTensorProto": "it holds sparse tensors, which may be any size when they are unpacked",
    "SparseTensor": "it holds sparse tensors, which may be any size when they are unpacked",
    "Segment": "it holds tensors in pieces",
    "Opaque": "it takes or gives values of a type that ONNX does not define",
    "Optional": "it takes or gives values that may be missing",
}
"""Messages that no small image classifier needs, and why a file with one is refused."""

Message = dict[str, Any]
"""A message's fields by name: numbers (int, float), str, memoryview of bytes, messages, lists."""


class RefusedError(Exception):
    """Why a file is not opened: it is well-formed, and asks for what is not given."""


@dataclass(frozen=True, slots=True)
class Field:
    """`kind` is a scalar's type or a message's name; `wires` are the wire types it may have."""

    name: str
    kind: str
    repeated: bool
    wires: tuple[int, ...]


_WIRES = {"int32": VARINT, "int64": VARINT, "enum": VARINT, "varints": VARINT}
_WIRES |= {"float": FIXED32, "floats": FIXED32, "doubles": FIXED64}


def _field(name: str, kind: str) -> Field:
    scalar, repeated = kind.rstrip("+"), kind.endswith("+")
    wire = _WIRES.get(scalar, BYTES)
    return Field(name, scalar, repeated, (wire, BYTES) if repeated else (wire,))  # BYTES: packed


def _messages() -> Mapping[str, Mapping[int, Field]]:
    found: dict[str, dict[int, Field]] = {}
    for paragraph in _ONNX.strip().replace("\n  ", " ").split("\n"):
        message, _, rows = paragraph.partition(": ")
        split = [row.split() for row in rows.split(", ")]
        found[message] = {int(number): _field(name, kind) for number, name, kind in split}
    return found


MESSAGES = _messages()


class Reader:
    """Reads the messages of one file, of which it counts the fields."""

    def __init__(self) -> None:
        self._seen = 0

    def read(self, kind: str, content: memoryview, depth: int = 0) -> Message:
        """A message's fields. ValueError where the bytes are no such message, RefusedError for what
        is not given."""
        if kind in REFUSED:
            raise RefusedError(REFUSED[kind])
        if depth > _DEEPEST:
            raise RefusedError(f"its messages lie more than {_DEEPEST} deep in each other")
        known, found = MESSAGES[kind], Message()
        for number, wire, raw in fields(content):
            self._count(1)
            field = known.get(number)
            if field is None:
                raise ValueError(f"a {kind} has a field {number}, which ONNX does not know")
            if wire not in field.wires:
                raise ValueError(f"{kind}.{field.name} has the wire type {wire}")
            value = self._value(field, wire, raw, depth)
            if field.repeated:
                values = found.setdefault(field.name, [])
                if isinstance(value, list):
                    values.extend(value)
                else:
                    values.append(value)
            elif field.name in found:
                raise RefusedError(f"it says {kind}.{field.name} twice")
            else:
                found[field.name] = value
        return found

    def _count(self, more: int) -> None:
        self._seen += more
        if self._seen > MOST_FIELDS:
            raise RefusedError(f"it has more than {MOST_FIELDS:,} parts")

    def _value(self, field: Field, wire: int, raw: int | memoryview, depth: int) -> Any:
        if isinstance(raw, int):
            return raw if field.kind == "varints" else _number(field, raw)
        if field.kind == "string":
            return _text(field, raw)
        if field.kind in MESSAGES or field.kind in REFUSED:
            return self.read(field.kind, raw, depth + 1)
        if field.kind == "int64":
            return [_number(field, value) for value in self._counted(raw)]
        if field.kind == "float":
            if len(raw) % 4:
                raise ValueError(f"{field.name} does not end")
            self._count(len(raw) // 4 if wire == BYTES else 0)
            values = struct.unpack(f"<{len(raw) // 4}f", raw)
            return list(values) if wire == BYTES else values[0]
        return raw  # bytes, a tensor's data, and texts that nobody reads

    def _counted(self, packed: memoryview) -> Any:
        last = np.frombuffer(packed, np.uint8) < 0x80
        self._count(int(np.count_nonzero(last)))
        return varints(packed)


def _number(field: Field, raw: int) -> int:
    """A varint as C++ reads it; ValueError for those of which it would drop bits."""
    value = raw - 2**64 if raw >= 2**63 else raw
    if field.kind != "int64" and not -(2**31) <= value < 2**31:
        raise ValueError(f"{field.name} has more than 32 bits")
    return value


def _text(field: Field, raw: memoryview) -> str:
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"a {field.name} is not UTF-8") from None
