"""Chunks of work, done by several processes, in order: as large as a twentieth of a second lets
them be, so that the first result is there at once and the thousandth costs no waiting."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import connection
from typing import Any, Generic, TypeVar

from mnist_edge.errors import EdgeError

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK_S = 0.05
_MOST = 256  # items in a chunk
_WAITING = 2  # chunks for each process, beside the one that it works on
# A process that is forked is there at once; elsewhere it has to import everything first.
_FORKS = sys.platform == "linux"
_ALONE_S = 0.05 if _FORKS else 1.0


def in_chunks(
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
    chunks = _Chunks(items, here)
    start = time.perf_counter()
    for chunk in chunks:
        result, seconds = _timed(call, chunk)
        chunks.heed(len(chunk), seconds)
        yield chunk, result
        if processes > 1 and time.perf_counter() - start > _ALONE_S:
            yield from _shared(call, chunks, processes)
            return


class _Chunks(Generic[Item]):
    """Items in chunks that take about as long as they should, from what was heard of the last."""

    def __init__(self, items: Iterable[Item], here: Callable[[Item], bool]) -> None:
        self.items = iter(items)
        self.here = here
        self.size = 1
        self.next: list[Item] = []  # one that must be alone

    def __iter__(self) -> "_Chunks[Item]":
        return self

    def __next__(self) -> Sequence[Item]:
        chunk, self.next = self.next, []
        for item in islice(self.items, 0 if chunk else self.size):
            if self.here(item):
                self.next = [item]
                break
            chunk.append(item)
        if not chunk and self.next:
            return next(self)
        if not chunk:
            raise StopIteration
        return chunk

    def heed(self, count: int, seconds: float) -> None:
        fitting = int(count * _CHUNK_S / max(seconds, 1e-9))
        self.size = max(1, min(_MOST, 4 * count, fitting))

    def alone(self, chunk: Sequence[Item]) -> bool:
        return len(chunk) == 1 and self.here(chunk[0])


def _shared(
    call: Callable[[Sequence[Item]], Result], chunks: _Chunks[Item], processes: int
) -> Iterator[tuple[Sequence[Item], Result]]:
    context = multiprocessing.get_context("fork" if _FORKS else "spawn")
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, context, _begin, (pickle.dumps(call),))
    under_way: deque[tuple[Sequence[Item], Future[tuple[Result, float]] | None]] = deque()
    all_done = False
    try:
        while True:
            for chunk in islice(chunks, processes * (1 + _WAITING) - len(under_way)):
                future = None if chunks.alone(chunk) else pool.submit(_work, chunk)
                under_way.append((chunk, future))
            if not under_way:
                all_done = True
                break
            chunk, future = under_way.popleft()
            result, seconds = future.result() if future else _timed(call, chunk)
            if future:
                chunks.heed(len(chunk), seconds)
            yield chunk, result
    except BrokenProcessPool as error:
        raise EdgeError(
            "one of the processes that share the work was ended from outside, perhaps for want of "
            "memory: --threads 1 does it in one"
        ) from error
    finally:
        if not all_done:  # nobody wants the rest, and Ctrl-C may have come while they started
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
        pool.shutdown(cancel_futures=True)  # waits: what is left to the interpreter's end may fail


def _timed(call: Callable[[Sequence[Item]], Result], chunk: Sequence[Item]) -> tuple[Result, float]:
    start = time.perf_counter()
    return call(chunk), time.perf_counter() - start


# In the other processes

_call: Callable[[Sequence[Any]], Any]


def _begin(pickled: bytes) -> None:
    """Get ready. Ctrl-C is for the parent to decide on; without one there is nothing to do."""
    global _call
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    _call = pickle.loads(pickled)


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _work(chunk: Sequence[Any]) -> tuple[Any, float]:
    return _timed(_call, chunk)
