"""Whether a file that was measured may be recommended at all."""

from enum import StrEnum

import numpy as np

from mnist_edge.benchmark.record import Benchmark, Entry


class Unfit(StrEnum):
    """Why a file is not recommended."""

    WRONG_HERE = "computes wrongly on this CPU"
    MAY_SATURATE = "may compute wrongly on CPUs without VNNI"
    NEAR_CHANCE = "hardly better than chance"
    NOT_SCORED = "its accuracy is only what the file says of itself"


def unfit(record: Benchmark, entry: Entry) -> Unfit | None:
    """Why an entry of known accuracy is not to be recommended; None where it may be."""
    if entry.findings and entry.findings.saturates:
        return Unfit.WRONG_HERE
    if entry.findings and entry.findings.may_saturate:
        return Unfit.MAY_SATURATE
    if entry.accuracy is None or entry.recorded:
        return Unfit.NOT_SCORED  # anybody can write any number into a file
    return Unfit.NEAR_CHANCE if _near_chance(record, entry) else None


def _near_chance(record: Benchmark, entry: Entry) -> bool:
    """Below a ninth of the way from chance to perfection, which is twice chance for ten classes, or
    not to be told from chance. Chance is to answer the commonest class always."""
    data = record.data.get(entry.subject.dataset)
    shares = np.bincount(data.test.labels) / len(data.test) if data else np.zeros(1)
    chance = max(1 / entry.subject.classes, float(shares.max()))
    assert entry.accuracy is not None
    enough = chance + (1 - chance) / 9
    return entry.accuracy.value < enough or entry.accuracy.interval[0] <= chance
