"""Protocol buffers' wire format: a message's fields, and nothing of what they mean.

https://protobuf.dev/programming-guides/encoding. A device has no onnx package to look into a file
with before ONNX Runtime is let loose on it.
"""

from collections.abc import Iterator

Value = int | memoryview
"""A varint, or the bytes of everything else: numbers of fixed width, texts, messages."""

_LONGEST_VARINT = 10
_FIXED = {1: 8, 5: 4}  # wire types with a fixed number of bytes


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Each field of a message (uint8 bytes) in order: its number, its value. ValueError where the
    bytes are no message."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError("a field has the number 0")
        if kind == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == 2:
            size, at = _varint(message, at)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:  # groups, which ONNX never had
            raise ValueError(f"a field has the wire type {kind}")
        if size > end - at:
            raise ValueError("a field is longer than what holds it")
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number at a place, and the place behind it."""
    value = 0
    for shift in range(_LONGEST_VARINT):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number does not end")
