"""The two projects that this tool grew from: what they claimed, beside what comes out here."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mnist_edge import metrics
from mnist_edge.catalogue import Claim
from mnist_edge.lab.models import build
from mnist_edge.lab.reproduce.outcome import Outcome, Request, claimed
from mnist_edge.lab.reproduce.shelving import EXPORTED, Shelved, export, files, refusals
from mnist_edge.lab.reproduce.spread import CELLS, Spread
from mnist_edge.lab.reproduce.work import Finished, Work, best
from mnist_edge.lab.summary import grid, layers
from mnist_edge.metrics import Accuracy
from mnist_edge.report import table
from mnist_edge.report.grid import Grid
from mnist_edge.report.sections import Section

_BESIDE = ("", "claimed", *CELLS)


def three_block(work: Work, request: Request) -> Outcome:
    """The layers, the accuracy beside the claim, and the files."""
    found, (claim,) = work.finished(), work.experiment.claims
    shelved = _shelved(work, found, request)
    spread = Spread.of([one.accuracy.value for one in found])
    network = build(shelved.finished.run.recipe.model, len(work.data.classes))
    sections = (
        Section("layers", grid(layers(network))),
        Section(
            "claimed and measured",
            Grid(_BESIDE, ((claim.of, claim.figure, *spread.cells()),)),
            _verdicts(work, claim, found),
        ),
        _files(shelved),
    )
    return Outcome(sections, {"accuracy": spread.as_dict(), "exported": shelved.as_dict()})


def one_epoch(work: Work, request: Request) -> Outcome:
    """Accuracy and macro F1 beside the claims, the figures of every class, and the files."""
    found, (of_accuracy, of_f1) = work.finished(), work.experiment.claims
    shelved = _shelved(work, found, request)
    counts = {one.run.name: _confusion(one, work) for one in found}
    spread = Spread.of([one.accuracy.value for one in found])
    f1 = Spread.of([metrics.per_class(one).macro.f1 for one in counts.values()])
    rows = (
        (of_accuracy.of, of_accuracy.figure, *spread.cells()),
        (of_f1.of, of_f1.figure, *f1.cells(fractions=True)),
    )
    shown = counts[shelved.finished.run.name]
    sections = (
        Section("claimed and measured", Grid(_BESIDE, rows), _verdicts(work, of_accuracy, found)),
        Section(
            f"each class, in {shelved.finished.run.name}",
            Grid(table.PER_CLASS, tuple(map(tuple, table.class_rows(work.data.classes, shown)))),
        ),
        _files(shelved),
    )
    return Outcome(
        sections,
        {
            "accuracy": spread.as_dict(),
            "macro_f1": f1.as_dict(),
            "confusion": {name: one.tolist() for name, one in counts.items()},
            "exported": shelved.as_dict(),
        },
    )


def verdict(claim: Claim, found: Sequence[Accuracy]) -> str:
    """Whether a claimed accuracy lies within what was measured: the span of several seeds, the
    interval of a single one."""
    values = [one.value for one in found]
    low, high, within = min(values), max(values), "the span of the seeds"
    if len(found) == 1:
        (low, high), within = found[0].interval, "the 95 % interval"
    if low <= claim.value <= high:
        return f"the claim is reproduced: {claim.figure} lies within {within}"
    apart = (Spread.of(values).mean - claim.value) * 100
    what, side = ("beaten", "better") if apart > 0 else ("not met", "worse")
    return f"the claim is {what}: measured {abs(apart):.2f} points {side} than {claim.figure}"


def _shelved(work: Work, found: Sequence[Finished], request: Request) -> Shelved:
    """The files of the seed that is best on the validation split."""
    return export(best(found), work.house / EXPORTED, work.data, request.tell)


def _confusion(finished: Finished, work: Work) -> NDArray[np.int64]:
    """Of the test split, counts, int64 (classes, classes)."""
    answers = finished.checkpoint.original().answer(work.data.test.images).argmax(axis=1)
    return metrics.confusion(answers, work.data.test.labels, len(work.data.classes))


def _files(shelved: Shelved) -> Section:
    return Section(f"files of {shelved.finished.run.name}", files([shelved]), refusals([shelved]))


def _verdicts(work: Work, claim: Claim, found: Sequence[Finished]) -> tuple[str, ...]:
    """Nothing is said of a claim that was made of something else."""
    return () if claimed(work) else (verdict(claim, [one.accuracy for one in found]),)
