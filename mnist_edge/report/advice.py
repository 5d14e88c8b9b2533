"""Which file to ship on the CPU that was measured, and why."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mnist_edge import metrics
from mnist_edge.benchmark import Benchmark, Entry
from mnist_edge.benchmark.fitness import Unfit, unfit
from mnist_edge.intervals import Ratio
from mnist_edge.report import names, text
from mnist_edge.stopwatch import NEEDED_SAMPLES

_SIGNIFICANT = 0.05
_COMPUTED = (Unfit.WRONG_HERE, Unfit.MAY_SATURATE)
_TOLD = {
    Unfit.WRONG_HERE: "on this CPU, do not ship {}: computed wrongly here",
    Unfit.MAY_SATURATE: "do not ship {}: int8 sums may saturate on x86 CPUs without VNNI",
    Unfit.NEAR_CHANCE: "do not ship {}: hardly better than chance",
    Unfit.NOT_SCORED: "nothing is said for or against {}: accuracy only as recorded in the file",
}
_WORTH_A_RUNTIME = 1.05  # nobody changes the runtime for less


@dataclass(frozen=True, slots=True)
class _File:
    """A file that ONNX Runtime ran, under the name that the table gives it, and why it is the one
    to ship of its family."""

    name: str
    entry: Entry
    unfit: Unfit | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Of the files of one data set, the one to `ship`, None where none is fit for it, or where
    there is `only` one; and which are `unfit`, by name. `lines` say so, and what speaks for the
    others."""

    dataset: str
    ship: str | None
    only: str | None
    unfit: Mapping[str, Unfit]
    lines: tuple[str, ...]


def lines(record: Benchmark) -> list[str]:
    """What to ship, and what speaks for the other models."""
    return [line for found in recommendations(record) for line in found.lines]


def recommendations(record: Benchmark) -> list[Recommendation]:
    """One for each data set; none where no file was timed often enough, or where nothing is known
    of accuracies."""
    smallest = min(record.plan.batches)
    files = [
        _File(name, entry, unfit(record, entry))
        for name, entry in zip(names.files(record), record.entries, strict=True)
        if entry.is_file
        and entry.accuracy is not None
        and smallest in entry.batches
        and len(entry.batches[smallest].turns) >= NEEDED_SAMPLES[50]
    ]
    by_set: dict[str, list[_File]] = {}
    for file in files:
        by_set.setdefault(file.entry.subject.dataset, []).append(file)
    return [_recommendation(record, dataset, own) for dataset, own in by_set.items()]


def _recommendation(record: Benchmark, dataset: str, files: Sequence[_File]) -> Recommendation:
    families: dict[str, list[_File]] = {}
    for file in files:
        families.setdefault(file.entry.subject.family, []).append(file)
    found = [_of_family(record, family) for family in families.values()]
    chosen = [file for winners in found for file in winners[:1]]
    bad = {file.name: file.unfit for file in files if file.unfit}
    if not chosen:
        return Recommendation(dataset, None, None, bad, tuple(_about_unfit(bad)))
    best = _best(record, chosen)
    if len(files) == 1:
        line = f"{best.name}{_accuracy(best.entry)}; there is no other file to choose from"
        lines = (line, *_elsewhere(record, best))
        return Recommendation(dataset, None, best.name, bad, lines)
    others = [file for winners in found for file in winners if file is not best]
    lines = (
        f"on this CPU, ship {best.name}{_accuracy(best.entry)}{best.reason}",
        *_elsewhere(record, best),
        *(_beside(record, best, file, chosen) for file in others),
        # Of files that compute wrongly, the warnings tell.
        *_about_unfit({name: why for name, why in bad.items() if why not in _COMPUTED}),
    )
    return Recommendation(dataset, best.name, None, bad, lines)


def _about_unfit(bad: Mapping[str, Unfit]) -> list[str]:
    """A line for each reason not to recommend files."""
    return [
        _TOLD[why].format(names.listed([name for name, own in bad.items() if own is why]))
        for why in dict.fromkeys(bad.values())
    ]


