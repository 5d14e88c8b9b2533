"""What follows a training: its files, fp32 and int8, checked as every export is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_edge.datasets import Dataset
from mnist_edge.errors import GateError
from mnist_edge.experiment_results import ExportedFile, ExportedRun
from mnist_edge.lab.export.pipeline import Job
from mnist_edge.lab.export.publish import Draft, place
from mnist_edge.lab.export.quantize import Plan
from mnist_edge.lab.reproduce.session import TrainedRun, best_run
from mnist_edge.model_file.card_files import CardText
from mnist_edge.types import Progress


@dataclass(frozen=True, slots=True)
class Exporter:
    """Writes the files of runs below a folder. `card_text` makes their model cards; `against` is a
    file that theirs are to be timed against."""

    folder: Path
    data: Dataset
    progress: Progress
    card_text: CardText
    against: Path | None = None

    def export_best(self, runs: Sequence[TrainedRun], part: str = "") -> ExportedRun:
        """The fp32 and int8 files of the run that is best on the validation split; what lay there
        is replaced.

        An int8 file that does not pass its gate is not written. GateError for an fp32 one.
        """
        best = best_run(runs)
        job = Job.of_run(best.folder, best.checkpoint, self.data, self.progress)
        drafts: list[Draft] = []
        refused = None
        try:
            for draft in job.drafts(Plan(), None, self.progress):
                drafts.append(draft)
        except GateError as error:
            drafts, refused = [draft for draft in drafts if draft.name != error.file], error
            if not drafts:
                raise
        place(drafts, self.folder / part, self.card_text, force=True)
        return ExportedRun(best.run.name, tuple(map(_exported_file, drafts)), refused)

    def export_parts(self, parts: Mapping[str, Sequence[TrainedRun]]) -> dict[str, ExportedRun]:
        """Of each part, by its name, the files of its best run."""
        return {part: self.export_best(runs, part) for part, runs in parts.items()}

    def paths(self, exported: Mapping[str, ExportedRun]) -> dict[str, Path]:
        """The files of all parts, as `ExportedRun.names_in` calls them."""
        names = [name for part, one in exported.items() for name in one.names_in(part)]
        return {name: self.folder / name for name in names}


def _exported_file(draft: Draft) -> ExportedFile:
    return ExportedFile(
        name=draft.name,
        accuracy=draft.card.accuracy,
        changed=draft.gate.verification.agreement.changed,
        params=draft.card.params,
        size_bytes=len(draft.content),
        values=draft.as_dict(),
    )
