"""Which file to ship on the CPU that was measured, why, and the merit of the others.

Of the files that none is more accurate than (McNemar's exact test), the fastest; of those as fast
(the paired ratio's 95 % interval spans 1), the smallest. Before that, of one model's files one:
int8, unless it is less accurate, slower, or neither faster nor smaller than fp32.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mnist_edge import metrics
from mnist_edge.benchmark.fitness import UnfitReason, unfit_reason
from mnist_edge.benchmark.record import Benchmark, Entry
from mnist_edge.intervals import Ratio

_WORTH_A_RUNTIME = 1.05  # nobody changes the runtime for less


class Decision(StrEnum):
    """What is recommended for a data set."""

    SHIP = "ship"
    ONLY = "only"
    """One file is fit, and there is no other to choose from."""
    NONE = "none"
    """No file is fit."""


class Int8Verdict(StrEnum):
    """Why int8 is shipped and not fp32 of the same model, or why it is not."""

    FASTER = "faster"
    SMALLER = "smaller"  # and as fast
    LESS_ACCURATE = "less-accurate"
    SLOWER = "slower"
    NO_GAIN = "no-gain"  # neither faster nor smaller

    @property
    def preferred(self) -> bool:
        """Whether it is int8 that is shipped."""
        return self in (Int8Verdict.FASTER, Int8Verdict.SMALLER)


class Merit(StrEnum):
    """The merit of a file that is not the one to ship."""

    SPEED = "speed"
    SIZE = "size"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PrecisionChoice:
    """fp32 and int8 of one model: which is preferred, and how many times as fast as fp32 int8 is,
    at the fewest images a call and at the most; None where it was not timed often enough, or where
    both are one. `gap` is by how much int8 is the more accurate, in -1..1; 0 where that may be
    chance."""

    int8: Entry
    fp32: Entry
    why: Int8Verdict
    speed: Ratio | None
    batch_speed: Ratio | None
    gap: float


@dataclass(frozen=True, slots=True)
class UnfitFile:
    """A file that is not to be recommended."""

    entry: Entry
    why: UnfitReason


@dataclass(frozen=True, slots=True)
class Choice:
    """A file of a model, and why it: `precisions` where both were fit, `wrong` the files of the
    other precision that are left out because of what they compute."""

    entry: Entry
    precisions: PrecisionChoice | None = None
    wrong: tuple[UnfitFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Alternative:
    """A file beside the one to ship: how many times as fast it is (None where that is not known),
    by how much more accurate, in -1..1 (0 where that may be chance); a third file that is more
    accurate, where this one's loss against the one to ship may be chance; and a file of another
    model that is faster and no less accurate."""

    choice: Choice
    merit: Merit
    speed: Ratio | None
    gap: float
    less_accurate_than: Entry | None
    outdone_by: Entry | None


@dataclass(frozen=True, slots=True)
class FasterRuntime:
    """The file to ship, or its original, in another runtime that is clearly faster and no less
    accurate."""

    entry: Entry
    speed: Ratio


@dataclass(frozen=True, slots=True)
class Recommendation:
    """For the files of one data set. `choice` is None where the decision is NONE. Every file in
    ONNX Runtime is the choice, among the `others`, the other precision of one of these (in their
    `precisions`), or `unfit`."""

    dataset: str
    decision: Decision
    choice: Choice | None = None
    others: tuple[Alternative, ...] = ()
    faster_runtime: FasterRuntime | None = None
    unfit: tuple[UnfitFile, ...] = ()


def recommendations(record: Benchmark) -> tuple[Recommendation, ...]:
    """One for each data set that files in ONNX Runtime are of."""
    by_set: dict[str, list[Entry]] = {}
    for entry in record.entries:
        if entry.is_file:
            by_set.setdefault(entry.info.dataset, []).append(entry)
    return tuple(_recommendation(record, dataset, files) for dataset, files in by_set.items())


def _recommendation(record: Benchmark, dataset: str, files: Sequence[Entry]) -> Recommendation:
    found = [(entry, unfit_reason(record, entry)) for entry in files]
    misfits = tuple(UnfitFile(entry, why) for entry, why in found if why)
    fit = [entry for entry, why in found if why is None]
    if not fit:
        return Recommendation(dataset, Decision.NONE, unfit=misfits)
    families = dict.fromkeys(entry.info.family for entry in fit)
    ranked = [_of_family(record, fit, misfits, family) for family in families]
    winners = [choices[0].entry for choices in ranked]
    best = _best(record, winners)
    everything = [one for choices in ranked for one in choices]
    (choice,) = (one for one in everything if one.entry is best)
    weighed = len(fit) + sum(one.why.measured for one in misfits)
    return Recommendation(
        dataset,
        Decision.SHIP if weighed > 1 else Decision.ONLY,
        choice,
        tuple(_other(record, best, one, winners) for one in everything if one is not choice),
        _faster_runtime(record, best),
        misfits,
    )


def _of_family(
    record: Benchmark, fit: Sequence[Entry], misfits: Sequence[UnfitFile], family: str
) -> list[Choice]:
    """Of the fit files of a model the one to ship, then the others."""
    own = [entry for entry in fit if entry.info.family == family]
    alike = [[one for one in own if one.is_int8 is int8] for int8 in (False, True)]
    best = [_best(record, some) for some in alike if some]
    rest = [Choice(one) for one in own if not any(one is other for other in best)]
    if len(best) == 2:
        found = _precisions(record, *best)
        return [Choice(found.int8 if found.why.preferred else found.fp32, found), *rest]
    wrong = [one for one in misfits if one.entry.info.family == family and one.why.computes]
    return [Choice(best[0], wrong=tuple(wrong)), *rest]


def _best(record: Benchmark, files: Sequence[Entry]) -> Entry:
    """Of the files that none is more accurate than, the fastest; of those as fast, the smallest."""
    unbeaten = [
        one for one in files if not any(_gap(record, one, other) > 0 for other in files)
    ] or list(files)  # three files can each be beaten by the next: McNemar's test knows no order
    smallest = min(record.plan.batches)
    fastest = min(unbeaten, key=lambda one: one.batches[smallest].percentile_us(50) or math.inf)
    as_fast = [one for one in unbeaten if not _faster(record, fastest, one)]
    return min(as_fast, key=lambda one: one.size_bytes)


def _precisions(record: Benchmark, fp32: Entry, int8: Entry) -> PrecisionChoice:
    smallest, largest = min(record.plan.batches), max(record.plan.batches)
    speed = record.speedup(int8, fp32, smallest)
    many = record.speedup(int8, fp32, largest) if largest != smallest else None
    gap = _gap(record, fp32, int8)
    return PrecisionChoice(int8, fp32, _why_int8(int8, fp32, speed, gap), speed, many, gap)


def _why_int8(int8: Entry, fp32: Entry, speed: Ratio | None, gap: float) -> Int8Verdict:
    if _loses_accuracy(int8, gap):
        return Int8Verdict.LESS_ACCURATE
    if speed and speed.high < 1:
        return Int8Verdict.SLOWER
    if speed and speed.low > 1:
        return Int8Verdict.FASTER
    return Int8Verdict.SMALLER if int8.size_bytes < fp32.size_bytes else Int8Verdict.NO_GAIN


def _loses_accuracy(int8: Entry, gap: float) -> bool:
    """Whether int8 lost more than chance explains: against the original, where that was here."""
    change = int8.score.change if int8.score else None
    if change is None:
        return gap < 0
    return change.worse > change.better and not change.is_chance


def _other(record: Benchmark, best: Entry, choice: Choice, winners: Sequence[Entry]) -> Alternative:
    """The merit of another file than `best`; `winners` are the best of each model."""
    own = choice.entry
    outdoing = [one for one in winners if one is not own and _is_better(record, one, own)]
    others = [one for one in outdoing if one is not best]
    gap = _gap(record, best, own)
    # What chance cannot tell from the one that is shipped may be told from a third.
    ahead = [one for one in winners if not gap and _gap(record, own, one) > 0]
    merit = Merit.NONE
    if _faster(record, own, best) and not others:
        merit = Merit.SPEED
    elif own.size_bytes < min(one.size_bytes for one in (best, *others)):
        merit = Merit.SIZE
    return Alternative(
        choice=choice,
        merit=merit,
        speed=record.speedup(own, best, min(record.plan.batches)),
        gap=gap,
        less_accurate_than=next(iter(ahead), None),
        outdone_by=next(iter(others), None),
    )


def _is_better(record: Benchmark, one: Entry, other: Entry) -> bool:
    """Whether `one` is faster and no less accurate."""
    return _faster(record, one, other) and _gap(record, other, one) >= 0


def _faster_runtime(record: Benchmark, best: Entry) -> FasterRuntime | None:
    """The fastest other runtime of the same model, where it is as accurate and worth a change."""
    smallest = min(record.plan.batches)
    found = [
        FasterRuntime(entry, speed)
        for entry in record.entries
        if entry.info.family == best.info.family
        and not entry.is_file
        and (speed := record.speedup(entry, best, smallest))
        and speed.low > _WORTH_A_RUNTIME
        and _gap(record, best, entry) >= 0
    ]
    return max(found, key=lambda one: one.speed.value, default=None)


def _gap(record: Benchmark, one: Entry, other: Entry) -> float:
    """By how much `other` is the more accurate, in -1..1; 0 where that may be chance."""
    if one.score is None or other.score is None:
        return 0.0
    truth = record.data[one.info.images].test.labels
    before, after = (score.logits.argmax(axis=1) for score in (one.score, other.score))
    gap = other.score.accuracy.value - one.score.accuracy.value
    return 0.0 if metrics.agreement(before, after, truth).is_chance else gap


def _faster(record: Benchmark, one: Entry, other: Entry) -> bool:
    found = record.speedup(one, other, min(record.plan.batches))
    return found is not None and found.low > 1
