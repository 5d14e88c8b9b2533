"""The constants of an ONNX file: their sizes, types and numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.model_file.onnx_schema import Message, RefusedError
from mnist_edge.model_file.protobuf import varints

FLOAT, UINT8, INT8, INT32, INT64, STRING, BOOL = 1, 2, 3, 6, 7, 8, 9
FLOAT16, DOUBLE = 10, 11
"""TensorProto.DataType."""

_TYPES = {
    1: ("float32", 32, "<f4"),
    2: ("uint8", 8, "u1"),
    3: ("int8", 8, "i1"),
    4: ("uint16", 16, "<u2"),
    5: ("int16", 16, "<i2"),
    6: ("int32", 32, "<i4"),
    7: ("int64", 64, "<i8"),
    8: ("text", 0, ""),
    9: ("bool", 8, "?"),
    10: ("float16", 16, "<f2"),
    11: ("float64", 64, "<f8"),
    12: ("uint32", 32, "<u4"),
    13: ("uint64", 64, "<u8"),
    16: ("bfloat16", 16, ""),
    17: ("", 8, ""),
    18: ("", 8, ""),
    19: ("", 8, ""),
    20: ("", 8, ""),
    21: ("", 4, ""),
    22: ("", 4, ""),
    23: ("", 4, ""),
    24: ("", 8, ""),
    25: ("", 2, ""),
    26: ("", 2, ""),
}
"""The name of each, its bits, and NumPy's type; "" and 0 where there is none: texts have no bits,
floats of 8 bits and fewer neither names here nor a type in NumPy."""

NAMES = {dtype: name for dtype, (name, _, _) in _TYPES.items() if name}
BITS = {dtype: bits for dtype, (_, bits, _) in _TYPES.items() if bits}
NUMPY = {dtype: kind for dtype, (_, _, kind) in _TYPES.items() if kind}

_PAYLOADS = {
    "float_data": (1,),
    "int32_data": (2, 3, 4, 5, 6, 9, 10, *range(16, 27)),
    "int64_data": (7,),
    "double_data": (11,),
    "uint64_data": (12, 13),
    "string_data": (8,),
}


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


def read(message: Message) -> Tensor:
    """ValueError where the data are of another number or type than it says."""
    shape, dtype = tuple(message.get("dims", ())), message.get("data_type", 0)
    external = None
    if message.get("data_location", 0) or message.get("external_data"):
        external = texts(message.get("external_data", ()))
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


def texts(entries: Sequence[Message]) -> dict[str, str]:
    """Entries of keys and values as a dict."""
    return {one.get("key", ""): one.get("value", "") for one in entries}
