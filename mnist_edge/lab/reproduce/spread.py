"""A figure over several seeds: its mean, and how far the seeds lie apart."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mnist_edge.report import text


@dataclass(frozen=True, slots=True)
class Spread:
    """Of `count` values: their mean, the least and the most, and their standard deviation, which
    is estimated from the sample (n - 1) and None for a single value."""

    count: int
    mean: float
    low: float
    high: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return cls(len(values), statistics.fmean(values), min(values), max(values), deviation)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def cells(self, fractions: bool = False) -> tuple[str, str, str, str]:
        """Seeds, mean, standard deviation and span, as a table has them: in percent, or as
        fractions."""
        scale, digits = (1, 4) if fractions else (100, 2)
        deviation = "" if self.deviation is None else f"{self.deviation * scale:.{digits + 1}f}"
        low, high = (f"{value * scale:.{digits}f}" for value in (self.low, self.high))
        span = f"{low}-{high}" if self.count > 1 else ""
        mean = f"{self.mean:.{digits}f}" if fractions else text.percent(self.mean, 3)
        return str(self.count), mean, deviation, span


CELLS = ("seeds", "mean", "deviation", "min-max")


@dataclass(frozen=True, slots=True)
class Difference:
    """How much larger the mean of `of` is than that of `over`, and the standard error of that;
    None where one of them has no deviation."""

    of: Spread
    over: Spread

    @property
    def value(self) -> float:
        return self.of.mean - self.over.mean

    @property
    def error(self) -> float | None:
        one, other = self.of, self.over
        if one.deviation is None or other.deviation is None:
            return None
        return math.sqrt(one.deviation**2 / one.count + other.deviation**2 / other.count)

    @property
    def clear(self) -> bool | None:
        """Whether it is more than twice its standard error; None where that is not known."""
        return None if self.error is None else abs(self.value) > 2 * self.error

    def __str__(self) -> str:
        """In percentage points: +0.050 points (standard error 0.021), clear of the seeds' spread"""
        told = f"{self.value * 100:+.3f} points"
        if self.error is None:
            return f"{told}, from one seed: no spread is known"
        verdict = "clear of" if self.clear else "within"
        return f"{told} (standard error {self.error * 100:.3f}), {verdict} the seeds' spread"
