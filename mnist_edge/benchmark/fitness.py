"""Whether a file that was measured may be recommended at all."""

from enum import StrEnum

import numpy as np

from mnist_edge.benchmark.latency import NEEDED_SAMPLES
from mnist_edge.benchmark.record import Benchmark, Entry


class UnfitReason(StrEnum):
    """Why a file is not recommended."""

    WRONG_HERE = "wrong-here"
    """It computes wrongly on this CPU."""
    MAY_SATURATE = "may-saturate"
    """It may compute wrongly on x86 CPUs without VNNI."""
    UNKNOWN_ACCURACY = "unknown-accuracy"
    """It was not scored, and says nothing of itself."""
    TOO_FEW_ROUNDS = "too-few-rounds"
    """It was not timed in as many rounds as a median needs."""
    NOT_SCORED = "not-scored"
    """Its accuracy is only what the file says of itself."""
    NEAR_CHANCE = "near-chance"
    """It is hardly better than chance."""

    @property
    def computes(self) -> bool:
        """Whether it is about what the file computes on some CPU."""
        return self in (UnfitReason.WRONG_HERE, UnfitReason.MAY_SATURATE)

    @property
    def measured(self) -> bool:
        """Whether enough is known of the file to choose between it and another."""
        return self not in (UnfitReason.UNKNOWN_ACCURACY, UnfitReason.TOO_FEW_ROUNDS)


def unfit_reason(record: Benchmark, entry: Entry) -> UnfitReason | None:
    """Why an entry is not to be recommended; None where it may be."""
    if entry.findings and entry.findings.saturates:
        return UnfitReason.WRONG_HERE
    if entry.findings and entry.findings.may_saturate:
        return UnfitReason.MAY_SATURATE
    if entry.accuracy is None:
        return UnfitReason.UNKNOWN_ACCURACY
    smallest = min(record.plan.batches)
    if smallest not in entry.batches or len(entry.batches[smallest].turns) < NEEDED_SAMPLES[50]:
        return UnfitReason.TOO_FEW_ROUNDS
    if entry.score is None:
        return UnfitReason.NOT_SCORED  # anybody can write any number into a file
    return UnfitReason.NEAR_CHANCE if _near_chance(record, entry) else None


def _near_chance(record: Benchmark, entry: Entry) -> bool:
    """Below a ninth of the way from chance to perfection, which is twice chance for ten classes, or
    not to be told from chance. Chance is to answer the commonest class always."""
    data = record.data.get(entry.info.images)
    shares = np.bincount(data.test.labels) / len(data.test) if data else np.zeros(1)
    chance = max(1 / entry.info.classes, float(shares.max()))
    assert entry.accuracy is not None
    enough = chance + (1 - chance) / 9
    return entry.accuracy.value < enough or entry.accuracy.interval[0] <= chance
