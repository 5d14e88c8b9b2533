"""IDX files: written with struct and gzip, read back, and damaged in every way."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mnist_edge.datasets import idx
from mnist_edge.errors import DataError
from tests.datasets.idx_files import idx_bytes

PATH = Path("some-file")


@pytest.mark.parametrize("code", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 5)])
def test_every_type_and_shape_comes_back(code: str, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).uniform(-100, 100, shape) + (100 if code == "u1" else 0)
    array = values.astype(code)

    found = idx.parse(idx_bytes(array), PATH)

    assert found.dtype.newbyteorder("=") == array.dtype
    np.testing.assert_array_equal(found, array)


def test_packed_and_unpacked_files_hold_the_same(tmp_path: Path) -> None:
    content = idx_bytes(np.arange(50, dtype=np.uint8))
    packed, unpacked = tmp_path / "labels.gz", tmp_path / "labels"
    packed.write_bytes(gzip.compress(content))
    unpacked.write_bytes(content)

    assert idx.read_bytes(packed) == idx.read_bytes(unpacked) == content


def test_content_and_not_the_name_says_whether_a_file_is_packed(tmp_path: Path) -> None:
    misnamed = tmp_path / "labels.gz"
    misnamed.write_bytes(b"plain")

    assert idx.read_bytes(misnamed) == b"plain"


def _flip(packed: bytes, at: int) -> bytes:
    return packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda packed: packed[: len(packed) // 2], id="half"),
        pytest.param(lambda packed: packed[:-1], id="last byte missing"),
        pytest.param(lambda packed: packed[:5], id="header cut off"),
        pytest.param(lambda packed: _flip(packed, len(packed) // 2), id="data"),
        pytest.param(lambda packed: _flip(packed, len(packed) - 6), id="checksum"),
        pytest.param(lambda packed: _flip(packed, 2), id="method"),
        pytest.param(lambda packed: packed + b"more", id="something behind it"),
    ],
)
def test_damaged_gzip_is_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    random = np.random.default_rng(0).integers(0, 256, 5000, np.uint8)
    path = tmp_path / "images.gz"
    path.write_bytes(damage(gzip.compress(idx_bytes(random), mtime=0)))

    with pytest.raises(DataError) as caught:
        idx.read_bytes(path)

    assert str(caught.value) == f"{path} is truncated or damaged: delete it and fetch it again"


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"cannot read {tmp_path}: is a folder, not a file"):
        idx.read_bytes(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\x08", b"<html>no</html>", b"PK\3\4" + bytes(40), b"\0\0\x07\1\0\0\0\1a"],
)
def test_foreign_file_is_named(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^some-file is not an IDX file: put the data set's own"):
        idx.parse(content, PATH)


@pytest.mark.parametrize(
    "shape",
    [pytest.param([1] * 65, id="too many"), pytest.param([0] + [2**32 - 1] * 3, id="too large")],
)
def test_dimensions_that_no_array_has_are_foreign(shape: list[int]) -> None:
    content = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + b"\1" * min(shape)

    with pytest.raises(DataError, match="some-file is not an IDX file"):
        idx.parse(content, PATH)


@pytest.mark.parametrize("length", [4, 8, 11])
def test_header_cut_off_is_named(length: int) -> None:
    content = idx_bytes(np.zeros((2, 3), np.uint8))

    with pytest.raises(DataError, match=r"^some-file is cut off in its header: delete it and"):
        idx.parse(content[:length], PATH)


def test_header_without_dimensions_is_refused() -> None:
    with pytest.raises(DataError, match="cut off in its header"):
        idx.parse(b"\0\0\x08\0" + b"1", PATH)


@pytest.mark.parametrize("held", [0, 11, 13, 24])
def test_header_that_lies_about_the_size_is_named(held: int) -> None:
    content = idx_bytes(np.zeros((3, 4), np.uint8))[:12] + bytes(held)

    with pytest.raises(DataError) as caught:
        idx.parse(content, PATH)

    assert str(caught.value) == (
        f"some-file: its header promises 12 bytes of data (3, 4), it holds {held}: "
        "delete it and fetch it again"
    )


def test_random_bytes_never_break_the_reader() -> None:
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(2000):
        head = bytes([0, 0, random.choice([8, 9, 11, 12, 13, 14]), random.integers(0, 5)])
        body = random.integers(0, 3, random.integers(0, 40), np.uint8).tobytes()
        try:
            idx.parse(head + body, PATH)
        except DataError:
            refused += 1

    assert refused > 1000
