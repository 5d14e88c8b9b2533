"""What follows a training: its files, fp32 and int8, checked as every export is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_edge.datasets import Dataset
from mnist_edge.experiment_results import ExportedFile, ExportedRun
from mnist_edge.lab.export import pipeline
from mnist_edge.lab.export.candidate import Candidate
from mnist_edge.lab.export.inputs import ExportInputs, open_original
from mnist_edge.lab.export.int8_plan import Int8Plan
from mnist_edge.lab.export.publish import publish
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
        inputs = ExportInputs(self.data, open_original(best.folder, best.checkpoint, self.data))
        made = pipeline.export(inputs, Int8Plan(), progress=self.progress)
        if made.refused and not made.passed:
            raise made.refused
        publish(made.passed, self.folder / part, self.card_text, force=True)
        return ExportedRun(best.run.name, tuple(map(_exported_file, made.passed)), made.refused)

    def export_parts(self, parts: Mapping[str, Sequence[TrainedRun]]) -> dict[str, ExportedRun]:
        """Of each part, by its name, the files of its best run."""
        return {part: self.export_best(runs, part) for part, runs in parts.items()}

    def paths(self, exported: Mapping[str, ExportedRun]) -> dict[str, Path]:
        """The files of all parts, as `ExportedRun.names_in` calls them."""
        names = [name for part, one in exported.items() for name in one.names_in(part)]
        return {name: self.folder / name for name in names}


def _exported_file(candidate: Candidate) -> ExportedFile:
    return ExportedFile(
        name=candidate.name,
        accuracy=candidate.card.accuracy,
        changed=candidate.gate.verification.agreement.changed,
        params=candidate.card.params,
        size_bytes=len(candidate.file.content),
        values=candidate.as_dict(),
    )
