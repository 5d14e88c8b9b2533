"""What was measured of one contender: every call's time, with percentiles, spread and speedups."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mnist_edge.intervals import Ratio, paired_ratio, percentile_upper_bound, relative_spread

# Samples needed before a percentile means anything at 99 % confidence (MLPerf Inference rules).
NEEDED_SAMPLES = {50: 11, 90: 64, 95: 130, 99: 662, 99.9: 6636}

_STALL = 10  # times the median: a call of fixed work that takes longer stood still


@dataclass(frozen=True, slots=True)
class Latency:
    """The distribution of one contender's calls: `samples_us` float64 (n,), in their order.

    `turns` int64 (rounds,) says how many of them each round holds; `used` what each meter counted
    in each turn's timed calls, float64 (rounds,).
    """

    samples_us: NDArray[np.float64]
    turns: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    used: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def percentile_us(self, rank: float) -> float | None:
        """A percentile in microseconds; None where there are too few samples to mean anything."""
        if len(self.samples_us) < NEEDED_SAMPLES[rank]:
            return None
        return float(np.percentile(self.samples_us, rank))

    def upper_us(self, rank: float) -> float | None:
        """The upper bound of a percentile at 99 % confidence; None where the percentile is."""
        if len(self.samples_us) < NEEDED_SAMPLES[rank]:
            return None
        return percentile_upper_bound(self.samples_us, rank)

    @property
    def medians_us(self) -> NDArray[np.float64]:
        """The median of each round's turn, float64 (rounds,)."""
        return round_medians(self.samples_us, self.turns)

    @property
    def spread(self) -> float | None:
        """The interquartile range of the rounds' medians, relative to their median."""
        return relative_spread(self.medians_us) if len(self.turns) >= NEEDED_SAMPLES[50] else None

    @property
    def stalled_share(self) -> float:
        """The part of its time, 0..1, by which calls took more than ten times their median. For
        calls of equal work that is time in which nothing ran: a virtual machine's host that takes
        a core away unannounced leaves the CPU time running too, and is seen nowhere else."""
        excess = self.samples_us - _STALL * np.median(self.samples_us)
        return float(np.maximum(excess, 0).sum() / self.samples_us.sum())

    def per_call(self, meter: str) -> float | None:
        """What a meter counted for one call, on average; None for a meter that was not read."""
        if meter not in self.used:
            return None
        return float(self.used[meter].sum() / len(self.samples_us))


def round_medians(samples: NDArray[np.float64], turns: NDArray[np.int64]) -> NDArray[np.float64]:
    """The median of each round, float64 (rounds,): `turns` int64 (rounds,) says how many of the
    samples (n,), in their order, each round holds."""
    rounds = np.split(samples, np.cumsum(turns)[:-1])
    return np.array([np.median(turn) for turn in rounds])


def speedup(slow: Latency, fast: Latency) -> Ratio | None:
    """How many times as fast `fast` is, from the same rounds; None with too few of them."""
    if len(slow.turns) != len(fast.turns):
        raise ValueError("latencies of different rounds cannot be paired")
    return paired_ratio(slow.medians_us, fast.medians_us)