def _best(record: Benchmark, files: Sequence[_File]) -> _File:
    """Of the files that none is more accurate than, the fastest; of those as fast, the smallest."""
    unbeaten = [
        one for one in files if not any(_gap(record, one.entry, other.entry) > 0 for other in files)
    ] or list(files)  # three files can each be beaten by the next: McNemar's test knows no order
    smallest = min(record.plan.batches)
    fastest = min(
        unbeaten, key=lambda file: file.entry.batches[smallest].percentile_us(50) or math.inf
    )
    as_fast = [file for file in unbeaten if not _faster(record, fastest.entry, file.entry)]
    return min(as_fast, key=lambda file: file.entry.size_bytes)


def _of_family(record: Benchmark, family: Sequence[_File]) -> list[_File]:
    """A model's file to ship, then those that it is preferred to without a word on them; none that
    this CPU computes wrongly."""
    sound = [file for file in family if file.unfit is None]
    both: list[_File] = []
    for is_int8 in (False, True):
        alike = [file for file in sound if (file.entry.subject.precision == "int8") is is_int8]
        both += [_best(record, alike)] if alike else []
    rest = [file for file in sound if not any(file is one for one in both)]
    if len(both) == 2:
        return [_of_both(record, *both), *rest]
    if len(sound) < len(family):
        both = [replace(one, reason=_wrong(family)) for one in both]
    return [*both, *rest]


def _wrong(family: Sequence[_File]) -> str:
    found = {(file.entry.subject.precision, file.unfit) for file in family if file.unfit}
    return "".join(f"; {precision} {why}" for precision, why in sorted(found) if why in _COMPUTED)


def _of_both(record: Benchmark, fp32: _File, int8: _File) -> _File:
    """int8 unless it is less accurate, or slower."""
    size = f"{text.size(int8.entry.size_bytes)} against {text.size(fp32.entry.size_bytes)}"
    smallest, largest = min(record.plan.batches), max(record.plan.batches)
    one = record.speedup(int8.entry, fp32.entry, smallest)
    many = record.speedup(int8.entry, fp32.entry, largest) if largest != smallest else None
    if loss := _loss(record, fp32.entry, int8.entry):
        return replace(fp32, reason=f"; int8 {loss}{_times(one)}, {size}")
    if one and one.high < 1:
        where = f"where size counts ({size})"
        if many and many.low > 1:
            where += f", or images come {largest} at a time ({many.value:.2f} ×)"
        told = f"; int8 is slower here ({one.value:.2f} ×): take it only {where}"
        return replace(fp32, reason=told)
    faster = one is not None and one.low > 1
    if not faster and int8.entry.size_bytes >= fp32.entry.size_bytes:
        return replace(fp32, reason=f"; int8 is neither faster nor smaller ({size})")
    speed = f"{one.value:.2f} × as fast as fp32" if one and faster else "as fast as fp32"
    at_once = f", {many.value:.2f} × at {largest} images a call" if many and not many.tie else ""
    return replace(int8, reason=f"; {speed}{at_once}, {size}; {_kept(int8.entry)}")


def _times(found: Ratio | None) -> str:
    return f", at {found.value:.2f} × the speed of fp32" if found else ""


def _loss(record: Benchmark, fp32: Entry, int8: Entry) -> str | None:
    """What int8 lost, where that is more than chance (McNemar)."""
    change = int8.score.change if int8.score else None
    if change is None:
        gap = _gap(record, fp32, int8)
        return f"is {-gap * 100:.2f} points less accurate" if gap < 0 else None
    if change.worse <= change.better or change.p >= _SIGNIFICANT:
        return None
    return (
        f"made {change.worse} answers wrong and {change.better} right (p {text.chance(change.p)})"
    )


