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

_WAITING = 2  # chunks for each process, beside the one that it works on

Chunk = Sequence[Any]
Call = Callable[[Chunk], Any]


def map_in_processes(
    call: Call, chunks: Iterator[tuple[Chunk, bool]], processes: int, forks: bool
) -> Iterator[tuple[Chunk, Any]]:
    """`call` of all chunks, in their order, in so many other `processes`: forked, which takes a
    moment, or spawned, which works everywhere. Beside each chunk stands whether this process must
    do it.

    Where the system has no semaphores (no /dev/shm, as in some containers) or no more processes,
    this process does it alone. EdgeError when a process dies.
    """
    context = multiprocessing.get_context("fork" if forks else "spawn")
    others = set(multiprocessing.active_children())
    with child_python.safe_path():  # multiprocessing starts Pythons when it is made, and later
        try:
            pool = ProcessPoolExecutor(processes, context, _begin, (pickle.dumps(call),))
        except (OSError, ImportError, NotImplementedError):
            yield from ((chunk, call(chunk)) for chunk, _ in chunks)
            return
        try:
            yield from _in_order(call, chunks, pool, processes * (1 + _WAITING))
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
    call: Call, chunks: Iterator[tuple[Chunk, bool]], pool: ProcessPoolExecutor, most: int
) -> Iterator[tuple[Chunk, Any]]:
    under_way: deque[tuple[Chunk, Future[Any] | None]] = deque()
    while True:
        for chunk, here in islice(chunks, most - len(under_way)):
            under_way.append((chunk, None if here else _submit(pool, chunk)))
        if not under_way:
            return
        chunk, future = under_way.popleft()
        yield chunk, call(chunk) if future is None else future.result()


def _submit(pool: ProcessPoolExecutor, chunk: Chunk) -> Future[Any] | None:
    """None where no process can be started: then this one does it."""
    try:
        return pool.submit(_work, chunk)
    except OSError:
        return None


# In the other processes

_call: Call


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


def _work(chunk: Chunk) -> Any:
    return _call(chunk)
