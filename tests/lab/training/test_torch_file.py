"""What is read back is what PyTorch would read, and what is too large for its bytes is refused."""

import io
import os
import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_edge.errors import FileError
from mnist_edge.lab.training.stored_zip import ArchiveError, read_entries
from mnist_edge.lab.training.torch_file import StoredTensor, TorchFile, _PickleMachine

MOST = 1 << 26
TENSORS = [
    torch.randn(3, 4, 5),
    torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    torch.tensor(3),
    torch.tensor(3.5),
    torch.zeros(0, 7),
    torch.arange(12).reshape(3, 4)[1:, ::2],
    torch.randn(4, 6).T,
]


def opened(path: Path, values: Any) -> TorchFile:
    torch.save(values, path)
    return TorchFile(path, MOST)


def whole(path: Path) -> torch.Tensor:
    file = TorchFile(path, MOST)
    return file.tensor(file.values)


def archive(path: Path, pickled: bytes, storages: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickled)
        for key, content in (storages or {}).items():
            file.writestr(f"archive/data/{key}", content)
    return path


@pytest.mark.parametrize("tensor", TENSORS, ids=[str(tuple(one.shape)) for one in TENSORS])
def test_tensors_come_back_with_their_strides(tmp_path: Path, tensor: torch.Tensor) -> None:
    file = opened(tmp_path / "file.pt", tensor)
    found = file.tensor(file.values)
    expected = torch.load(tmp_path / "file.pt", weights_only=True).clone()
    torch.testing.assert_close(found, expected, rtol=0, atol=0, check_stride=True)
    assert file.tensor(file.values) is found


def test_plain_values_come_back() -> None:
    values = {
        "texts": ["", "ä", "x" * 300],
        "numbers": (0, 255, 65_536, -1, 2**31 - 1, 2**40, 0.5, 1e300),
        "others": [
            True,
            False,
            None,
            (),
            (1,),
            (1, 2),
            (1, 2, 3),
            (1, 2, 3, 4),
            [],
            {},
            [1],
            {1: 2},
        ],
        "same": [(1, 2)] * 300,
        "ordered": OrderedDict([("b", 1), ("a", 2)]),
    }
    buffer = io.BytesIO()
    torch.save(values, buffer)
    with zipfile.ZipFile(buffer) as file:
        pickled = file.read("archive/data.pkl")
    assert _PickleMachine().run(pickled) == values


def test_views_of_one_storage_are_read(tmp_path: Path) -> None:
    numbers = torch.randn(10)
    file = opened(tmp_path / "file.pt", [numbers[:4], numbers[4:]])
    assert torch.equal(torch.cat([file.tensor(one) for one in file.values]), numbers)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(1000),
        torch.zeros(10, 1).expand(10, 9),
        torch.arange(10.0).as_strided((6, 5), (1, 1)),
    ],
)
def test_no_tensor_is_larger_than_its_storage(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save(tensor, tmp_path / "file.pt")
    with pytest.raises(ArchiveError, match="larger than their storage"):
        whole(tmp_path / "file.pt")


def test_nor_are_all_of_them_together(tmp_path: Path) -> None:
    numbers = torch.arange(10.0)
    file = opened(tmp_path / "file.pt", [numbers, numbers[:]])
    file.tensor(file.values[0])
    with pytest.raises(ArchiveError, match="larger than their storage"):
        file.tensor(file.values[1])


def forged(path: Path, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Path:
    """The file of a tensor of 10 numbers, whose pickle says other things of it."""
    stored = torch.arange(10.0)
    buffer = io.BytesIO()
    torch.save(stored, buffer)
    with zipfile.ZipFile(buffer) as file:
        pickled, content = file.read("archive/data.pkl"), file.read("archive/data/0")

    def spelled(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"J" + struct.pack("<i", one) for one in values) + b"t"

    honest = pickletools.optimize(pickled)
    head, found, tail = honest.partition(b"QK\x00K\n\x85K\x01\x85")
    assert found, honest
    forged = b"Q" + b"J" + struct.pack("<i", offset) + spelled(size) + spelled(stride)
    return archive(path, head + forged + tail, {"0": content})


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (1, (10,), (1,)),
        (0, (11,), (1,)),
        (0, (2,), (10,)),
        (2**31 - 1, (1,), (1,)),
        (0, (2**30, 2**30), (1, 1)),
        (-1, (1,), (1,)),
        (0, (-1,), (1,)),
        (9, (5,), (-1,)),
        (0, (5,), (1, 1)),
        (0, (1,) * 9, (1,) * 9),
    ],
)
def test_a_forged_place_is_refused(
    tmp_path: Path, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    right = whole(forged(tmp_path / "right.pt", 0, (5, 2), (2, 1)))
    assert torch.equal(right, torch.arange(10.0).reshape(5, 2))
    path = forged(tmp_path / "file.pt", offset, size, stride)
    with pytest.raises(ArchiveError):
        whole(path)


PICKLES = {
    "code": pickle.dumps(os.getcwd, 2),
    "a call": b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.",
    "a call of what is known": b"\x80\x02ctorch\nFloatStorage\n)R.",
    "sets": b"\x80\x04" + b"\x8f" * 100 + b".",
    "an object": b"\x80\x02ccollections\nOrderedDict\n)\x81.",
    "a dict of something": b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.",
    "bytes": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
    "a long number": b"\x80\x02\x8b" + struct.pack("<i", 1000) + bytes(999) + b"\x01.",
    "a number of 200 bytes": b"\x80\x02\x8a\xc8" + bytes(199) + b"\x01.",
    "nothing": b".",
    "two values": b"K\x01K\x02.",
    "what is not there": b"h\x05.",
    "a list as key": b"}]K\x01s.",
    "no list": b"K\x01K\x02a.",
    "state of a number": b"K\x01K\x02b.",
    "no mark": b"t.",
    "its end is missing": b"\x80\x02]",
}


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_of_something_else_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="damaged or not ours"):
        TorchFile(archive(tmp_path / "file.pt", PICKLES[name]), MOST)