def _kept(int8: Entry) -> str:
    change = int8.score.change if int8.score else None
    if change is None:
        return "its answers were not compared"
    if not change.changed:
        return "no answer changed"
    chance = "within chance" if change.p >= _SIGNIFICANT else "more right than chance"
    return (
        f"{change.changed} of {change.total:,} answers changed "
        f"(+{change.better} -{change.worse}: {chance})"
    )


def _beside(record: Benchmark, best: _File, other: _File, rivals: Sequence[_File]) -> str:
    """What speaks for another file than the one that is recommended."""
    told = _compared(record, best, other, rivals)
    found = record.speedup(other.entry, best.entry, min(record.plan.batches))
    better = [file for file in _outdoing(record, other, rivals) if file is not best]
    if found and found.low > 1 and not better:
        speed = f"{found.value:.2f} × as fast, {told}"
        return f"where speed counts more, {other.name}: {speed}{other.reason}"
    pace = "as fast"
    if found and not found.tie:
        slower = f"{1 / found.value:.3g} × as slow"
        pace = slower if found.high < 1 else f"{found.value:.2f} × as fast"
    size = f"{text.size(other.entry.size_bytes)} against {text.size(best.entry.size_bytes)}"
    if other.entry.size_bytes < min(file.entry.size_bytes for file in (best, *better)):
        return f"where size counts more, {other.name}: {size}, {pace}, {told}"
    if better:
        told = f"{better[0].name} is faster and no less accurate"
        return f"nothing speaks for {other.name} here: {told}"
    return f"nothing speaks for {other.name} here: {pace}, {told}, {size}"


def _outdoing(record: Benchmark, file: _File, rivals: Sequence[_File]) -> list[_File]:
    """Files of other models that are faster and no less accurate."""
    return [
        rival
        for rival in rivals
        if rival is not file
        and _faster(record, rival.entry, file.entry)
        and _gap(record, file.entry, rival.entry) >= 0
    ]


def _compared(record: Benchmark, best: _File, other: _File, rivals: Sequence[_File]) -> str:
    """The accuracy of `other` beside that of `best`."""
    if gap := _gap(record, best.entry, other.entry):
        return f"{abs(gap) * 100:.2f} points {'more' if gap > 0 else 'less'} accurate"
    # What chance cannot tell from the one that is shipped may be told from a third.
    for rival in rivals:
        if _gap(record, other.entry, rival.entry) > 0:
            return f"less accurate than {rival.name}"
    return "as accurate (within chance)"


def _elsewhere(record: Benchmark, best: _File) -> list[str]:
    """A runtime that runs the same model clearly faster, and as accurately."""
    smallest = min(record.plan.batches)
    found = [
        (ratio.value, name)
        for name, entry in zip(names.full(record), record.entries, strict=True)
        if entry.subject.family == best.entry.subject.family
        and not entry.is_file
        and (ratio := record.speedup(entry, best.entry, smallest))
        and ratio.low > _WORTH_A_RUNTIME
        and _gap(record, best.entry, entry) >= 0
    ]
    times, name = max(found, default=(0.0, ""))
    return [f"another runtime is faster still: {name}, {times:.2f} ×"] if found else []


def _gap(record: Benchmark, one: Entry, other: Entry) -> float:
    """By how much `other` is the more accurate, in -1..1; 0 where that may be chance."""
    if one.score is None or other.score is None:
        return 0.0
    truth = record.data[one.subject.dataset].test.labels
    before, after = (score.logits.argmax(axis=1) for score in (one.score, other.score))
    gap = other.score.accuracy.value - one.score.accuracy.value
    return gap if metrics.agreement(before, after, truth).p < _SIGNIFICANT else 0.0


def _faster(record: Benchmark, one: Entry, other: Entry) -> bool:
    found = record.speedup(one, other, min(record.plan.batches))
    return found is not None and found.low > 1


def _accuracy(entry: Entry) -> str:
    return f": {text.percent(entry.accuracy.value)}" if entry.accuracy else ""
