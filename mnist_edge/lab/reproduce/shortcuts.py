"""Where a block changes shape: zeros for the new channels (A), or a 1×1 projection (B)?"""

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_edge.catalogue import SHORTCUTS
from mnist_edge.lab.models import Cost, build, cost
from mnist_edge.lab.reproduce import latency
from mnist_edge.lab.reproduce.latency import Timed
from mnist_edge.lab.reproduce.outcome import Outcome, Request
from mnist_edge.lab.reproduce.shelving import Shelved, export_best, paths, section_of_best
from mnist_edge.lab.reproduce.spread import CELLS, Difference, Spread
from mnist_edge.lab.reproduce.work import Finished, Work, by_part
from mnist_edge.report.grid import Grid
from mnist_edge.report.sections import Section

_MODEL, _PLAIN = "resnet20", "plain20"
_OPTIONS = {"zero": "A, zero-padded identity", "projection": "B, 1×1 projection"}


def conclude(work: Work, request: Request) -> Outcome:
    """Accuracy over the seeds, cost, and the time of the best seeds' files."""
    parts = by_part(work.finished())
    classes = len(work.data.classes)
    spreads = {kind: Spread.of([one.accuracy.value for one in parts[kind]]) for kind in parts}
    costs = {kind: cost(build(_MODEL, classes, kind)) for kind in SHORTCUTS}
    plain = cost(build(_PLAIN, classes)).params
    shelved = export_best(work, parts, request)
    request.tell("timing the files", 0, 0)
    timed = latency.time_files(paths(shelved))
    sections = (
        Section("shortcuts", _grid(spreads, costs), lines(spreads, costs, plain)),
        section_of_best(shelved),
        latency.section(timed),
    )
    return Outcome(sections, _figures(parts, spreads, costs, plain, shelved, timed))


def lines(spreads: Mapping[str, Spread], costs: Mapping[str, Cost], plain: int) -> tuple[str, ...]:
    """What follows: of the parameters, and, once both are trained, of the accuracy.

    `plain` are the parameters of the same network without any skip.
    """
    added = {kind: spent.params - plain for kind, spent in costs.items()}
    none = "no parameter" if not added["zero"] else f"{added['zero']:,} parameters"
    told = [f"option A adds {none} to {_PLAIN}'s {plain:,}; option B adds {added['projection']:,}"]
    if len(spreads) == len(SHORTCUTS):
        difference = Difference(spreads["projection"], spreads["zero"])
        told.append(f"accuracy of B over A: {difference}")
    return tuple(told)


def _grid(spreads: Mapping[str, Spread], costs: Mapping[str, Cost]) -> Grid:
    rows = [
        (
            _OPTIONS[kind],
            *spread.cells(),
            f"{costs[kind].params:,}",
            f"{costs[kind].macs:,}",
        )
        for kind, spread in spreads.items()
    ]
    return Grid(("option", *CELLS, "parameters", "MACs"), tuple(rows))


def _figures(
    parts: Mapping[str, Sequence[Finished]],
    spreads: Mapping[str, Spread],
    costs: Mapping[str, Cost],
    plain: int,
    shelved: Mapping[str, Shelved],
    timed: Mapping[str, Timed],
) -> dict[str, Any]:
    return {
        "shortcuts": {
            kind: {
                "accuracy": spreads[kind].as_dict(),
                "params": costs[kind].params,
                "macs": costs[kind].macs,
                "exported": shelved[kind].as_dict(),
            }
            for kind in parts
        },
        "plain_params": plain,
        "timed": {name: one.as_dict() for name, one in timed.items()},
    }
