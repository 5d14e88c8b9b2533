"""Protocol buffers' wire format: a message's fields, and nothing of what they mean.

https://protobuf.dev/programming-guides/encoding. A device has no onnx package to look into a file
with before ONNX Runtime is let loose on it. What ONNX Runtime's own parser, in C++, would read
otherwise than this one (it keeps 32 bits of a tag, and 64 of a number) is refused, so that what is
looked at is what is run.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types. Groups, which ONNX never had, are refused."""

Field = tuple[int, int, int | memoryview]
"""A number, a wire type, and a varint (uint64) or the bytes of everything else."""

_LONGEST_TAG, _LONGEST_SIZE, _LONGEST_VARINT = 5, 5, 10
_MOST_TAG, _MOST_SIZE, _MOST_VARINT = 2**32 - 1, 2**31 - 1, 2**64 - 1
_WIDTHS = {FIXED64: 8, FIXED32: 4}


def fields(message: memoryview) -> Iterator[Field]:
    """Each field of a message (uint8 bytes) in order. ValueError where the bytes are no message,
    or one that two parsers could read differently."""
    at, end = 0, len(message)
    while at < end:
        tag = message[at]
        if tag < 0x80:
            at += 1
        else:
            begin = at
            tag, at = _varint(message, at, _LONGEST_TAG, _MOST_TAG)
            if message[at - 1] == 0:
                raise ValueError(f"the tag at {begin} is longer than it need be")
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise ValueError("a field has the number 0")
        if kind == VARINT:
            value, at = _varint(message, at, _LONGEST_VARINT, _MOST_VARINT)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, at = _varint(message, at, _LONGEST_SIZE, _MOST_SIZE)
        elif kind in _WIDTHS:
            size = _WIDTHS[kind]
        else:
            raise ValueError(f"a field has the wire type {kind}")
        if size > end - at:
            raise ValueError("a field is longer than what holds it")
        yield number, kind, message[at : at + size]
        at += size


def varints(packed: memoryview) -> Iterator[int]:
    """Numbers (uint64) one behind the other. ValueError where the last does not end."""
    at, end = 0, len(packed)
    while at < end:
        value, at = _varint(packed, at, _LONGEST_VARINT, _MOST_VARINT)
        yield value


def _varint(message: memoryview, at: int, longest: int, most: int) -> tuple[int, int]:
    """The number at a place, and the place behind it."""
    value = 0
    for shift, byte in enumerate(message[at : at + longest]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            if value > most:
                raise ValueError("a number has more bits than are read")
            return value, at + shift + 1
    raise ValueError("a number does not end")
