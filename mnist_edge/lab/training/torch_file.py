"""What torch.save wrote, read back without torch.load.

torch.load finds the parts of an archive with a parser of its own, makes whatever their pickle
asks for, and believes what it says of sizes. Here the archive is read once, its pickle by a
machine of the 30 opcodes that torch.save writes for numbers, texts, lists, dicts and tensors,
which can call nothing; and no tensor is larger than the bytes that are there for it.
"""

import pickletools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mnist_edge.lab.training.stored_zip import ArchiveError, read_entries

_MAX_PICKLE_BYTES = 4 << 20  # bytes; resnet56's has 0.2 MB
_MAX_OPCODES = 400_000  # resnet56's run has 43,000, and each epoch of a history 30
_MAX_DIMENSIONS = 8
_DTYPES = {"torch FloatStorage": torch.float32, "torch LongStorage": torch.int64}
_ORDERED_DICT, _TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
_PICKLE = "/data.pkl"


@dataclass(frozen=True, slots=True)
class _Name:
    """A class or function that a pickle names: never imported, never called."""

    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    """Which of the archive's entries holds a tensor's numbers, how many, and what they are."""

    key: str
    dtype: torch.dtype
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """Where a tensor lies in its storage, as the pickle says, in numbers and not in bytes."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def numbers(self) -> int:
        """How many numbers it has."""
        count = 1
        for length in self.size:
            count *= length
        return count

    @property
    def end(self) -> int:
        """The place behind its last number; 0 where it has none."""
        steps = zip(self.size, self.stride, strict=True)
        last = self.offset + sum((length - 1) * stride for length, stride in steps)
        return last + 1 if self.numbers else 0


class TorchFile:
    """An open file: its `values` are plain, with a StoredTensor in the place of each tensor.

    Whoever walks through them has to know how deep: a pickle may put a list into itself.
    """

    def __init__(self, path: Path, most_bytes: int) -> None:
        """ArchiveError for what torch.save did not write, or no run needs; FileError."""
        entries = read_entries(path, most_bytes)
        pickles = [name for name in entries if name.endswith(_PICKLE)]
        if len(pickles) != 1 or len(entries[pickles[0]]) > _MAX_PICKLE_BYTES:
            what = "it holds more objects than a run has" if pickles else "it holds no pickle"
            raise ArchiveError(f"is not ours: {what}")
        folder = pickles[0].removesuffix(_PICKLE)
        if entries.get(f"{folder}/byteorder", b"little") != sys.byteorder.encode():
            raise ArchiveError("was written by a machine of another byte order")
        self.values = _PickleMachine().run(entries[pickles[0]])
        self._storages = {
            name.removeprefix(f"{folder}/data/"): content
            for name, content in entries.items()
            if name.startswith(f"{folder}/data/")
        }
        self._left = {key: len(content) for key, content in self._storages.items()}
        self._made: dict[int, Tensor] = {}

    def tensor(self, stored: StoredTensor) -> Tensor:
        """The tensor, on the CPU, with the strides that it had; the same for the same place.

        All tensors of a storage together are no larger than it is. ArchiveError.
        """
        if id(stored) not in self._made:
            self._made[id(stored)] = self._make(stored)
        return self._made[id(stored)]

    def _make(self, stored: StoredTensor) -> Tensor:
        content, dtype = self._storages.get(stored.storage.key), stored.storage.dtype
        if content is None or stored.storage.count * dtype.itemsize != len(content):
            raise ArchiveError("is damaged or not ours")
        self._left[stored.storage.key] -= stored.numbers * dtype.itemsize
        if self._left[stored.storage.key] < 0 or stored.end > stored.storage.count:
            raise ArchiveError("is not ours: it has tensors that are larger than their storage")
        if not stored.numbers:
            return torch.empty(stored.size, dtype=dtype)
        whole = torch.frombuffer(bytearray(content), dtype=dtype)
        return whole.as_strided(stored.size, stored.stride, stored.offset).clone()


class _PickleMachine:
    """Runs a pickle. What it is asked for beyond plain values and tensors, it refuses."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, pickled: bytes) -> Any:
        """The value that a pickle stands for. ArchiveError."""
        try:
            for number, (opcode, argument, _) in enumerate(pickletools.genops(pickled)):
                if number >= _MAX_OPCODES:
                    raise ArchiveError("is not ours: it holds more objects than a run has")
                _OPCODES[opcode.name](self, argument)
            (value,) = self.stack
        except ArchiveError:
            raise
        except Exception as error:  # damaged bytes spell anything
            raise ArchiveError("is damaged or not ours") from error
        return value

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        return self.stack.pop()

    def since_mark(self) -> list[Any]:
        at = self.marks.pop()
        values = self.stack[at:]
        del self.stack[at:]
        return values

    def mark(self, _: Any) -> None:
        self.marks.append(len(self.stack))

    def put(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def get(self, place: int) -> None:
        self.push(self.memo[place])

    def tuple_of(self, count: int) -> None:
        values = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        self.push(values)

    def tuple_since_mark(self, _: Any) -> None:
        self.push(tuple(self.since_mark()))

    def append(self, _: Any) -> None:
        self.extend([self.pop()])

    def appends(self, _: Any) -> None:
        self.extend(self.since_mark())

    def extend(self, values: list[Any]) -> None:
        _check(isinstance(self.stack[-1], list))
        self.stack[-1].extend(values)

    def set_item(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self.update([key, value])

    def set_items(self, _: Any) -> None:
        self.update(self.since_mark())

    def update(self, values: list[Any]) -> None:
        target, keys = self.stack[-1], values[::2]
        _check(isinstance(target, dict) and all(isinstance(key, str | int) for key in keys))
        target.update(zip(keys, values[1::2], strict=True))

    def name(self, named: str) -> None:
        _check(named in _DTYPES or named in (_ORDERED_DICT, _TENSOR))
        self.push(_Name(named))

    def storage(self, _: Any) -> None:
        kind, of, key, _device, count = self.pop()
        _check(kind == "storage" and isinstance(of, _Name) and isinstance(key, str))
        self.push(_Storage(key, _DTYPES[of.name], _count(count)))

    def reduce(self, _: Any) -> None:
        arguments, called = self.pop(), self.pop()
        _check(isinstance(called, _Name) and isinstance(arguments, tuple))
        if called.name == _ORDERED_DICT:
            _check(not arguments)
            self.push({})
        else:
            _check(called.name == _TENSOR)
            self.push(_stored_tensor(*arguments))

    def build(self, _: Any) -> None:
        """State beside a dict's items: versions of layers, which the network knows itself."""
        self.pop()
        _check(isinstance(self.stack[-1], dict))


def _check(right: bool) -> None:
    if not right:
        raise ArchiveError("is damaged or not ours")


def _count(number: Any) -> int:
    """A number of numbers: no bool, and not negative."""
    _check(type(number) is int and number >= 0)
    return int(number)


def _stored_tensor(
    storage: Any, offset: Any, size: Any, stride: Any, _gradient: Any, _hooks: Any
) -> StoredTensor:
    _check(isinstance(storage, _Storage) and isinstance(size, tuple) and isinstance(stride, tuple))
    _check(len(size) == len(stride) <= _MAX_DIMENSIONS)
    return StoredTensor(
        storage, _count(offset), tuple(map(_count, size)), tuple(map(_count, stride))
    )


def _constant(make: Callable[[], Any]) -> Callable[[_PickleMachine, Any], None]:
    return lambda machine, _: machine.push(make())


def _nothing(machine: _PickleMachine, _: Any) -> None:
    """PROTO and STOP."""


def _integer(machine: _PickleMachine, number: int) -> None:
    """LONG1 may have 255 bytes; those of a run fit into 8."""
    _check(-(2**63) <= number < 2**63)
    machine.push(number)


_OPCODES: dict[str, Callable[[_PickleMachine, Any], None]] = {
    **dict.fromkeys(("PROTO", "STOP"), _nothing),
    **dict.fromkeys(
        ("BINUNICODE", "BININT", "BININT1", "BININT2", "BINFLOAT"), _PickleMachine.push
    ),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _PickleMachine.put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _PickleMachine.get),
    "LONG1": _integer,
    "NONE": _constant(lambda: None),
    "NEWTRUE": _constant(lambda: True),
    "NEWFALSE": _constant(lambda: False),
    "EMPTY_TUPLE": _constant(tuple),
    "EMPTY_LIST": _constant(list),
    "EMPTY_DICT": _constant(dict),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "TUPLE": _PickleMachine.tuple_since_mark,
    "MARK": _PickleMachine.mark,
    "APPEND": _PickleMachine.append,
    "APPENDS": _PickleMachine.appends,
    "SETITEM": _PickleMachine.set_item,
    "SETITEMS": _PickleMachine.set_items,
    "GLOBAL": _PickleMachine.name,
    "BINPERSID": _PickleMachine.storage,
    "REDUCE": _PickleMachine.reduce,
    "BUILD": _PickleMachine.build,
}
