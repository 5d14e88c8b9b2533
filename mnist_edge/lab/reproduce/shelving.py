"""What follows a training: its files, fp32 and int8, checked as every export is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_edge.datasets import Dataset
from mnist_edge.errors import GateCheck, GateError
from mnist_edge.lab import quantize
from mnist_edge.lab.job import Job
from mnist_edge.lab.progress import Progress
from mnist_edge.lab.quantize import Plan
from mnist_edge.lab.reproduce.outcome import Request
from mnist_edge.lab.reproduce.work import Finished, Work, best
from mnist_edge.lab.shelf import Draft, place
from mnist_edge.report import text
from mnist_edge.report.grid import Grid
from mnist_edge.report.sections import Section

EXPORTED = "exported"


@dataclass(frozen=True, slots=True)
class Shelved:
    """The files of a run, and the job that made them. `refused` says why there is no int8 file,
    where there is none."""

    finished: Finished
    job: Job
    drafts: tuple[Draft, ...]
    paths: tuple[Path, ...]
    refused: str | None

    def as_dict(self) -> dict[str, Any]:
        return {
            "run": self.finished.run.name,
            "files": [draft.as_dict() for draft in self.drafts],
            "refused": self.refused,
        }


def export(finished: Finished, out: Path, data: Dataset, tell: Progress) -> Shelved:
    """Write a run's fp32 and int8 files into a folder; what lay there is replaced.

    An int8 file that does not pass its gate is not written. GateError for an fp32 one.
    """
    job = Job.of_run(finished.folder, finished.checkpoint, data, tell)
    assert job.fp32 is not None  # a run was given
    drafts, plan, refused = [job.fp32], Plan(), None
    try:
        int8 = job.int8(plan, None, tell)
        quantize.check(int8, plan)
        drafts.append(int8)
    except GateError as error:
        refused = refusal(error)
    placed = place(drafts, out, force=True)
    return Shelved(
        finished, job, tuple(drafts), tuple(exported.path for exported in placed), refused
    )


def refusal(error: GateError) -> str:
    """Why a file is not written, for a reader who was asked for no limit."""
    if error.check is GateCheck.ACCURACY_DROP:
        return f"{error}, more than the {error.limit:.2f} that it may lose"
    return str(error)


def export_best(
    work: Work, parts: Mapping[str, Sequence[Finished]], request: Request
) -> dict[str, Shelved]:
    """Of each part, by its name, the files of the seed that is best on the validation split."""
    return {
        part: export(best(found), work.house / EXPORTED / part, work.data, request.tell)
        for part, found in parts.items()
    }


def paths(shelved: Mapping[str, Shelved]) -> dict[str, Path]:
    """The files of all parts, by the names that tables give them."""
    return {f"{part}/{path.name}": path for part, one in shelved.items() for path in one.paths}


def section_of_best(shelved: Mapping[str, Shelved], lines: Sequence[str] = ()) -> Section:
    """The files of `export_best`."""
    told = list(shelved.values())
    return Section(
        "files of the seeds that are best on the validation split",
        files(told, [f"{part}/" for part in shelved]),
        (*refusals(told), *lines),
    )


def files(shelved: Sequence[Shelved], names: Sequence[str] | None = None) -> Grid:
    """A row for each file: its accuracy, the answers that changed, its size."""
    rows = [
        (
            f"{name}{draft.name}",
            text.percent(draft.card.accuracy.value),
            text.interval(draft.card.accuracy),
            str(draft.gate.verification.agreement.changed),
            text.size(len(draft.content)),
        )
        for one, name in zip(shelved, names or [""] * len(shelved), strict=True)
        for draft in one.drafts
    ]
    return Grid(("file", "accuracy", "95 %", "changed", "size"), tuple(rows))


def refusals(shelved: Sequence[Shelved]) -> tuple[str, ...]:
    return tuple(f"no int8 file: {one.refused}" for one in shelved if one.refused)