def test_objects_are_counted_and_not_bytes(tmp_path: Path) -> None:
    """A memo's place may be any number: none is made room for."""
    far = b"\x80\x02]r" + struct.pack("<I", 2**31) + b"."
    assert TorchFile(archive(tmp_path / "far.pt", far), MOST).values == []
    for number, right in ((399_000, True), (401_000, False)):
        path = archive(tmp_path / f"{number}.pt", b"(" + b"]" * number + b"t.")
        if right:
            assert len(TorchFile(path, MOST).values) == number
        else:
            with pytest.raises(ArchiveError, match="holds more objects than a run has"):
                TorchFile(path, MOST)


def test_a_storage_that_says_other_than_it_has_is_refused(tmp_path: Path) -> None:
    for size in (0, 36, 44):
        path = forged(tmp_path / f"{size}.pt", 0, (10,), (1,))
        with zipfile.ZipFile(path) as file:
            pickled = file.read("archive/data.pkl")
        again = TorchFile(archive(tmp_path / "again.pt", pickled, {"0": bytes(size)}), MOST)
        with pytest.raises(ArchiveError, match="damaged or not ours"):
            again.tensor(again.values)


def test_another_byte_order_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "file.pt", b"\x80\x02].")
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("archive/byteorder", b"big")
    with pytest.raises(ArchiveError, match="another byte order"):
        TorchFile(path, MOST)


# The archive


def test_of_two_archives_in_a_file_one_is_read(tmp_path: Path) -> None:
    """What another parser would find elsewhere in it is nowhere looked at."""
    own, other = tmp_path / "own.pt", tmp_path / "other.pt"
    archive(own, b"\x80\x02K\x01.")
    archive(other, b"\x80\x02" + b"]" * 10_000_000 + b".")
    own.write_bytes(other.read_bytes() + own.read_bytes())
    assert TorchFile(own, MOST).values == 1
    own.write_bytes(pickle.dumps([1] * 1000, 2) + archive(other, b"\x80\x02K\x02.").read_bytes())
    assert TorchFile(own, MOST).values == 2


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "file.pt")
    for path in (tmp_path / "file.pt", Path(os.devnull), tmp_path):
        with pytest.raises(FileError):
            read_entries(path, MOST)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "file.pt").open("wb") as file:
        file.truncate(50 << 30)
    with pytest.raises(FileError, match="more than 67 MB"):
        read_entries(tmp_path / "file.pt", MOST)


def test_many_entries_are_counted_first(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "file.pt", "w") as file:
        for number in range(10_001):
            file.writestr(f"{number}", b"")
    with pytest.raises(ArchiveError, match="more than 10,000 entries"):
        read_entries(tmp_path / "file.pt", MOST)


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "file.pt", "w") as file:
        file.writestr("a", b"1")
        file.writestr("b", b"2")
    content = (tmp_path / "file.pt").read_bytes()
    (tmp_path / "file.pt").write_bytes(content.replace(b"b", b"a"))
    with pytest.raises(ArchiveError, match="two entries of one name"):
        read_entries(tmp_path / "file.pt", MOST)


def test_what_no_place_is_for_is_not_read(tmp_path: Path) -> None:
    """A StoredTensor says where numbers lie; without any it has no end."""
    file = opened(tmp_path / "file.pt", torch.zeros(0))
    assert isinstance(file.values, StoredTensor)
    assert (file.values.numbers, file.values.end) == (0, 0)
