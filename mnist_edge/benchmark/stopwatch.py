"""measure(calls, protocol) -> latencies. Knows nothing of models.

Contenders are timed in one run, interleaved in random order, so that a machine that drifts
drifts for all of them; every raw sample is kept, and none is clipped.
"""

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from mnist_edge.benchmark.latency import Latency
from mnist_edge.errors import EdgeError

_SETTLE_S = 0.002
_PACED_TURN_S = 1.0

Call = Callable[[int], object]
"""One timed call; the argument counts the calls, so that it can cycle through its inputs."""

Meter = Callable[[], float]
"""A counter that only grows, such as CPU seconds: read before and after each turn."""

THREAD_METERS: Mapping[str, Meter] = {"wall_s": time.perf_counter, "thread_s": time.thread_time}
"""The meters that `off_cpu_share` needs."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """At least `samples` calls and `rounds` turns of each contender, and `duration_s` of timed
    calls for each on average, whichever comes last.

    Before that, `warmup_s` untimed. In a round each contender has one turn of `turn_s`, in an
    order drawn from `seed`. A turn begins with `settle` untimed calls, or as many as fit in 2 ms:
    they find the caches full of another contender's data, which no device that runs one model
    ever meets. With `rate_hz`, calls come at that rate, as a camera's frames do, in turns of a
    second.
    """

    samples: int = 700
    duration_s: float = 10.0
    rounds: int = 11
    turn_s: float = 0.025
    warmup_s: float = 0.2
    settle: int = 2
    seed: int = 0
    rate_hz: float | None = None

    def __post_init__(self) -> None:
        for name in ("samples", "rounds"):
            if getattr(self, name) < 1:
                raise EdgeError(f"protocol: {name} must be at least 1")
        for name in ("duration_s", "turn_s", "warmup_s", "settle"):
            if getattr(self, name) < 0:
                raise EdgeError(f"protocol: {name} cannot be negative")
        if self.rate_hz is not None and not self.rate_hz > 0:
            raise EdgeError("protocol: rate_hz must be above 0")


def off_cpu_share(latencies: Sequence[Latency]) -> float | None:
    """The part of their turns in which the calling thread was on no CPU, 0..1: its CPU time against
    wall time. Near 0 for calls that compute in that thread; None without THREAD_METERS."""
    known = [latency.used for latency in latencies if latency.used.keys() >= THREAD_METERS.keys()]
    wall_s = sum(float(used["wall_s"].sum()) for used in known)
    thread_s = sum(float(used["thread_s"].sum()) for used in known)
    return max(0.0, 1 - thread_s / wall_s) if wall_s > 0 else None


@dataclass(frozen=True, slots=True)
class Timing:
    """What was measured: a latency for each call. `stopped` says that Ctrl-C ended it early."""

    latencies: tuple[Latency, ...]
    stopped: bool = False


def measure(
    calls: Sequence[Call],
    protocol: Protocol,
    progress: Callable[[float], None] = lambda fraction: None,
    meters: Mapping[str, Meter] | None = None,
) -> Timing:
    """Time every call by the protocol. `progress` is told the fraction done, between rounds.

    Ctrl-C ends it after the last whole round; without one, KeyboardInterrupt is raised.
    """
    for call in calls:
        _warm_up(call, protocol.warmup_s)
    tallies = [_Tally() for _ in calls]
    random = np.random.default_rng(protocol.seed)
    stopped = False
    with no_garbage_collection():
        try:
            while (fraction := _fraction(tallies, protocol)) < 1:
                progress(fraction)
                turns = {
                    at: _run_turn(calls[at], tallies[at].count, protocol, meters or {})
                    for at in random.permutation(len(calls))
                }
                for at, turn in turns.items():  # only whole rounds count, so that they stay pairs
                    tallies[at].add(turn)
        except KeyboardInterrupt:
            if not all(tally.turns for tally in tallies):
                raise
            stopped = True
    progress(1.0)
    whole = min(len(tally.turns) for tally in tallies)  # Ctrl-C may come while a round is added
    return Timing(tuple(tally.latency(whole) for tally in tallies), stopped)


@dataclass(frozen=True, slots=True)
class _Turn:
    samples_ns: list[int]
    used: dict[str, float]


@dataclass(slots=True)
class _Tally:
    """What one contender's turns have come to so far."""

    turns: list[_Turn] = field(default_factory=list)
    count: int = 0
    spent_ns: int = 0

    def add(self, turn: _Turn) -> None:
        self.turns.append(turn)
        self.count += len(turn.samples_ns)
        self.spent_ns += sum(turn.samples_ns)

    def latency(self, rounds: int) -> Latency:
        turns = self.turns[:rounds]
        samples = [sample for turn in turns for sample in turn.samples_ns]
        return Latency(
            samples_us=np.array(samples, np.float64) / 1000,
            turns=np.array([len(turn.samples_ns) for turn in turns], np.int64),
            used={name: np.array([turn.used[name] for turn in turns]) for name in turns[0].used},
        )


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """A collection of the harness's own garbage is nobody's latency."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _warm_up(call: Call, duration_s: float) -> None:
    end, count = time.perf_counter() + duration_s, 0
    while count == 0 or time.perf_counter() < end:
        call(count)
        count += 1


def _run_turn(call: Call, first: int, protocol: Protocol, meters: Mapping[str, Meter]) -> _Turn:
    """One contender's calls in one round, the first of them being its `first` so far."""
    end = time.perf_counter() + _SETTLE_S
    for count in range(first, first + protocol.settle):
        call(count)
        if time.perf_counter() > end:
            break
    before = {name: meter() for name, meter in meters.items()}
    samples = (
        _run_tight(call, first, protocol)
        if protocol.rate_hz is None
        else _run_paced(call, first, protocol.rate_hz)
    )
    return _Turn(samples, {name: meter() - before[name] for name, meter in meters.items()})


def _run_tight(call: Call, first: int, protocol: Protocol) -> list[int]:
    """Call after call, for as long as a turn."""
    clock, samples = time.perf_counter_ns, []
    end, now, count = clock() + int(protocol.turn_s * 1e9), 0, first
    while now < end:
        start = clock()
        call(count)
        now = clock()
        samples.append(now - start)
        count += 1
    return samples


def _run_paced(call: Call, first: int, rate_hz: float) -> list[int]:
    """A call each time that one is due. One that finds the one before it under way has to wait,
    and its latency counts from when it was due: a queue does not hide (coordinated omission,
    Tene 2013)."""
    clock, samples = time.perf_counter_ns, []
    period, begin = 1e9 / rate_hz, clock()
    for at in range(max(1, round(_PACED_TURN_S * rate_hz))):
        due = begin + round((at + 1) * period)
        early = due - clock()
        if early > 0:
            time.sleep(early / 1e9)
        start = clock() if early > 0 else due
        call(first + at)
        samples.append(clock() - start)
    return samples


def _fraction(tallies: Sequence[_Tally], protocol: Protocol) -> float:
    """How far the measurement has come towards all minima."""
    parts = [min(tally.count for tally in tallies) / protocol.samples]
    parts.append(len(tallies[0].turns) / protocol.rounds)
    if protocol.duration_s and protocol.rate_hz is None:
        spent_s = sum(tally.spent_ns for tally in tallies) / 1e9
        parts.append(spent_s / (len(tallies) * protocol.duration_s))
    if protocol.duration_s and protocol.rate_hz is not None:
        parts.append(len(tallies[0].turns) * _PACED_TURN_S / protocol.duration_s)
    return min(parts)
