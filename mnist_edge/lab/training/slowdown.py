"""A training that has become much slower than it was, and what else the CPUs did meanwhile."""

import time
from dataclasses import dataclass

from mnist_edge.host import cpus
from mnist_edge.lab.training.events import EpochResult, StepResult

_SLOW_RATIO = 0.5  # of the speed before
_FIRST_STEPS = 10  # after which an epoch's speed so far counts


@dataclass(frozen=True, slots=True)
class Slowdown:
    """Epoch `epoch` ran at `images_per_s`, and at `before` what came earlier.

    `others` is how many cores' worth of time all other programs had in it, or a virtual machine's
    host; None where the system does not tell.
    """

    epoch: int
    images_per_s: float
    before: float
    others: float | None


class SpeedWatch:
    """Compares each epoch of a run with its first steps, or what was timed before these."""

    def __init__(self, expected: float | None) -> None:
        self.before = expected
        self._told = False
        self._mark = _Clocks.now()

    def step(self, now: StepResult) -> None:
        """The first steps, where nothing was timed before."""
        if self.before is None and now.step >= _FIRST_STEPS:
            self.before = now.images_per_s

    def epoch(self, result: EpochResult) -> Slowdown | None:
        """The slowdown in an epoch that has just ended: told once a run."""
        before, mark = self.before or result.images_per_s, self._mark
        self.before, self._mark = max(before, result.images_per_s), _Clocks.now()
        if self._told or result.images_per_s >= _SLOW_RATIO * before:
            return None
        self._told = True
        return Slowdown(result.epoch, result.images_per_s, before, self._mark.others_since(mark))


@dataclass(frozen=True, slots=True)
class _Clocks:
    """How much time there has been: on the wall, for this process, for all of them."""

    wall_s: float
    own_s: float
    all_s: float | None

    @classmethod
    def now(cls) -> "_Clocks":
        found = cpus.cpu_times()
        all_s = None if found is None else found.busy_s + found.steal_s
        return cls(time.perf_counter(), time.process_time(), all_s)

    def others_since(self, mark: "_Clocks") -> float | None:
        if self.all_s is None or mark.all_s is None:
            return None
        others_s = self.all_s - mark.all_s - (self.own_s - mark.own_s)
        return max(0.0, others_s / max(1e-9, self.wall_s - mark.wall_s))
