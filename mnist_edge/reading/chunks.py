"""Chunks of work, in order: as large as a twentieth of a second lets them be, so that the first
result is there at once and the thousandth costs no waiting. What takes longer is shared."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Call = Callable[[Sequence[Item]], Result]

_CHUNK_S = 0.05
_MOST = 256  # items in a chunk
# A process that is forked is there at once; elsewhere it has to import everything first.
_FORKS = sys.platform == "linux"
_ALONE_S = 0.05 if _FORKS else 1.0


@dataclass(slots=True)
class Pace:
    """How many items make a chunk, from what was heard of the last ones."""

    size: int = 1

    def heed(self, count: int, seconds: float) -> None:
        fitting = int(count * _CHUNK_S / max(seconds, 1e-9))
        self.size = max(1, min(_MOST, 4 * count, fitting))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Items, and whether they must be worked in this process."""

    items: Sequence[Any]
    here: bool = False


def work_off(
    call: Call[Item, Result],
    items: Iterable[Item],
    processes: int = 1,
    *,
    here: Callable[[Item], bool] = lambda item: False,
) -> Iterator[tuple[Sequence[Item], Result]]:
    """`call` of all items, a few at a time, in their order: each chunk with what became of it.

    The first moments are worked here. What is left then is shared out to so many other
    `processes`, if more than one: `call`, items and results are pickled for that. An item that
    must be worked `here`, such as one that reads from standard input, is a chunk of its own. An
    exception of a call is raised at its turn; EdgeError when a process dies. Who stops in the
    middle waits for no call.
    """
    pace = Pace()
    chunks = _cut(items, here, pace)
    start = time.perf_counter()
    for chunk in chunks:
        result, seconds = timed(call, chunk.items)
        pace.heed(len(chunk.items), seconds)
        yield chunk.items, result
        if processes > 1 and time.perf_counter() - start > _ALONE_S:
            # What takes no longer does without multiprocessing, which takes 40 ms to import.
            from mnist_edge.reading.processes import shared

            yield from shared(call, chunks, pace, processes, _FORKS)
            return


def timed(call: Call[Item, Result], items: Sequence[Item]) -> tuple[Result, float]:
    """What `call` gives, and the seconds it took."""
    start = time.perf_counter()
    return call(items), time.perf_counter() - start


def _cut(items: Iterable[Item], here: Callable[[Item], bool], pace: Pace) -> Iterator[Chunk]:
    chunk: list[Item] = []
    for item in items:
        alone = here(item)
        if not alone:
            chunk.append(item)
        if chunk and (alone or len(chunk) >= pace.size):
            yield Chunk(chunk)
            chunk = []
        if alone:
            yield Chunk([item], here=True)
    if chunk:
        yield Chunk(chunk)
