"""Whether the machine was quiet while something was measured.

Two readings of what the kernel counts, before and after; what happened between them; a verdict.
What cannot be read is said, and never held against a machine. Nor can everything be read: on a
virtual machine, what other guests of the host do leaves no trace in any counter when it slows a
core down, and only the spread between rounds shows it.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from mnist_edge.host import cpus
from mnist_edge.host.cpus import Clock, CpuTimes
from mnist_edge.intervals import relative_spread

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

# The lines are drawn from 85 runs of 4 to 5 s on a virtual machine of 2 cores: 26 undisturbed, 14
# of them on one thread; 59 beside 1 or 2 busy processes, all of which these lines find.
MOST_OTHERS = 0.10  # undisturbed at most 0.01; beside a busy process 0.24 to 0.75
MOST_SWITCHES_PER_S = 50.0  # undisturbed at most 6; 90 to 320 where no core is free
MOST_STEAL = 0.02  # undisturbed at most 0.009, but for one run with 0.03
# In undisturbed runs on one thread, the rounds' medians were within 0.03 to 0.11 of each other or,
# where the host changed its speed meanwhile, which no counter tells, within 0.27 to 0.65.
MOST_SPREAD = 0.10
# Simulated: stopped for 1 ms in 4, 10 ms in 20, 300 ms in 1 s. A tight loop of one thread uses its
# core for all of its time, but for interrupts: at most 0.01.
MOST_PAUSED = 0.05
MOST_LOAD = 0.5  # not measured: per core, where nothing else can be read, as on macOS

# Several threads put each other off: 840 times a second on a quiet machine.
_ONE_THREAD = 1.1  # cores used


class Cause(StrEnum):
    """A reason not to trust what was measured."""

    STEAL = "steal"  # the host gave CPU time to other guests
    OTHER_PROGRAMS = "other-programs"
    LOAD = "load"  # counts where it is all that can be read
    SWITCHES = "switches"  # the core was shared
    QUOTA = "quota"
    PAUSES = "pauses"  # which no other cause explains
    GOVERNOR = "governor"
    SPREAD = "spread"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What can be read at one instant; None where it cannot.

    `own_s`, CPU seconds, and `switches`, the involuntary ones, are of this process, its threads and
    the children that it has waited for. `load` is the average of the last minute.
    """

    wall_s: float
    own_s: float
    times: CpuTimes | None
    switches: int | None
    load: float | None
    throttled: int | None
    clock: Clock | None


