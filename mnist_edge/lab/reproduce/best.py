"""Our own recipes over several seeds, what a teacher adds, and what the files cost here."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from mnist_edge.lab.reproduce import latency
from mnist_edge.lab.reproduce.experiments import STUDENTS, TAUGHT, TEACHER
from mnist_edge.lab.reproduce.latency import Timed
from mnist_edge.lab.reproduce.outcome import Outcome, Request
from mnist_edge.lab.reproduce.shelving import Shelved, export_best, paths, section_of_best
from mnist_edge.lab.reproduce.spread import CELLS, Difference, Spread
from mnist_edge.lab.reproduce.work import Finished, Work, by_part
from mnist_edge.report import text
from mnist_edge.report.grid import Grid
from mnist_edge.report.sections import Section


@dataclass(frozen=True, slots=True)
class Target:
    """What a model is to reach: mean accuracy in 0..1, and, as far as there is any, how long it
    may take as a multiple of the file that it is timed against, its parameters, and the bytes of
    its int8 file."""

    accuracy: float
    time: float | None = None
    params: int | None = None
    int8_bytes: int | None = None


TARGETS = {
    "resnet3": Target(0.9975),
    "edge": Target(0.9970, time=1.0),
    "edge-xs": Target(0.995, time=0.65, params=20_000, int8_bytes=40_000),
}


def conclude(work: Work, request: Request) -> Outcome:
    """Accuracies beside their targets, what the teacher added, the files and their times."""
    parts = by_part(work.finished())
    spreads = {part: Spread.of([one.accuracy.value for one in parts[part]]) for part in parts}
    shelved = export_best(work, parts, request)
    sections = [
        Section("accuracy on the test split", _grid(spreads), (*gains(spreads), *_teacher(parts))),
        section_of_best(shelved, _sizes(shelved)),
    ]
    timed: dict[str, Timed] = {}
    if request.against:
        request.tell("timing the files", 0, 0)
        timed = latency.time_files({request.against.name: request.against} | paths(shelved))
        sections.append(latency.section(timed, _times(shelved, timed)))
    figures = {
        "parts": {
            part: {
                "accuracy": spread.as_dict(),
                "target": asdict(TARGETS[_model(part)]),
                "reached": spread.mean >= TARGETS[_model(part)].accuracy,
                "exported": shelved[part].as_dict(),
            }
            for part, spread in spreads.items()
        },
        "timed": {name: one.as_dict() for name, one in timed.items()},
    }
    return Outcome(tuple(sections), figures)


def gains(spreads: Mapping[str, Spread]) -> tuple[str, ...]:
    """What the teacher added to each student that was trained with and without it."""
    return tuple(
        f"the teacher adds to {name}: {Difference(spreads[name + TAUGHT], spreads[name])}"
        for name in STUDENTS
        if name in spreads and name + TAUGHT in spreads
    )


def _teacher(parts: Mapping[str, Sequence[Finished]]) -> tuple[str, ...]:
    if not any(part.endswith(TAUGHT) for part in parts):
        return ()
    return (f"the teacher is {TEACHER}-0",)


def _model(part: str) -> str:
    return part.removesuffix(TAUGHT)


def _grid(spreads: Mapping[str, Spread]) -> Grid:
    rows = [
        (
            part,
            *spread.cells(),
            text.percent(TARGETS[_model(part)].accuracy),
            _reached(spread.mean >= TARGETS[_model(part)].accuracy),
        )
        for part, spread in spreads.items()
    ]
    return Grid(("model", *CELLS, "target", "reached"), tuple(rows))


def _reached(it_is: bool) -> str:
    return "yes" if it_is else "no"


def _sizes(shelved: Mapping[str, Shelved]) -> tuple[str, ...]:
    """Parameters and bytes beside what they may be."""
    told = []
    for part, one in shelved.items():
        target, card = TARGETS[_model(part)], one.drafts[0].card
        if target.params is not None:
            within = "within" if card.params <= target.params else "above"
            told.append(f"{part}: {card.params:,} parameters, {within} {target.params:,}")
        if target.int8_bytes is not None and one.refused is None:
            size = len(one.drafts[-1].content)
            within = "within" if size <= target.int8_bytes else "above"
            told.append(f"{part}: {size:,} bytes in int8, {within} {target.int8_bytes:,}")
    return tuple(told)


def _times(shelved: Mapping[str, Shelved], timed: Mapping[str, Timed]) -> list[str]:
    """For each part the faster of its files beside its target."""
    lines = []
    for part, one in shelved.items():
        target = TARGETS[_model(part)].time
        name = latency.fastest(timed, list(paths({part: one})))
        found = timed[name].ratio
        if target is not None and found is not None:
            met = "met" if found.value <= target else "not met"
            lines.append(f"{name}: {latency.ratio(found)} times the first; {target:g} is {met}")
    return lines
