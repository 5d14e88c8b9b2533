"""What follows a training: its files, fp32 and int8, checked as every export is, and timed."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from mnist_edge.backends import input_format
from mnist_edge.benchmark.latency import speedup
from mnist_edge.benchmark.stopwatch import Call, Protocol, measure
from mnist_edge.datasets import Dataset
from mnist_edge.experiment_results import ExportedFile, ExportedRun, Timed
from mnist_edge.lab.export import pipeline
from mnist_edge.lab.export.candidate import Candidate
from mnist_edge.lab.export.inputs import ExportInputs, open_original
from mnist_edge.lab.export.int8_plan import Int8Plan
from mnist_edge.lab.export.publish import publish
from mnist_edge.lab.reproduce.session import TrainedRun, best_run
from mnist_edge.model_file.card_files import CardText
from mnist_edge.model_file.session import open_session
from mnist_edge.preprocess import render_digits
from mnist_edge.types import Progress

Name = TypeVar("Name", bound=Hashable)

TIMING_PROTOCOL = Protocol(samples=200, duration_s=2.0, rounds=41)
_TIMED_IMAGES = 200


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


def time_files(files: Mapping[Name, Path]) -> dict[Name, Timed]:
    """The times of files, by name: one image a call, one thread, all interleaved in one run.

    ModelError for one that is no classifier of images.
    """
    first, *others = measure([_call(path) for path in files.values()], TIMING_PROTOCOL).latencies
    timed = [Timed(float(np.median(first.samples_us)), None)]
    timed += [Timed(float(np.median(one.samples_us)), speedup(one, first)) for one in others]
    return dict(zip(files, timed, strict=True))


def _call(path: Path) -> Call:
    """One image, one answer, as `bench` calls a file, ours or a stranger's."""
    taken = input_format.read(path)
    run = open_session(path).run
    images = [taken.prepare(image[None]) for image in render_digits(_TIMED_IMAGES)]

    def one(count: int) -> object:
        return run([taken.output], {taken.name: images[count % len(images)]})

    return one