@dataclass(frozen=True, slots=True)
class Noise:
    """What happened between two readings; None where it could not be read, as `unreadable` says.

    steal: the part of the CPU time asked for on this machine that its host gave to others
    own: how many cores this process used, on average
    others: the part of all CPUs that other programs used
    switches_per_s: how often this process was put off a CPU, per second of CPU time that it used
    load: the load average when the measurement began, per core
    throttled: how often the cgroup's quota was used up
    paused: the part of the time of timed calls in which they did not run: CPU time against wall
        time, or calls of equal work that took many times as long
    clock: who chose the CPUs' clock
    spread: by how much what was measured differed between rounds: the interquartile range of the
        rounds' medians, relative to their median
    """

    duration_s: float = 0.0
    own: float = 0.0
    steal: float | None = None
    others: float | None = None
    switches_per_s: float | None = None
    load: float | None = None
    throttled: int | None = None
    paused: float | None = None
    clock: Clock | None = None
    spread: Mapping[str, float] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Reasons not to trust what was measured meanwhile; none where it can be trusted."""
        taken = [
            *[Cause.STEAL] * _above(self.steal, MOST_STEAL),
            *self._sharing(),
            *[Cause.QUOTA] * bool(self.throttled),
        ]
        paused = not taken and _above(self.paused, MOST_PAUSED)  # whose cause the others know
        return (
            *taken,
            *[Cause.PAUSES] * paused,
            *[Cause.GOVERNOR] * (self.clock is not None and not self.clock.steady),
            *[Cause.SPREAD] * any(_above(one, MOST_SPREAD) for one in self.spread.values()),
        )

    def _sharing(self) -> tuple[Cause, ...]:
        """Whether others wanted the CPUs too. Switches say the same as the use of all CPUs, on a
        machine with so many cores that the latter cannot."""
        if _above(self.others, MOST_OTHERS):
            return (Cause.OTHER_PROGRAMS,)
        if self.others is None and _above(self.load, MOST_LOAD):
            return (Cause.LOAD,)
        put_off = _above(self.switches_per_s, MOST_SWITCHES_PER_S) and self.own <= _ONE_THREAD
        return (Cause.SWITCHES,) * put_off

    @property
    def trusted(self) -> bool:
        return not self.causes


def take_snapshot() -> Snapshot:
    """What can be read now."""
    own_s, switches = _own_use()
    return Snapshot(
        wall_s=time.monotonic(),
        own_s=own_s,
        times=cpus.cpu_times(),
        switches=switches,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        throttled=cpus.throttled(),
        clock=cpus.clock(),
    )


def between(
    before: Snapshot,
    after: Snapshot,
    spread: Mapping[str, float] | None = None,
    paused: float | None = None,
) -> Noise:
    """What happened between two readings.

    `spread` and `paused` are what only the caller knows of its measurements; see Noise.
    """
    duration_s = after.wall_s - before.wall_s
    own_s = after.own_s - before.own_s
    steal, others = _steal_and_others(before.times, after.times, own_s)
    switches_per_s = _ratio(_increase(before.switches, after.switches), own_s)
    throttled = _increase(before.throttled, after.throttled)
    known = {
        "steal": steal,
        "other programs": others,
        "involuntary switches": switches_per_s,
        "load": before.load,
        "throttling": throttled,
        "governor": after.clock,
    }
    return Noise(
        duration_s=duration_s,
        own=_ratio(own_s, duration_s) or 0.0,
        steal=steal,
        others=others,
        switches_per_s=switches_per_s,
        load=_ratio(before.load, os.cpu_count()),
        throttled=throttled,
        paused=paused,
        clock=after.clock,
        spread=dict(spread or {}),
        unreadable=tuple(name for name, value in known.items() if value is None),
    )


def sample(duration_s: float = 1.0) -> Noise:
    """The noise right now, beside a loop of fixed work: only what computes can be disturbed."""
    before, own_s, medians = take_snapshot(), time.thread_time(), [_fixed_work_s()]
    while time.monotonic() < before.wall_s + duration_s:
        medians.append(_fixed_work_s())
    own_s, wall_s = time.thread_time() - own_s, time.monotonic() - before.wall_s
    spread = {"a fixed piece of work": relative_spread(np.array(medians))}
    return between(before, take_snapshot(), spread, paused=max(0.0, 1 - own_s / wall_s))


def _fixed_work_s() -> float:
    """The median of some pieces of work, about 2 ms in all."""
    taken = []
    for _ in range(21):
        start = time.perf_counter()
        sum(range(4000))
        taken.append(time.perf_counter() - start)
    return sorted(taken)[len(taken) // 2]


def _own_use() -> tuple[float, int | None]:
    """CPU seconds and involuntary switches of this process and its ended children."""
    if resource is None:
        return time.process_time(), None
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(kind) for kind in kinds]
    return sum(u.ru_utime + u.ru_stime for u in used), sum(u.ru_nivcsw for u in used)


def _steal_and_others(
    before: CpuTimes | None, after: CpuTimes | None, own_s: float
) -> tuple[float | None, float | None]:
    """By the host, of the time that was asked for; by other programs, of all CPUs."""
    if before is None or after is None:
        return None, None
    busy_s, steal_s = after.busy_s - before.busy_s, after.steal_s - before.steal_s
    # Ticks and nanoseconds are two clocks, so that what is left can be below zero.
    others_s = max(0.0, busy_s - own_s)
    return _ratio(steal_s, busy_s + steal_s), _ratio(others_s, after.total_s - before.total_s)


def _increase(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _ratio(some: float | None, whole: float | None) -> float | None:
    return None if some is None or not whole else some / whole


def _above(value: float | None, most: float) -> bool:
    return value is not None and value > most
