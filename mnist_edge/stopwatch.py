"""measure(calls, protocol) -> latencies. Knows nothing of models.

Contenders are timed in one run, interleaved in random order, so that a machine that drifts
drifts for all of them; every raw sample is kept, and none is clipped.
"""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Samples needed before a percentile means anything at 99 % confidence (MLPerf Inference rules).
NEEDED_SAMPLES = {50: 11, 90: 64, 95: 130, 99: 662, 99.9: 6636}

Call = Callable[[int], object]
"""One timed call; the argument counts the calls, so that it can cycle through its inputs."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """At least `samples` calls of each contender, and at least `duration_s` of timed calls for
    each on average, whichever is later. All get the same number of calls, so that a slow one
    takes more of the time.

    Before that, `warmup_s` untimed. In a round each contender has a burst of `burst` calls, in an
    order drawn from `seed`. Ahead of each burst, `settle` calls are untimed: they find the caches
    full of another contender's data, which no device that runs one model ever meets.
    """

    samples: int = 700
    duration_s: float = 2.0
    warmup_s: float = 0.2
    burst: int = 20
    settle: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("samples", "burst"):
            if getattr(self, name) < 1:
                raise ValueError(f"protocol: {name} must be at least 1")
        for name in ("duration_s", "warmup_s", "settle"):
            if getattr(self, name) < 0:
                raise ValueError(f"protocol: {name} cannot be negative")


@dataclass(frozen=True, slots=True)
class Latency:
    """The distribution of one contender's calls: `samples_us` float64 (n,), in their order."""

    samples_us: NDArray[np.float64]

    def percentile_us(self, rank: float) -> float | None:
        """A percentile in microseconds; None where there are too few samples to mean anything."""
        if len(self.samples_us) < NEEDED_SAMPLES[rank]:
            return None
        return float(np.percentile(self.samples_us, rank))


def measure(
    calls: Sequence[Call],
    protocol: Protocol,
    progress: Callable[[float], None] = lambda fraction: None,
) -> list[Latency]:
    """Time every call by the protocol. `progress` is told the fraction done, between rounds."""
    for call in calls:
        _warm_up(call, protocol.warmup_s)
    samples_ns: list[list[int]] = [[] for _ in calls]
    spent_ns = [0] * len(calls)
    random = np.random.default_rng(protocol.seed)
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()  # a collection of the harness's own garbage is nobody's latency
    try:
        while (fraction := _fraction(samples_ns, spent_ns, protocol)) < 1:
            progress(fraction)
            for at in random.permutation(len(calls)):
                spent_ns[at] += _burst(calls[at], samples_ns[at], protocol)
    finally:
        if was_enabled:
            gc.enable()
    progress(1.0)
    return [Latency(np.array(samples, np.float64) / 1000) for samples in samples_ns]


def _warm_up(call: Call, duration_s: float) -> None:
    end, count = time.perf_counter() + duration_s, 0
    while count == 0 or time.perf_counter() < end:
        call(count)
        count += 1


def _burst(call: Call, samples_ns: list[int], protocol: Protocol) -> int:
    """Append the durations of a burst of calls; the nanoseconds that they took together."""
    first = len(samples_ns)
    for count in range(first, first + protocol.settle):
        call(count)
    clock, total = time.perf_counter_ns, 0
    for count in range(first, first + protocol.burst):
        start = clock()
        call(count)
        elapsed = clock() - start
        samples_ns.append(elapsed)
        total += elapsed
    return total


def _fraction(samples_ns: list[list[int]], spent_ns: list[int], protocol: Protocol) -> float:
    """How far the measurement has come towards both minima."""
    by_count = min(len(samples) / protocol.samples for samples in samples_ns)
    if not protocol.duration_s:
        return by_count
    return min(by_count, sum(spent_ns) / (len(spent_ns) * protocol.duration_s * 1e9))
