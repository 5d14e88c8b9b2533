"""What was found in a data set: lines for a person, values for a script, a sheet to look at."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnist_edge.datasets.check_results import DataCheck, LabelError, LearningCurve
from mnist_edge.datasets.duplicates import Duplicate
from mnist_edge.datasets.odd_sizes import SizeFindings
from mnist_edge.report import contact_sheet
from mnist_edge.report.formatting import count, percent

_SHOWN = 10  # lines of each kind; --json has all
_SHEET, _SHEET_SIZES = 100, 20  # pictures of a sheet; of those, at most, for their sizes


def lines(check: DataCheck, classes: Sequence[str]) -> list[str]:
    """What a person should look at, the worst first."""
    total, parts = len(check.data), Counter(check.splits.tolist())
    texts = [
        f"looked at {count(total, 'picture')} of {len(classes):,} classes"
        f" ({', '.join(f'{number:,} {name}' for name, number in parts.items())})"
    ]
    texts += _duplicates(check, classes)
    texts += _listed("blank", [check.names[at] for at in check.blank])
    texts += _sizes(check.sizes, check.names)
    texts += _labels(check, classes)
    texts += [
        f"few pictures: {name} has {number}; 20 are a start, 100 are better"
        for name, number in check.few.items()
    ]
    return texts + _curve(check.curve)


def _duplicates(check: DataCheck, classes: Sequence[str]) -> list[str]:
    found = check.duplicates
    if not found:
        return ["duplicates: none"]
    texts = [
        f"duplicates: {count(len(found), 'pair')}, {len(check.leaks):,} of them in two splits, "
        f"{len(check.contradictions):,} in two classes"
    ]
    leaks = set(check.leaks)
    worst = sorted(found, key=lambda pair: (pair not in leaks, -pair.similarity))
    return texts + _some([_pair(pair, check.names) for pair in worst])


def _pair(pair: Duplicate, names: Sequence[str]) -> str:
    same = "=" if pair.similarity == 1 else "≈"
    return f"{names[pair.first]} {same} {names[pair.second]}"


def _sizes(found: SizeFindings | None, names: Sequence[str]) -> list[str]:
    """Tiny pictures, and others of odd sizes; nothing where sizes are not known."""
    if found is None:
        return []
    width, height = found.median
    odd = [f"{names[at]}: {_size(found, at)}" for at in found.odd]
    texts = ["odd-sized: none"]
    if odd:
        head = f"odd-sized: {len(odd):,}, where the median is {width}×{height}"
        texts = [head, *_some(odd)]
    return _tiny(found, names) + texts


def _tiny(found: SizeFindings, names: Sequence[str]) -> list[str]:
    if found.is_of_tiny:
        return [
            f"tiny: {len(found.tiny):,} of {count(len(found.sizes), 'picture')} are enlarged to "
            "twice their own sides or more: a smaller --size may do"
        ]
    return _listed(
        "tiny",
        [
            f"{names[at]}: {_size(found, at)}, enlarged {times:.1f} times"
            for at, times in found.tiny.items()
        ],
    )


def _size(found: SizeFindings, at: int) -> str:
    width, height = found.sizes[at]
    return f"{width}×{height}"


def _labels(check: DataCheck, classes: Sequence[str]) -> list[str]:
    if check.label_errors is None:
        return ["doubtful labels: not looked for, as a class has too few pictures to train on"]
    if not check.label_errors:
        return ["doubtful labels: none"]
    texts = [f"doubtful labels: {len(check.label_errors):,}, the most doubtful first"]
    return texts + _some(
        [
            f"{check.names[error.position]}: {caption(error, classes)}"
            for error in check.label_errors
        ]
    )


def caption(error: LabelError, classes: Sequence[str]) -> str:
    """A doubted label beside what the network takes the picture for."""
    return (
        f"{classes[error.label]} {percent(error.label_probability, 1)}, "
        f"{classes[error.suggestion]} {percent(error.suggestion_probability, 1)}"
    )


def _curve(curve: LearningCurve | None) -> list[str]:
    if curve is None:
        return []
    points = ", ".join(
        f"from {point.images:,} {percent(point.accuracy.value)}" for point in curve.points
    )
    texts = [f"would more pictures help? Right after learning {points}"]
    if not curve.still_rises:
        texts.append("  that cannot be told: the last doubling gained no more than chance may")
    elif curve.at_twice is not None:
        texts.append(f"  yes: twice as many may give about {percent(curve.at_twice, 1)}")
    else:
        texts.append("  yes: the last doubling gained more than chance")
    return texts


def write_sheet(path: Path, check: DataCheck, classes: Sequence[str]) -> int:
    """Draw the pictures whose labels are doubted, those that are in two splits or classes, then
    tiny and odd-sized ones, 100 at most, as a PNG; how many were drawn. EdgeError when it cannot be
    written."""
    errors = [(error.position, caption(error, classes)) for error in check.label_errors or ()]
    pairs = dict.fromkeys([*check.leaks, *check.contradictions])
    copies = [
        (at, f"{classes[check.data.labels[at]]} ({check.splits[at]})")
        for pair in pairs
        for at in (pair.first, pair.second)
    ]
    sizes = _size_captions(check.sizes)[:_SHEET_SIZES]
    left = _SHEET - len(sizes)
    drawn = [*errors[: left - min(len(copies), left // 2)], *copies][:left] + sizes
    images = check.data.images[[at for at, _ in drawn]]
    names = [check.names[at] for at, _ in drawn]
    contact_sheet.write(path, images, [text for _, text in drawn], names=names)
    return len(drawn)


def _sizes_as_json(found: SizeFindings | None, names: Sequence[str]) -> dict[str, Any] | None:
    if found is None:
        return None

    def picture(at: int) -> dict[str, Any]:
        return {"picture": names[at], "size": found.sizes[at].tolist()}

    return {
        "median": list(found.median),
        "tiny": [picture(at) | {"enlarged": times} for at, times in found.tiny.items()],
        "odd": [picture(at) for at in found.odd],
    }


def _size_captions(found: SizeFindings | None) -> list[tuple[int, str]]:
    """The pictures to draw for their sizes, by their positions, each with what is under it."""
    if found is None:
        return []
    tiny = [] if found.is_of_tiny else [(at, f"tiny: {_size(found, at)}") for at in found.tiny]
    return tiny + [(at, f"odd-sized: {_size(found, at)}") for at in found.odd]


def _listed(what: str, names: Sequence[str]) -> list[str]:
    return [f"{what}: {len(names):,}", *_some(names)] if names else [f"{what}: none"]


def _some(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _SHOWN
    return [f"  {line}" for line in lines[:_SHOWN]] + ([f"  and {more:,} more"] if more > 0 else [])


def as_json(check: DataCheck, classes: Sequence[str]) -> dict[str, Any]:
    """Everything, for a script."""
    curve = check.curve
    return {
        "pictures": len(check.data),
        "duplicates": [
            {
                "first": check.names[pair.first],
                "second": check.names[pair.second],
                "similarity": pair.similarity,
                "splits": [str(check.splits[pair.first]), str(check.splits[pair.second])],
                "labels": [classes[check.data.labels[at]] for at in (pair.first, pair.second)],
            }
            for pair in check.duplicates
        ],
        "blank": [check.names[at] for at in check.blank],
        "sizes": _sizes_as_json(check.sizes, check.names),
        "few": check.few,
        "label_errors": None
        if check.label_errors is None
        else [
            {
                "picture": check.names[error.position],
                "label": classes[error.label],
                "label_probability": error.label_probability,
                "suggestion": classes[error.suggestion],
                "suggestion_probability": error.suggestion_probability,
            }
            for error in check.label_errors
        ],
        "learning_curve": None
        if curve is None
        else {
            "points": [
                {"images": point.images, "accuracy": point.accuracy.as_dict()}
                for point in curve.points
            ],
            "still_rises": curve.still_rises,
            "at_twice": curve.at_twice,
        },
    }
