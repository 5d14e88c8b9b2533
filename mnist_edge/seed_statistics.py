"""A figure over several seeds: its mean, how far the seeds lie apart, and a claim beside it."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from mnist_edge.catalogue import Claim
from mnist_edge.metrics import Accuracy


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


class ClaimOutcome(Enum):
    """How a claimed figure lies to what was measured."""

    REPRODUCED = "within what was measured"
    BEATEN = "below what was measured"
    NOT_MET = "above what was measured"


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """A claim beside what was measured, all in 0..1: the mean, and the range that it is held
    against, which is the span of several seeds or the 95 % interval of a single one."""

    claim: Claim
    mean: float
    low: float
    high: float
    of_seeds: bool

    @classmethod
    def of(cls, claim: Claim, found: Sequence[Accuracy]) -> "ClaimCheck":
        values = [one.value for one in found]
        if len(found) == 1:
            return cls(claim, values[0], *found[0].interval, of_seeds=False)
        return cls(claim, statistics.fmean(values), min(values), max(values), of_seeds=True)

    @property
    def outcome(self) -> ClaimOutcome:
        if self.low <= self.claim.value <= self.high:
            return ClaimOutcome.REPRODUCED
        return ClaimOutcome.BEATEN if self.mean > self.claim.value else ClaimOutcome.NOT_MET
