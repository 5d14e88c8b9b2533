"""Chunks of work, in order: as large as a twentieth of a second lets them be, so that the first
result is there at once and the thousandth costs no waiting."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Call = Callable[[Sequence[Item]], Result]

_CHUNK_S = 0.05
_MOST = 256  # items in a chunk


@dataclass(slots=True)
class ChunkSizer:
    """How many items make a chunk, from what was heard of the last ones."""

    size: int = 1

    def update(self, count: int, seconds: float) -> None:
        fitting = int(count * _CHUNK_S / max(seconds, 1e-9))
        self.size = max(1, min(_MOST, 4 * count, fitting))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Items, and whether they must be worked in this process."""

    items: Sequence[Any]
    here: bool = False


def timed(call: Call[Item, Result], items: Sequence[Item]) -> tuple[Result, float]:
    """What `call` gives, and the seconds it took."""
    start = time.perf_counter()
    return call(items), time.perf_counter() - start


def cut(items: Iterable[Item], here: Callable[[Item], bool], sizer: ChunkSizer) -> Iterator[Chunk]:
    chunk: list[Item] = []
    for item in items:
        alone = here(item)
        if not alone:
            chunk.append(item)
        if chunk and (alone or len(chunk) >= sizer.size):
            yield Chunk(chunk)
            chunk = []
        if alone:
            yield Chunk([item], here=True)
    if chunk:
        yield Chunk(chunk)
