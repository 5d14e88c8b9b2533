"""The tables and sentences of each experiment's findings."""

from collections.abc import Mapping, Sequence

from mnist_edge.catalogue import SHORTCUTS, Claim
from mnist_edge.experiment_results import (
    Best,
    Degradation,
    Depth,
    Findings,
    OneEpoch,
    Part,
    Shortcuts,
    ThreeBlock,
)
from mnist_edge.report import formatting, tables
from mnist_edge.report.grid import Grid, Section
from mnist_edge.report.reproduce.tables import (
    SPREAD_COLUMNS,
    difference_text,
    files_section,
    part_files_section,
    spread_cells,
    times_section,
)
from mnist_edge.seed_statistics import ClaimCheck, ClaimOutcome, Difference

CURVES = "curves.png"
_CLAIM_COLUMNS = ("", "claimed", *SPREAD_COLUMNS)
_SHORTCUTS = {"zero": "A, zero-padded identity", "projection": "B, 1×1 projection"}
_DEGRADATION = {
    (True, False): "the degradation of He et al. is there, and skips cure it",
    (True, True): "depth degrades both here, and skips do not cure it",
    (False, False): "no degradation shows in this setting",
    (False, True): "the opposite of He et al.: only the residual network degrades",
}


def sections(found: Findings, claims: Sequence[Claim]) -> list[Section]:
    """What an experiment found; `claims` are those of its experiment."""
    match found:
        case ThreeBlock():
            return _three_block(found, *claims)
        case OneEpoch():
            return _one_epoch(found, *claims)
        case Depth():
            return [_depth(found)]
        case Shortcuts():
            return _shortcuts(found)
        case Best():
            return _best(found)


def _three_block(found: ThreeBlock, claim: Claim) -> list[Section]:
    rows = ((claim.of, claim.figure, *spread_cells(found.accuracy)),)
    return [
        Section("layers", tables.layers(found.layers)),
        Section("claimed and measured", Grid(_CLAIM_COLUMNS, rows), _claim_lines(found.check)),
        files_section(found.exported),
    ]


def _one_epoch(found: OneEpoch, of_accuracy: Claim, of_f1: Claim) -> list[Section]:
    rows = (
        (of_accuracy.of, of_accuracy.figure, *spread_cells(found.accuracy)),
        (of_f1.of, of_f1.figure, *spread_cells(found.macro_f1, fractions=True)),
    )
    counts = found.confusions[found.exported.run]
    return [
        Section("claimed and measured", Grid(_CLAIM_COLUMNS, rows), _claim_lines(found.check)),
        Section(
            f"each class, in {found.exported.run}",
            tables.per_class(found.classes, counts),
        ),
        files_section(found.exported),
    ]


def _depth(found: Depth) -> Section:
    columns = ("network", "training error", "best", "test error", "best")
    rows = [
        (
            name,
            formatting.percent(one.training[-1]),
            formatting.percent(min(one.training)),
            formatting.percent(one.test[-1]),
            formatting.percent(min(one.test)),
        )
        for name, one in found.errors.items()
    ]
    lines = [
        "training error: of the last, or the best, epoch's batches as they came, augmented",
        f"curves: {CURVES}",
    ]
    if found.degradation:
        lines.insert(0, degradation_sentence(found.degradation))
    return Section("errors", Grid(columns, tuple(rows)), tuple(lines))


def _shortcuts(found: Shortcuts) -> list[Section]:
    rows = [
        (
            _SHORTCUTS[kind],
            *spread_cells(spread),
            f"{found.costs[kind].params:,}",
            f"{found.costs[kind].macs:,}",
        )
        for kind, spread in found.accuracies.items()
    ]
    grid = Grid(("option", *SPREAD_COLUMNS, "parameters", "MACs"), tuple(rows))
    return [
        Section("shortcuts", grid, shortcut_sentences(found)),
        part_files_section(found.exported),
        times_section(found.timed),
    ]


