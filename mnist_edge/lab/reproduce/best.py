"""Our own recipes over several seeds, what a teacher adds, and what the files cost here."""

from collections.abc import Mapping, Sequence

from mnist_edge.experiment_results import Best, ExportedRun, Part, Target, Timed
from mnist_edge.lab.reproduce import timing
from mnist_edge.lab.reproduce.experiments import TAUGHT, TEACHER
from mnist_edge.lab.reproduce.exports import export_best, names, paths
from mnist_edge.lab.reproduce.session import Finished, Request, Work, by_part
from mnist_edge.seed_statistics import Spread

TARGETS = {
    "resnet3": Target(0.9975),
    "edge": Target(0.9970, time=1.0),
    "edge-xs": Target(0.995, time=0.65, params=20_000, int8_bytes=40_000),
}


def conclude(work: Work, request: Request) -> Best:
    """Accuracies beside their targets, the files and their times."""
    trained = by_part(work.finished())
    exported = export_best(work, trained, request)
    timed: dict[str, Timed] = {}
    if request.against:
        request.tell("timing the files", 0, 0)
        files = {request.against.name: request.against} | paths(work, exported)
        timed = timing.time_files(files)
    parts = {name: _part(name, trained[name], exported[name], timed) for name in trained}
    teacher = f"{TEACHER}-0" if any(part.taught for part in parts.values()) else None
    return Best(parts, teacher, timed)


def _part(
    name: str, found: Sequence[Finished], exported: ExportedRun, timed: Mapping[str, Timed]
) -> Part:
    model = name.removesuffix(TAUGHT)
    return Part(
        model=model,
        accuracy=Spread.of([one.accuracy.value for one in found]),
        target=TARGETS[model],
        exported=exported,
        taught=name != model,
        fastest=timing.fastest(timed, names(name, exported)) if timed else None,
    )
