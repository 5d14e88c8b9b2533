"""Chunks of work, shared by several processes."""

import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import connection
from typing import Any

from mnist_edge import child_python
from mnist_edge.errors import EdgeError
from mnist_edge.reading.chunks import Call, Chunk, Item, Pace, Result, timed

_WAITING = 2  # chunks for each process, beside the one that it works on


def shared(
    call: Call[Item, Result], chunks: Iterator[Chunk], pace: Pace, processes: int, forks: bool
) -> Iterator[tuple[Sequence[Item], Result]]:
    """As `chunks.work_off`, from the beginning in `processes` other processes: forked, which takes
    a moment, or spawned, which works everywhere."""
    context = multiprocessing.get_context("fork" if forks else "spawn")
    others = set(multiprocessing.active_children())
    with child_python.safely():  # multiprocessing starts Pythons when it is made, and later
        pool = ProcessPoolExecutor(processes, context, _begin, (pickle.dumps(call),))
        try:
            yield from _in_order(call, chunks, pace, pool, processes * (1 + _WAITING))
        except BrokenProcessPool as error:
            raise EdgeError(
                "one of the processes that share the work was ended from outside, perhaps for "
                "want of memory: --threads 1 does it in one"
            ) from error
        except BaseException:  # nobody wants the rest, and Ctrl-C may have come while they started
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
            raise
        finally:
            # It waits: what is left to the interpreter's end may fail.
            pool.shutdown(cancel_futures=True)


def _in_order(
    call: Call[Item, Result],
    chunks: Iterator[Chunk],
    pace: Pace,
    pool: ProcessPoolExecutor,
    most: int,
) -> Iterator[tuple[Sequence[Item], Result]]:
    under_way: deque[tuple[Sequence[Item], Future[tuple[Result, float]] | None]] = deque()
    while True:
        for chunk in islice(chunks, most - len(under_way)):
            future = None if chunk.here else pool.submit(_work, chunk.items)
            under_way.append((chunk.items, future))
        if not under_way:
            return
        items, future = under_way.popleft()
        if future is None:
            yield items, call(items)
            continue
        result, seconds = future.result()
        pace.heed(len(items), seconds)
        yield items, result


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


def _work(items: Sequence[Any]) -> tuple[Any, float]:
    return timed(_call, items)