def _best(found: Best) -> list[Section]:
    rows = [
        (
            name,
            *spread_cells(part.accuracy),
            formatting.percent(part.target.accuracy),
            "yes" if part.reached else "no",
        )
        for name, part in found.parts.items()
    ]
    grid = Grid(("model", *SPREAD_COLUMNS, "target", "reached"), tuple(rows))
    taught = (f"the teacher is {found.teacher}",) if found.teacher else ()
    exported = {name: part.exported for name, part in found.parts.items()}
    sizes = [line for name, part in found.parts.items() for line in _size_lines(name, part)]
    told = [
        Section("accuracy on the test split", grid, (*teacher_sentences(found.parts), *taught)),
        part_files_section(exported, sizes),
    ]
    if found.timed:
        told.append(times_section(found.timed, _time_lines(found)))
    return told


def claim_sentence(check: ClaimCheck) -> str:
    """Whether a claimed accuracy lies within what was measured."""
    figure = check.claim.figure
    within = "the span of the seeds" if check.of_seeds else "the 95 % interval"
    points = f"{abs(check.mean - check.claim.value) * 100:.2f} points"
    match check.outcome:
        case ClaimOutcome.REPRODUCED:
            return f"the claim is reproduced: {figure} lies within {within}"
        case ClaimOutcome.BEATEN:
            return f"the claim is beaten: measured {points} better than {figure}"
        case ClaimOutcome.NOT_MET:
            return f"the claim is not met: measured {points} worse than {figure}"


def _claim_lines(check: ClaimCheck | None) -> tuple[str, ...]:
    return () if check is None else (claim_sentence(check),)


def degradation_sentence(found: Degradation) -> str:
    """Both pairs of networks, and what follows."""
    meaning = _DEGRADATION[found.plain_is_worse, found.residual_is_worse]
    plain = _pair_text("plain", found.errors, found.plain_is_worse)
    return f"{plain}; {_pair_text('resnet', found.errors, found.residual_is_worse)}: {meaning}"


def _pair_text(kind: str, errors: Mapping[str, float], worse: bool) -> str:
    """plain56 trains worse than plain20 (training error 5.2 % against 2.1 %)"""
    deep, shallow = f"{kind}56", f"{kind}20"
    one, other = formatting.percent(errors[deep]), formatting.percent(errors[shallow])
    how = "trains worse" if worse else "does not train worse"
    return f"{deep} {how} than {shallow} (training error {one} against {other})"


def shortcut_sentences(found: Shortcuts) -> tuple[str, ...]:
    """In parameters, and, once both are trained, in accuracy."""
    plain = found.plain_params
    zero, projection = (found.costs[kind].params - plain for kind in SHORTCUTS)
    none = "no parameter" if not zero else f"{zero:,} parameters"
    told = [f"option A adds {none} to plain20's {plain:,}; option B adds {projection:,}"]
    if len(found.accuracies) == len(SHORTCUTS):
        over = Difference(found.accuracies["projection"], found.accuracies["zero"])
        told.append(f"accuracy of B over A: {difference_text(over)}")
    return tuple(told)


def teacher_sentences(parts: Mapping[str, Part]) -> tuple[str, ...]:
    """What the teacher added to each student that was trained with and without it."""
    alone = {part.model: part.accuracy for part in parts.values() if not part.taught}
    taught = {part.model: part.accuracy for part in parts.values() if part.taught}
    return tuple(
        f"the teacher adds to {model}: {difference_text(Difference(taught[model], alone[model]))}"
        for model in alone
        if model in taught
    )


def _size_lines(name: str, part: Part) -> list[str]:
    """Parameters and bytes beside what they may be."""
    told, target = [], part.target
    params, size = part.exported.files[0].params, part.exported.int8_bytes
    if target.params is not None:
        within = "within" if params <= target.params else "above"
        told.append(f"{name}: {params:,} parameters, {within} {target.params:,}")
    if target.int8_bytes is not None and size is not None:
        within = "within" if size <= target.int8_bytes else "above"
        told.append(f"{name}: {size:,} bytes in int8, {within} {target.int8_bytes:,}")
    return told


def _time_lines(found: Best) -> list[str]:
    """For each part the faster of its files beside its target."""
    lines = []
    for part in found.parts.values():
        target, ratio = part.target.time, part.fastest and found.timed[part.fastest].ratio
        if target is not None and ratio:
            met = "met" if ratio.value <= target else "not met"
            lines.append(
                f"{part.fastest}: {formatting.ratio(ratio)} times the first; {target:g} is {met}"
            )
    return lines
