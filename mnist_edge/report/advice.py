"""What benchmark/recommend.py decided, in sentences."""

from collections.abc import Callable, Sequence

from mnist_edge.benchmark import Benchmark, Entry
from mnist_edge.benchmark.fitness import UnfitReason
from mnist_edge.benchmark.recommend import (
    Alternative,
    Choice,
    Decision,
    Int8Verdict,
    Merit,
    PrecisionChoice,
    Recommendation,
    UnfitFile,
    recommendations,
)
from mnist_edge.report import formatting, labels
from mnist_edge.report.formatting import join_words

_UNFIT = {
    UnfitReason.WRONG_HERE: "on this CPU, do not ship {}: computed wrongly here",
    UnfitReason.MAY_SATURATE: "do not ship {}: int8 sums may saturate on x86 CPUs without VNNI",
    UnfitReason.NEAR_CHANCE: "do not ship {}: hardly better than chance",
    UnfitReason.NOT_SCORED: "nothing is said for or against {}: "
    "accuracy only as recorded in the file",
}
"""Of what was not measured nothing is said: the tables show it."""
_WRONG = {
    UnfitReason.WRONG_HERE: "computes wrongly on this CPU",
    UnfitReason.MAY_SATURATE: "may compute wrongly on CPUs without VNNI",
}

Name = Callable[[Entry], str]


def lines(record: Benchmark) -> list[str]:
    """What to ship, and the merit of the other models."""
    name, largest = labels.name_getter(record), max(record.plan.batches)
    return [line for one in recommendations(record) for line in _lines(one, name, largest)]


def lines_or_why_not(record: Benchmark) -> list[str]:
    """The same for a page, which says why where nothing is recommended."""
    if texts := lines(record):
        return texts
    reasons = {one.why for found in recommendations(record) for one in found.unfit}
    if not reasons:
        return ["No file was measured in ONNX Runtime: there is none to recommend."]
    if reasons == {UnfitReason.UNKNOWN_ACCURACY}:
        return ["The accuracy of no file is known: there is none to recommend."]
    return ["No file was timed long enough to recommend it."]


def _lines(found: Recommendation, name: Name, largest: int) -> list[str]:
    choice = found.choice
    if choice is None:
        return _about_unfit(found.unfit, name)
    own = f"{name(choice.entry)}: {_accuracy(choice.entry)}"
    texts = [f"{own}; there is no other file to choose from"]
    if found.decision is Decision.SHIP:
        texts = [f"on this CPU, ship {own}{_reason(choice, largest)}"]
    if faster := found.faster_runtime:
        texts.append(
            f"another runtime is faster still: {name(faster.entry)}, {_times(faster.speed.value)}"
        )
    texts += [_other_file(choice.entry, other, name, largest) for other in found.others]
    # Of files that compute wrongly, the warnings tell.
    return texts + _about_unfit([one for one in found.unfit if not one.why.computes], name)


def _about_unfit(unfit: Sequence[UnfitFile], name: Name) -> list[str]:
    """A line for each reason not to recommend files."""
    return [
        _UNFIT[why].format(join_words([name(one.entry) for one in unfit if one.why is why]))
        for why in dict.fromkeys(one.why for one in unfit)
        if why in _UNFIT
    ]


def _reason(choice: Choice, largest: int) -> str:
    """Why this file of its model; nothing where there is no other."""
    if choice.precisions:
        return f"; {_precisions(choice.precisions, largest)}"
    found = {(one.entry.info.precision, _WRONG[one.why]) for one in choice.wrong}
    return "".join(f"; {precision} {why}" for precision, why in sorted(found))


def _precisions(found: PrecisionChoice, largest: int) -> str:
    """Why int8 and not fp32, or why not."""
    size, speed, many = _sizes(found.int8, found.fp32), found.speed, found.batch_speed
    if found.why is Int8Verdict.LESS_ACCURATE:
        at = f", at {_times(speed.value)} the speed of fp32" if speed else ""
        return f"int8 {_loss(found)}{at}, {size}"
    if found.why is Int8Verdict.NO_GAIN:
        return f"int8 is neither faster nor smaller ({size})"
    if found.why is Int8Verdict.SLOWER and speed:
        where = f"where size counts ({size})"
        if many and many.low > 1:
            where += f", or images come {largest} at a time ({_times(many.value)})"
        return f"int8 is slower here ({_times(speed.value)}): take it only {where}"
    faster = speed if found.why is Int8Verdict.FASTER else None
    pace = f"{_times(faster.value)} as fast as fp32" if faster else "as fast as fp32"
    if many and not many.tie:
        pace += f", {_times(many.value)} at {largest} images a call"
    return f"{pace}, {size}; {_changes(found.int8)}"


def _loss(found: PrecisionChoice) -> str:
    change = found.int8.score.change if found.int8.score else None
    if change is None:
        return f"is {-found.gap * 100:.2f} points less accurate"
    p = formatting.p_value(change.p)
    return f"made {change.worse} answers wrong and {change.better} right (p {p})"


def _changes(int8: Entry) -> str:
    change = int8.score.change if int8.score else None
    if change is None:
        return "its answers were not compared"
    if not change.changed:
        return "no answer changed"
    chance = "within chance" if change.is_chance else "more right than chance"
    return (
        f"{change.changed} of {change.total:,} answers changed "
        f"(+{change.better} -{change.worse}: {chance})"
    )


def _other_file(best: Entry, other: Alternative, name: Name, largest: int) -> str:
    """The merit of another file than the one that is recommended."""
    own, speed = name(other.choice.entry), other.speed
    accuracy = _compared(other, name)
    if other.merit is Merit.SPEED and speed:
        pace = f"{_times(speed.value)} as fast, {accuracy}"
        return f"where speed counts more, {own}: {pace}{_reason(other.choice, largest)}"
    pace = "as fast"
    if speed and not speed.tie:
        slower = f"{1 / speed.value:.3g} × as slow"
        pace = slower if speed.high < 1 else f"{_times(speed.value)} as fast"
    size = _sizes(other.choice.entry, best)
    if other.merit is Merit.SIZE:
        return f"where size counts more, {own}: {size}, {pace}, {accuracy}"
    if other.outdone_by:
        why = f"{name(other.outdone_by)} is faster and no less accurate"
        return f"no reason to ship {own} here: {why}"
    return f"no reason to ship {own} here: {pace}, {accuracy}, {size}"


def _compared(other: Alternative, name: Name) -> str:
    """Its accuracy beside that of the file that is recommended."""
    if other.gap:
        return f"{abs(other.gap) * 100:.2f} points {'more' if other.gap > 0 else 'less'} accurate"
    if other.less_accurate_than:
        return f"less accurate than {name(other.less_accurate_than)}"
    return "as accurate (within chance)"


def _accuracy(entry: Entry) -> str:
    assert entry.accuracy  # without one, a file is unfit
    return formatting.percent(entry.accuracy.value)


def _sizes(one: Entry, other: Entry) -> str:
    return f"{formatting.size(one.size_bytes)} against {formatting.size(other.size_bytes)}"


def _times(ratio: float) -> str:
    return f"{ratio:.2f} ×"
