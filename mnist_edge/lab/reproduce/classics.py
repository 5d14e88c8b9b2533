"""The two projects that this tool grew from: what they claimed, beside what comes out here."""

from mnist_edge import metrics
from mnist_edge.lab.models import build
from mnist_edge.lab.reproduce.experiments import Claim
from mnist_edge.lab.reproduce.outcome import Outcome, Request, beside, claimed, verdict
from mnist_edge.lab.reproduce.shelving import EXPORTED, Shelved, export, files, refusals
from mnist_edge.lab.reproduce.work import Work
from mnist_edge.lab.summary import grid, layers
from mnist_edge.report import record, table
from mnist_edge.report.grid import Grid
from mnist_edge.report.sections import Section

_BESIDE = ("", "claimed", "measured", "95 %")


def three_block(work: Work, request: Request) -> Outcome:
    """The layers, the accuracy beside the claim, and the files."""
    shelved, (claim,) = _shelved(work, request), work.experiment.claims
    accuracy = shelved.finished.accuracy
    both = Grid(_BESIDE, (beside(claim, accuracy),))
    network = build(shelved.finished.run.recipe.model, len(work.data.classes))
    sections = (
        Section("layers", grid(layers(network))),
        Section("claimed and measured", both, _verdicts(work, [verdict(claim, accuracy)])),
        _files(shelved),
    )
    figures = {"accuracy": record.accuracy(accuracy), "exported": shelved.as_dict()}
    return Outcome(sections, figures)


def one_epoch(work: Work, request: Request) -> Outcome:
    """Accuracy and macro F1 beside the claims, the figures of every class, and the files."""
    shelved, claims = _shelved(work, request), work.experiment.claims
    accuracy, classes = shelved.finished.accuracy, work.data.classes
    assert shelved.job.original is not None  # it was made from a run
    answers = shelved.job.original.logits.argmax(axis=1)
    counts = metrics.confusion(answers, work.data.test.labels, len(classes))
    figures = metrics.per_class(counts)
    macro_f1 = figures.macro.f1
    both = Grid(_BESIDE, (beside(claims[0], accuracy), _f1(claims[1], macro_f1)))
    sections = (
        Section("claimed and measured", both, _verdicts(work, [verdict(claims[0], accuracy)])),
        Section(
            "each class",
            Grid(table.PER_CLASS, tuple(map(tuple, table.class_rows(classes, counts)))),
        ),
        _files(shelved),
    )
    return Outcome(
        sections,
        {
            "accuracy": record.accuracy(accuracy),
            "macro_f1": macro_f1,
            "confusion": counts.tolist(),
            "exported": shelved.as_dict(),
        },
    )


def _shelved(work: Work, request: Request) -> Shelved:
    (finished,) = work.finished()
    return export(finished, work.house / EXPORTED, request.data_dir, request.tell)


def _files(shelved: Shelved) -> Section:
    return Section("files", files([shelved]), refusals([shelved]))


def _verdicts(work: Work, lines: list[str]) -> tuple[str, ...]:
    """Nothing is said of a claim that was made of something else."""
    return () if claimed(work) else tuple(lines)


def _f1(claim: Claim, found: float) -> tuple[str, ...]:
    return claim.of, claim.figure, f"{found:.3f}", ""
