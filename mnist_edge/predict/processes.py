"""Chunks of work, shared by several processes."""

import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any

from mnist_edge import child_python
from mnist_edge.errors import EdgeError
from mnist_edge.predict.chunks import Call, Chunk, ChunkSizer, Item, Result, timed

_WAITING = 2  # chunks for each process, beside the one that it works on


def shared(
    call: Call[Item, Result],
    chunks: Iterator[Chunk],
    sizer: ChunkSizer,
    processes: int,
    forks: bool,
) -> Iterator[tuple[Sequence[Item], Result]]:
    """As `parallel.map_chunks`, from the beginning in `processes` others: forked, which takes a
    moment, or spawned, which works everywhere.

    Where the system has no semaphores (no /dev/shm, as in some containers) or no more processes,
    this process does it alone.
    """
    context = multiprocessing.get_context("fork" if forks else "spawn")
    others = set(multiprocessing.active_children())
    with child_python.safe_path():  # multiprocessing starts Pythons when it is made, and later
        try:
            pool = ProcessPoolExecutor(processes, context, _begin, (pickle.dumps(call),))
        except (OSError, ImportError, NotImplementedError):
            yield from ((chunk.items, call(chunk.items)) for chunk in chunks)
            return
        try:
            yield from _in_order(call, chunks, sizer, pool, processes * (1 + _WAITING))
        except BrokenProcessPool as error:
            raise EdgeError(
                "one of the processes that share the work was ended from outside, perhaps for "
                "want of memory: --workers 1 does it in one"
            ) from error
        except BaseException:  # nobody wants the rest, and Ctrl-C may have come while they started
            _kill(others)
            raise
        finally:
            # It waits: what is left to the interpreter's end may fail.
            pool.shutdown(cancel_futures=True)
            _kill(others)  # where only some could be started, nobody else ends them


def _kill(others: Container[BaseProcess]) -> None:
    """End all child processes but those that were there before."""
    for process in multiprocessing.active_children():
        if process not in others:
            process.kill()
            process.join()


def _in_order(
    call: Call[Item, Result],
    chunks: Iterator[Chunk],
    sizer: ChunkSizer,
    pool: ProcessPoolExecutor,
    most: int,
) -> Iterator[tuple[Sequence[Item], Result]]:
    under_way: deque[tuple[Sequence[Item], Future[tuple[Result, float]] | None]] = deque()
    while True:
        for chunk in islice(chunks, most - len(under_way)):
            future = None if chunk.here else _submitted(pool, chunk.items)
            under_way.append((chunk.items, future))
        if not under_way:
            return
        items, future = under_way.popleft()
        if future is None:
            yield items, call(items)
            continue
        result, seconds = future.result()
        sizer.update(len(items), seconds)
        yield items, result


def _submitted(pool: ProcessPoolExecutor, items: Sequence[Any]) -> Future[tuple[Any, float]] | None:
    """None where no process can be started: then this one does it."""
    try:
        return pool.submit(_work, items)
    except OSError:
        return None


# In the other processes

_call: Callable[[Sequence[Any]], Any]


def _begin(pickled: bytes) -> None:
    """Get ready. Ctrl-C and SIGTERM are for the parent to decide on, whose end is theirs too."""
    global _call
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    _call = pickle.loads(pickled)


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _work(items: Sequence[Any]) -> tuple[Any, float]:
    return timed(_call, items)
