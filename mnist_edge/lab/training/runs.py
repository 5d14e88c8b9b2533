"""Training runs in their folders: planned, begun or gone on with, measured at the end; found, set
aside.

A run is a folder with a checkpoint in it. `plan_run` says what is asked for, `prepare_run` brings
the data set, `complete` trains what is left and measures the test split. `train` and `reproduce`
both go this way; what is shown of it is theirs.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from mnist_edge.class_recall import recalls
from mnist_edge.datasets import Dataset, Split
from mnist_edge.datasets.class_names import align_classes
from mnist_edge.datasets.compatibility import check_shape
from mnist_edge.errors import CheckpointError, EdgeError
from mnist_edge.files import lock_folder
from mnist_edge.image_shape import ImageOptions
from mnist_edge.lab.training import distillation
from mnist_edge.lab.training.checkpoint import (
    CHECKPOINT,
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from mnist_edge.lab.training.distillation import Teacher
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.events import EpochResult, Watcher
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.pretrained import (
    PretrainedModel,
    choose_options,
    initial_weights,
)
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.recipes import RecipeRequest
from mnist_edge.lab.training.resume_checks import (
    check_options,
    check_resumable,
    check_unchanged,
)
from mnist_edge.lab.training.trainer import Trainer
from mnist_edge.lab.training.training_inputs import TrainingInputs
from mnist_edge.metrics import accuracy
from mnist_edge.types import Progress

_AS_IT_IS = ImageOptions()
_TRAIN_AGAIN = "train again without --resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What is asked for, before the data set is there.

    `saved` is the checkpoint that it goes on behind; None for a new run. `request` is what a person
    asked for: what they did not, the data set may decide. None where the recipe is as it is to be.
    `options` are those with which its data set is to be loaded, and `pretrained` is what a new run
    starts from, random weights by None.
    """

    folder: Path
    recipe: Recipe
    options: ImageOptions = _AS_IT_IS
    teachers: tuple[Teacher, ...] = ()
    saved: Checkpoint | None = None
    request: RecipeRequest | None = None
    pretrained: PretrainedModel | None = None

    @property
    def is_finished(self) -> bool:
        """Whether it is trained and measured already."""
        return self.saved is not None and self.saved.result is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """A run with all that it is trained and measured on.

    `teachers` answer in the order of its classes; `saved` is as in a plan.
    """

    folder: Path
    inputs: TrainingInputs
    test: Split
    teachers: tuple[Teacher, ...] = ()
    saved: Checkpoint | None = None

    @property
    def has_epochs_left(self) -> bool:
        """Else it is trained, and only to be measured."""
        return self.saved is None or self.saved.epochs_done < self.inputs.recipe.epochs

    @property
    def saved_threads(self) -> int | None:
        """On how many threads it was begun; None for a new run."""
        return self.saved.trained.get("threads") if self.saved else None

    def with_soft_targets(self, device: torch.device, progress: Progress) -> "TrainingRun":
        """The run with its teachers' answers, where it learns from any. To make them takes minutes
        where they are not kept yet; `progress` is told how far it has come."""
        if not self.teachers or not self.has_epochs_left:
            return self
        own = self.inputs
        soft = distillation.soft_targets(
            self.teachers, own.training, own.recipe, device, progress, own.outliers
        )
        return replace(self, inputs=replace(own, soft_targets=soft))


def resolve_recipe(request: RecipeRequest, saved: Checkpoint | None) -> Recipe:
    """The model's own recipe, or that of a saved run, with what is asked for.

    RecipeError for a field that cannot have its value, UsageError for an unknown model or a
    shortcut that it has not.
    """
    if saved:
        request.check(saved.recipe)
        return request.change(replace(saved.recipe, **request.fields))
    recipe = request.resolve()
    build(recipe.model, shortcut=recipe.shortcut)  # a wrong shortcut shows now, not after loading
    return recipe


def plan_run(
    folder: Path,
    recipe: Recipe,
    saved: Checkpoint | None = None,
    teachers: Sequence[Path] = (),
    request: RecipeRequest | None = None,
    options: ImageOptions = _AS_IT_IS,
    pretrained: PretrainedModel | None = None,
) -> RunPlan:
    """A run by a recipe in a folder; `teachers` are finished runs and exported files.

    CheckpointError where what is saved was begun with another recipe or on other images, or a
    teacher is not there.
    """
    opened = tuple(distillation.open_teacher(source, folder.parent) for source in teachers)
    if opened:
        recipe = distillation.with_teachers(recipe, opened)
    if saved:
        check_resumable(saved, recipe, folder)
        options = check_options(saved, options, folder)
    elif pretrained:
        options = choose_options(pretrained, options, recipe.dataset)
    return RunPlan(
        folder=folder,
        recipe=recipe,
        options=options,
        teachers=opened,
        saved=saved,
        request=request,
        pretrained=pretrained,
    )


