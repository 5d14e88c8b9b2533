"""What follows a training: its files, fp32 and int8, checked as every export is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mnist_edge.datasets import Dataset
from mnist_edge.errors import GateError
from mnist_edge.experiment_results import ExportedFile, ExportedRun
from mnist_edge.lab.export.pipeline import Job
from mnist_edge.lab.export.publish import Draft, place
from mnist_edge.lab.export.quantize import Plan
from mnist_edge.lab.reproduce.session import Finished, Request, Work, best

_EXPORTED = "exported"


def export_one(work: Work, found: Sequence[Finished], request: Request) -> ExportedRun:
    """The files of the seed that is best on the validation split, for an experiment of one part."""
    return export(best(found), work.house / _EXPORTED, work.data, request)


def export_best(
    work: Work, parts: Mapping[str, Sequence[Finished]], request: Request
) -> dict[str, ExportedRun]:
    """Of each part, by its name, the files of the seed that is best on the validation split."""
    return {
        part: export(best(found), work.house / _EXPORTED / part, work.data, request)
        for part, found in parts.items()
    }


def export(finished: Finished, out: Path, data: Dataset, request: Request) -> ExportedRun:
    """Write a run's fp32 and int8 files into a folder; what lay there is replaced.

    An int8 file that does not pass its gate is not written. GateError for an fp32 one.
    """
    job = Job.of_run(finished.folder, finished.checkpoint, data, request.tell)
    drafts: list[Draft] = []
    refused = None
    try:
        for draft in job.drafts(Plan(), None, request.tell):
            drafts.append(draft)
    except GateError as error:
        drafts, refused = [draft for draft in drafts if draft.name != error.file], error
        if not drafts:
            raise
    place(drafts, out, request.card_text, force=True)
    return ExportedRun(finished.run.name, tuple(map(_values, drafts)), refused)


def names(part: str, exported: ExportedRun) -> list[str]:
    """What the files of a part are called among those of others."""
    return [f"{part}/{file.name}" for file in exported.files]


def paths(work: Work, exported: Mapping[str, ExportedRun]) -> dict[str, Path]:
    """The files of all parts, by these names."""
    folder = work.house / _EXPORTED
    return {name: folder / name for part, one in exported.items() for name in names(part, one)}


def _values(draft: Draft) -> ExportedFile:
    return ExportedFile(
        name=draft.name,
        accuracy=draft.card.accuracy,
        changed=draft.gate.verification.agreement.changed,
        params=draft.card.params,
        size_bytes=len(draft.content),
        values=draft.as_dict(),
    )
