"""The wire format, against the library that defines it."""

import random

import pytest
from google.protobuf.internal import decoder, encoder
from onnx import TensorProto, helper

from mnist_edge.model_file.protobuf import fields


def flat(content: bytes) -> list[tuple[int, int | bytes]]:
    return [
        (number, value if isinstance(value, int) else bytes(value))
        for number, _, value in fields(memoryview(content))
    ]


def varint(number: int) -> bytes:
    written: list[bytes] = []
    encoder._EncodeVarint(written.append, number)
    return b"".join(written)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**31, 2**32 + 5, 2**63, 2**64 - 1])
def test_numbers_are_as_protobuf_writes_and_reads_them(number: int) -> None:
    written = varint(number)
    assert flat(b"\x08" + written) == [(1, number)]
    assert decoder._DecodeVarint(written, 0)[0] == number


def test_a_tensor_is_read_as_onnx_writes_it() -> None:
    tensor = helper.make_tensor("weights", TensorProto.FLOAT, [2, 1], [1.0, -2.0])
    tensor.doc_string = "ä"
    tensor.double_data.append(0.5)

    found = flat(tensor.SerializeToString())

    assert (1, 2) in found
    assert (1, 1) in found
    assert (2, TensorProto.FLOAT) in found
    assert (8, b"weights") in found
    assert (12, "ä".encode()) in found
    assert [number for number, _ in found] == [1, 1, 2, 4, 8, 10, 12]


def test_fixed_numbers_keep_their_bytes() -> None:
    assert flat(b"\x09" + b"12345678" + b"\x15" + b"abcd") == [(1, b"12345678"), (2, b"abcd")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x08", "a number does not end"),
        (b"\x08" + b"\xff" * 10, "a number does not end"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "more bits than are read"),
        (b"\x0a\x05abcd", "longer than what holds it"),
        (b"\x0a" + varint(2**31 - 1), "longer than what holds it"),
        (b"\x0a" + varint(2**31), "more bits than are read"),
        (b"\x0a" + varint(2**60), "a number does not end"),
        (b"\x09abc", "longer than what holds it"),
        (b"\x00\x01", "the number 0"),
        (b"\x0b\x0c", "the wire type 3"),
        (b"\x0e", "the wire type 6"),
        # Field 13 + 2^29, of which C++ keeps the lowest 32 bits: field 13.
        (b"\xea\x80\x80\x80\x10\x00", "more bits than are read"),
        (b"\xea\x80\x80\x80\x80\x01\x00", "a number does not end"),
        (b"\x88\x80\x00\x01", "longer than it need be"),
    ],
)
def test_what_is_no_message_is_told(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        flat(content)


def test_random_bytes_that_are_read_are_a_message_to_protobuf() -> None:
    """A message without fields of its own reads all of them as unknown ones."""
    from google.protobuf.empty_pb2 import Empty

    dice, read = random.Random(0), 0
    for _ in range(20_000):
        content = dice.randbytes(dice.randrange(8))
        try:
            flat(content)
        except ValueError:
            continue
        read += 1
        Empty.FromString(content)
    assert read > 1000
