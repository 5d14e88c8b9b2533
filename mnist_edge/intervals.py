"""How sure a timing is: bounds on percentiles, and ratios of what was timed in the same rounds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CONFIDENCE = 0.99
_RESAMPLES = 2000
_NEEDED_ROUNDS = 11  # as many as a median needs


@dataclass(frozen=True, slots=True)
class Ratio:
    """A speed-up with its 95 % interval: above 1 where the second of two is faster."""

    value: float
    low: float
    high: float

    @property
    def tie(self) -> bool:
        """Whether the interval spans 1: the difference is inside the noise."""
        return self.low <= 1 <= self.high


def percentile_upper_bound(samples: NDArray[np.float64], rank: float) -> float | None:
    """With 99 % confidence the percentile `rank` of what `samples` (n,) were drawn from is not
    above this; None where there are too few samples for any such bound.

    An order statistic, free of assumptions on the distribution: the smallest sample that at most
    1 % of all draws would have below the percentile (Conover, Practical Nonparametric Statistics,
    section 3.2). Samples count as independent, which neighbouring ones of a timing hardly are.
    """
    place = _binomial_quantile(len(samples), rank / 100, _CONFIDENCE)
    if place >= len(samples):
        return None
    return float(np.partition(samples, place)[place])


def _binomial_quantile(trials: int, probability: float, confidence: float) -> int:
    """The smallest k of which P(Binomial(trials, probability) <= k) reaches the confidence."""
    k = np.arange(1, trials + 1)
    steps = np.log((trials - k + 1) / k) + np.log(probability / (1 - probability))
    # In logarithms: (1 - p)^n alone is below the smallest double for a few thousand samples.
    logs = trials * np.log1p(-probability) + np.concatenate([[0.0], np.cumsum(steps)])
    return int(np.searchsorted(np.cumsum(np.exp(logs)), confidence))


def paired_ratio(
    slow: NDArray[np.float64], fast: NDArray[np.float64], seed: int = 0
) -> Ratio | None:
    """The median over rounds of slow / fast, both (rounds,), each round's in microseconds.

    Its interval is the percentile bootstrap over rounds at 95 % (Efron 1979), seeded. A machine
    that drifts drifts for both of a round, and leaves the ratio alone. None below 11 rounds.
    """
    ratios = slow / fast
    if len(ratios) < _NEEDED_ROUNDS:
        return None
    low, high = np.percentile(resampled_medians(ratios, seed), [2.5, 97.5])
    return Ratio(float(np.median(ratios)), float(low), float(high))


def resampled_medians(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """The medians of 2,000 bootstrap resamples of `values` (n,), float64 (2000,)."""
    random, count = np.random.default_rng(seed), len(values)
    block = max(1, 4_000_000 // count)  # resamples at once: 32 MB of indices
    drawn = [
        np.median(values[random.integers(0, count, (min(block, _RESAMPLES - at), count))], axis=1)
        for at in range(0, _RESAMPLES, block)
    ]
    return np.concatenate(drawn)


def relative_spread(values: NDArray[np.float64]) -> float:
    """The interquartile range of `values` (n,) as a fraction of their median."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return float((high - low) / middle)
