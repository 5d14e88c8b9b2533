"""An experiment's trainings on disk: what is finished, what is begun, and what comes next."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mnist_edge.datasets import Dataset
from mnist_edge.errors import CheckpointError
from mnist_edge.files import sha256
from mnist_edge.lab.reproduce.experiments import WATCHED_VALIDATION, Experiment, Options, Run
from mnist_edge.lab.training.checkpoint import CHECKPOINT, Checkpoint, load_checkpoint
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.resume_checks import check_resumable, check_unchanged
from mnist_edge.lab.training.runs import TrainingRun, plan_run, prepare_run
from mnist_edge.metrics import Accuracy


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A run that has been measured on the test split."""

    run: Run
    folder: Path
    checkpoint: Checkpoint

    @property
    def accuracy(self) -> Accuracy:
        """On the test split."""
        found = self.checkpoint.test_accuracy
        assert found is not None  # it is finished
        return found

    @property
    def validation(self) -> Accuracy:
        """On the validation split, after the last epoch."""
        last = self.checkpoint.history[-1]
        return Accuracy(last["validation_correct"], last["validation_total"])

    @property
    def duration_s(self) -> float:
        """Of its training, without the answers to the validation and the test split."""
        return float(sum(epoch["duration_s"] for epoch in self.checkpoint.history))


@dataclass(frozen=True, slots=True)
class Session:
    """An experiment as asked for, the data it runs on, and the folder of its runs."""

    experiment: Experiment
    options: Options
    data: Dataset
    folder: Path
    group: ProcessGroup

    @property
    def runs(self) -> tuple[Run, ...]:
        """Of all parts."""
        return self.experiment.runs(self.options, len(self.data.training))

    @property
    def is_as_claimed(self) -> bool:
        """Whether this is what the claims or aims are of."""
        return self.experiment.is_as_claimed(self.options.dataset, self.options.epochs)

    @property
    def selected_runs(self) -> tuple[Run, ...]:
        """Those of the parts that are asked for. EdgeError for a part that it has not."""
        return self.experiment.selected_runs(self.options, len(self.data.training))

    def load_run(self, run: Run) -> Checkpoint | None:
        """How far a run has come; None where it has not begun.

        CheckpointError where what lies there is damaged, or was trained by another recipe.
        """
        folder = self.folder / run.name
        if not (folder / CHECKPOINT).exists():
            return None
        saved = _load_cached(folder, (folder / CHECKPOINT).stat().st_mtime_ns)
        alone = replace(saved.recipe, distillation=None)
        check_resumable(replace(saved, recipe=alone), run.recipe, folder)
        check_unchanged(saved, self.data, folder, "choose another --out")
        curve = ("training_accuracy", "test_correct")
        if run.watched and any(one.get(name) is None for one in saved.history for name in curve):
            raise CheckpointError(
                f"{folder} was trained without its curve of test errors: "
                "move it away, or choose another --out"
            )
        if run.teacher is not None:
            self._check_teacher(run.teacher.name, saved, folder)
        return saved

    def trained_runs(self, names: Sequence[str] | None = None) -> list[TrainedRun]:
        """The runs of these names that are done, or all that are, asked for or not."""
        runs = [run for run in self.runs if names is None or run.name in names]
        found = [(run, self.load_run(run)) for run in runs]
        return [
            TrainedRun(run, self.folder / run.name, saved)
            for run, saved in found
            if saved is not None and saved.result is not None
        ]

    def untrained_runs(self) -> list[Run]:
        """The runs asked for that are still to be trained, or trained on.

        CheckpointError where a teacher would be missing.
        """
        selected, done = self.selected_runs, {one.run.name for one in self.trained_runs()}
        left = [run for run in selected if run.name not in done]
        there = done | {run.name for run in left}
        for run in left:
            if run.teacher is not None and run.teacher.name not in there:
                raise CheckpointError(
                    f"{run.part} learns from {run.teacher.name}, which is not trained yet: "
                    f"ask for both, --only {run.teacher.part},{run.part}"
                )
        return left

    def training_run(self, run: Run) -> TrainingRun:
        """A run as it is trained, from its beginning or from where it stopped; without its
        teacher's answers yet."""
        teachers = [self.folder / run.teacher.name] if run.teacher else []
        plan = plan_run(self.folder / run.name, run.recipe, self.load_run(run), teachers)
        prepared = prepare_run(plan, self.data)
        if not run.watched:
            return prepared
        few = self.data.validation[:WATCHED_VALIDATION]
        watched = replace(prepared.inputs, validation=few, watched=self.data.test)
        return replace(prepared, inputs=watched)

    def _check_teacher(self, name: str, saved: Checkpoint, folder: Path) -> None:
        plan = saved.recipe.distillation
        if not self.trained_runs((name,)):
            return  # nobody knows yet what it will be
        if plan is None or plan.teachers != (sha256(self.folder / name / CHECKPOINT),):
            raise CheckpointError(
                f"{folder} was not taught by the {name} that is there now: "
                "move it away, or choose another --out"
            )


def best_run(found: Sequence[TrainedRun]) -> TrainedRun:
    """The best of several on the validation split; the first of equals."""
    return max(found, key=lambda one: one.validation.value)


def by_part(found: Sequence[TrainedRun]) -> dict[str, list[TrainedRun]]:
    """TrainedRun runs by the part that they belong to, in their order."""
    parts: dict[str, list[TrainedRun]] = {}
    for one in found:
        parts.setdefault(one.run.part, []).append(one)
    return parts


@functools.lru_cache(maxsize=64)
def _load_cached(folder: Path, changed_ns: int) -> Checkpoint:
    """A checkpoint, read once for as long as it stays as it is."""
    return load_checkpoint(folder)
