"""What the page's server spends on others: connections and the time that they may take, requests a
second, and bytes of bodies that it holds at once."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """What a connection is doing."""

    IDLE = "waits between two requests"
    HEAD = "a request's head arrives"
    WORK = "a request is answered: its body has a limit of its own"


LIMITS_S = {State.IDLE: 15.0, State.HEAD: 10.0}
"""How long each may take, from its beginning to its end."""


@dataclass(slots=True)
class _Connection:
    address: str
    state: State
    since: float


class Connections:
    """The open connections: at most `most`, and `of_one` of the same address.

    Where there are too many, the one that has been idle longest is hung up on for a new one.
    """

    def __init__(self, most: int, of_one: int) -> None:
        self._most, self._of_one = most, of_one
        self._open: dict[socket.socket, _Connection] = {}
        self._lock = threading.Lock()

    def admit(self, connection: socket.socket, address: str, limited: bool) -> bool:
        """Whether a new connection is served; `limited`: the limit of one address is its too."""
        with self._lock:
            mine = [one for one, seen in self._open.items() if seen.address == address]
            full = len(self._open) >= self._most
            if limited and len(mine) >= self._of_one:
                admitted = self._hang_up_on_idle(mine)
            else:
                admitted = not full or self._hang_up_on_idle(list(self._open))
            if admitted:
                self._open[connection] = _Connection(address, State.IDLE, time.monotonic())
            return admitted

    def enter(self, connection: socket.socket, state: State) -> None:
        """A connection does something else now."""
        with self._lock:
            if seen := self._open.get(connection):
                seen.state, seen.since = state, time.monotonic()

    def leave(self, connection: socket.socket) -> None:
        """A connection is closed."""
        with self._lock:
            self._open.pop(connection, None)

    def hang_up_on_late(self) -> None:
        """End those whose time is up, however steadily they drip."""
        now = time.monotonic()
        with self._lock:
            for connection, seen in list(self._open.items()):
                if now - seen.since > LIMITS_S.get(seen.state, now):
                    self._hang_up(connection)

    def _hang_up_on_idle(self, among: list[socket.socket]) -> bool:
        idle = [one for one in among if self._open[one].state is State.IDLE]
        if not idle:
            return False
        self._hang_up(min(idle, key=lambda one: self._open[one].since))
        return True

    def _hang_up(self, connection: socket.socket) -> None:
        """Its thread sees the end of the stream, and closes it."""
        del self._open[connection]
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


class Rate:
    """A token bucket: so many requests a second, and a burst more."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._tokens, self._last = burst, time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        with self._lock:
            now = time.monotonic()
            gained = (now - self._last) * self._per_second
            self._tokens, self._last = min(self._burst, self._tokens + gained), now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


class Memory:
    """So many bytes for bodies; whoever wants some waits for them before reading any."""

    def __init__(self, size: int, wait_s: float) -> None:
        self._free, self._wait_s = size, wait_s
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, size: int) -> Iterator[bool]:
        """Hold so many bytes; yields False where others do not give them back in time."""
        with self._changed:
            held = self._changed.wait_for(lambda: self._free >= size, self._wait_s)
            self._free -= size * held
        try:
            yield held
        finally:
            with self._changed:
                self._free += size * held
                self._changed.notify_all()
