"""Calls made ahead of who needs the results: by several threads, in order, in small memory."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_ENOUGH = 64  # results for what follows to work on many at once
_LOOK_AHEAD = 512  # items that may be under way, or done before their turn
_PATIENCE_S = 0.01


def ahead(
    call: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[list[Result]]:
    """`call` of every item, in the order of `items`, `threads` of them at the same time.

    Results come in lists: of some 64 where the calls are quick, of what there is after a hundredth
    of a second where they are slow, and that may be none. At most 512 items are taken before their
    turn. An exception of a call, or of `items`, is raised here at its turn. Whoever stops in the
    middle waits for no call that is under way.
    """
    workers = _Workers(call, items)
    try:
        workers.start(threads)
        yield from workers.results()
    finally:
        workers.stop()


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


class _Workers(Generic[Item, Result]):
    """Threads that take items in turn and put what becomes of them into `done`."""

    def __init__(self, call: Callable[[Item], Result], items: Iterable[Item]) -> None:
        self.call = call
        self.items = iter(items)
        self.taken = 0
        self.taking = threading.Lock()
        self.room = threading.Semaphore(_LOOK_AHEAD)
        self.done: deque[tuple[int, Result | _Raised]] = deque()  # appending is atomic
        self.news = threading.Event()
        self.running = 0
        self.stopped = False

    def start(self, threads: int) -> None:
        self.running = threads
        for _ in range(threads):
            # A daemon: after Ctrl-C nobody waits for a large picture, or for a silent pipe.
            threading.Thread(target=self._work, daemon=True).start()

    def stop(self) -> None:
        self.stopped = True
        self.room.release()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            at, item = taken
            try:
                self.done.append((at, self.call(item)))
            except Exception as error:  # raised again where the result is needed
                self.done.append((at, _Raised(error)))
            if len(self.done) >= _ENOUGH:
                self.news.set()
        with self.taking:
            self.running -= 1
        self.news.set()

    def _take(self) -> tuple[int, Item] | None:
        """The next item and its place; None when there is none, or nobody wants it."""
        with self.taking:
            self.room.acquire()
            if self.stopped:
                self.room.release()  # for the thread that waits next
                return None
            at = self.taken
            try:
                item = next(self.items)
            except StopIteration:
                return None
            except Exception as error:
                self.done.append((at, _Raised(error)))
                self.stopped = True
                return None
            self.taken += 1
            return at, item

    def results(self) -> Iterator[list[Result]]:
        early: dict[int, Result | _Raised] = {}
        turn = 0
        while True:
            ended = not self.running  # asked before looking: what is done by then is all
            if not ended:
                self.news.wait(_PATIENCE_S)
                self.news.clear()
            while self.done:
                at, result = self.done.popleft()
                early[at] = result
            ready: list[Result] = []
            while turn in early and not isinstance(result := early[turn], _Raised):
                ready.append(result)
                del early[turn]
                turn += 1
            yield ready
            if ready:
                self.room.release(len(ready))
            elif isinstance(raised := early.get(turn), _Raised):
                raise raised.error
            elif ended:
                return
