"""A function mapped over many items, a chunk at a time: in this process, and what takes longer in
several.

A chunk is as large as a twentieth of a second lets it be, so that the first result is there at once
and the thousandth costs no waiting.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK_S = 0.05
_MOST = 256  # items in a chunk
# A process that is forked is there at once; elsewhere it has to import everything first.
_FORKS = sys.platform == "linux"
_ALONE_S = 0.05 if _FORKS else 1.0


def map_chunks(
    call: Callable[[Sequence[Item]], Result],
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
    sizer, timed_call = ChunkSizer(), partial(_timed, call)
    chunks = _split(items, here, sizer)
    start = time.perf_counter()
    for chunk, _ in chunks:
        result, seconds = timed_call(chunk)
        sizer.update(len(chunk), seconds)
        yield chunk, result
        if processes > 1 and time.perf_counter() - start > _ALONE_S:
            # What takes no longer does without multiprocessing, which takes 40 ms to import.
            from mnist_edge.predict.processes import map_in_processes

            for chunk, (result, seconds) in map_in_processes(timed_call, chunks, processes, _FORKS):
                sizer.update(len(chunk), seconds)
                yield chunk, result


@dataclass(slots=True)
class ChunkSizer:
    """How many items make a chunk, from what was heard of the last ones."""

    size: int = 1

    def update(self, count: int, seconds: float) -> None:
        fitting = int(count * _CHUNK_S / max(seconds, 1e-9))
        self.size = max(1, min(_MOST, 4 * count, fitting))


def _timed(call: Callable[[Sequence[Item]], Result], items: Sequence[Item]) -> tuple[Result, float]:
    """What `call` gives, and the seconds it took."""
    start = time.perf_counter()
    return call(items), time.perf_counter() - start


def _split(
    items: Iterable[Item], here: Callable[[Item], bool], sizer: ChunkSizer
) -> Iterator[tuple[Sequence[Item], bool]]:
    """Chunks, and of each whether it must be worked in this process."""
    chunk: list[Item] = []
    for item in items:
        alone = here(item)
        if not alone:
            chunk.append(item)
        if chunk and (alone or len(chunk) >= sizer.size):
            yield chunk, False
            chunk = []
        if alone:
            yield [item], True
    if chunk:
        yield chunk, False