def prepare_run(plan: RunPlan, data: Dataset) -> TrainingRun:
    """The run on a data set. CheckpointError or DataError where the set is not the one that it was
    begun on, or a teacher tells other classes apart."""
    recipe, teachers, fingerprint = plan.recipe, plan.teachers, data.fingerprint
    if plan.saved:
        data = align_classes(data, plan.saved.classes, str(plan.folder), _TRAIN_AGAIN)
        check_shape(data, plan.saved.shape, str(plan.folder), _TRAIN_AGAIN)
        check_unchanged(plan.saved, data, plan.folder, _TRAIN_AGAIN)
        fingerprint = plan.saved.fingerprint
    elif plan.request:
        recipe = replace(plan.request.for_data(data), distillation=recipe.distillation)
    if recipe.distillation and not teachers:
        names = recipe.distillation.teachers
        teachers = tuple(distillation.find_teachers(names, plan.folder.parent))
    initial = initial_weights(plan.pretrained, data, recipe) if plan.pretrained else None
    return TrainingRun(
        folder=plan.folder,
        inputs=replace(TrainingInputs.of(recipe, data), initial=initial, fingerprint=fingerprint),
        test=data.test,
        teachers=tuple(distillation.match_data(teacher, data) for teacher in teachers),
        saved=plan.saved,
    )


def complete(
    run: TrainingRun, group: ProcessGroup, watch: Watcher = lambda step: None
) -> Iterator[EpochResult]:
    """Train the epochs that are left, and measure the run on the test split, which finishes it."""
    if run.has_epochs_left:
        yield from train(run.inputs, run.folder, group, resume=run.saved, watch=watch)
    if group.is_main:
        finish(run.folder, load_checkpoint(run.folder), run.test)


def train(
    inputs: TrainingInputs,
    folder: Path,
    group: ProcessGroup,
    *,
    resume: Checkpoint | None = None,
    watch: Watcher = lambda step: None,
    acceleration: str = "auto",
) -> Iterator[EpochResult]:
    """Train, and yield each epoch's result once its checkpoint lies in the folder.

    Same recipe, data, device, threads and number of processes: same weights. `resume` goes on
    behind a checkpoint's last epoch. `acceleration` is "auto" or one of ACCELERATIONS. EdgeError
    when memory runs out, the loss diverges, or another process trains in the folder.
    """
    recipe = inputs.recipe
    try:
        trainer = Trainer(inputs, group, resume=resume, acceleration=acceleration)
        with lock_folder(folder, busy_message(folder)) if group.is_main else nullcontext():
            for epoch in range(trainer.epochs_done, recipe.epochs):
                result = trainer.epoch(epoch, watch)
                if group.is_main:
                    save_checkpoint(folder, trainer.checkpoint())
                yield result
    except torch.OutOfMemoryError as error:
        raise EdgeError(
            f"{group.device.type} ran out of memory at batch size {recipe.batch_size}: "
            "use a smaller --batch-size, or --device cpu"
        ) from error


def finish(folder: Path, checkpoint: Checkpoint, test: Split) -> Checkpoint:
    """Measure a trained run on the test split, once, and record it in the run's folder."""
    answers = checkpoint.trained_network().predict_logits(test.images).argmax(axis=1)
    each = recalls(answers, test.labels, len(checkpoint.classes))
    result = {"split": "test"} | asdict(accuracy(answers, test.labels))
    result["class_correct"] = [one.correct if one else 0 for one in each]
    result["class_total"] = [one.total if one else 0 for one in each]
    finished = replace(checkpoint, result=result)
    save_checkpoint(folder, finished)
    return finished


def newest_run(runs: Path) -> Path:
    """The run below `runs` whose checkpoint was written last. CheckpointError without any."""
    found = sorted(runs.glob(f"*/{CHECKPOINT}"), key=lambda path: path.stat().st_mtime_ns)
    if not found:
        raise CheckpointError(
            f"there is no run in {runs}/: train one first with 'mnist-edge train'"
        )
    return found[-1].parent


def busy_message(folder: Path) -> str:
    """What is said of a run that another process trains."""
    return f"{folder} is being trained by another process: wait for it, or choose another --out"


def set_aside(folder: Path) -> Path | None:
    """Rename a run that is in the way to <name>-1, <name>-2, …, so that nothing is lost.

    Returns its new place, or None when nothing was there. EdgeError when it cannot be renamed, or
    is being trained.
    """
    if not (folder / CHECKPOINT).exists():
        return None
    if Path.cwd().is_relative_to(folder.resolve()):  # else the new run would go where it went
        raise CheckpointError(f"{folder} holds a run, and is where you are: choose another --out")
    number = 1
    while (kept := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    try:
        with lock_folder(folder, busy_message(folder)):
            return folder.rename(kept)
    except OSError as error:
        raise CheckpointError(
            f"cannot rename {folder}, which holds a run: {error.strerror}. Choose another --out"
        ) from error
