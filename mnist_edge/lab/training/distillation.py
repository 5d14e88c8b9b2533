"""What teachers answer: warped copies of the training images, answered once, and kept.

A student's run of 60 epochs would ask a teacher of a hundred times its size 60 times for every
image, which takes hours; and a teacher is worth most where it sees exactly what the student sees.
So the copies are made once, with the teachers' answers, and all students learn from them.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mnist_edge.classifier import Classifier
from mnist_edge.dataset_names import has_folder
from mnist_edge.datasets import Dataset, Split
from mnist_edge.datasets.class_names import describe_mismatch, match_names
from mnist_edge.datasets.compatibility import check_shape
from mnist_edge.errors import CheckpointError, DataError
from mnist_edge.files import sha256
from mnist_edge.image_shape import MNIST_SHAPE, ImageShape
from mnist_edge.lab.training import bf16, soft_target_files
from mnist_edge.lab.training.checkpoint import CHECKPOINT, load_checkpoint
from mnist_edge.lab.training.recipe import Distillation, Recipe
from mnist_edge.lab.training.training_mix import augment_batch, with_synthetic
from mnist_edge.types import Progress

_SEED = 0  # of the views: every student's are the same
_BATCH_SIZE = 500

LogitsFunction = Callable[[Tensor], Tensor]
"""A teacher as a function: images uint8 to logits, float32 (N, C)."""


@dataclass(frozen=True, slots=True)
class Teacher:
    """A finished run or an exported file.

    `source` is the run's folder or the file, `sha256` that of its checkpoint or of the file,
    `model` its name in the zoo, `cache_dir` the folder in which its answers are
    kept, and `logits_function` gives what answers on a device to images of its `shape`.
    """

    source: Path
    sha256: str
    model: str
    classes: tuple[str, ...]
    dataset: str
    cache_dir: Path
    logits_function: Callable[[torch.device], LogitsFunction]
    shape: ImageShape = MNIST_SHAPE


@dataclass(frozen=True, slots=True)
class SoftTargets:
    """`images` uint8 (V, N, H, W[, 3]): warped copies of `whole`, the N training images; `logits`
    float32 (V, N, classes): the logarithm of the teachers' mean probabilities."""

    whole: Split
    images: Tensor
    logits: Tensor

    def to(self, device: torch.device) -> "SoftTargets":
        return SoftTargets(self.whole, self.images.to(device), self.logits.to(device))


def open_teacher(source: Path, runs: Path) -> Teacher:
    """A run's folder, or a file as `mnist-edge export` writes it, whose answers go into `runs`.

    CheckpointError when the run is not there, or not finished; ModelError for a bad file.
    """
    return _file_teacher(source, runs) if source.suffix == ".onnx" else _run_teacher(source)


def _run_teacher(run: Path) -> Teacher:
    checkpoint = load_checkpoint(run)
    if checkpoint.result is None:
        raise CheckpointError(
            f"{run} stopped after epoch {checkpoint.epochs_done} of {checkpoint.recipe.epochs}: "
            "a teacher has to be finished, with 'mnist-edge train --resume'"
        )
    network = checkpoint.trained_network()
    return Teacher(
        run,
        sha256(run / CHECKPOINT),
        checkpoint.recipe.model,
        checkpoint.classes,
        checkpoint.recipe.dataset,
        run,
        lambda device: bf16.logits_function(network, device),
        checkpoint.shape,
    )


def _file_teacher(file: Path, runs: Path) -> Teacher:
    classifier = Classifier(file, threads=torch.get_num_threads())
    card = classifier.card
    precision = "" if card.precision == "fp32" else f" in {card.precision}"
    network = card.model + precision

    def logits_function(device: torch.device) -> LogitsFunction:
        def answer(images: Tensor) -> Tensor:
            # A file's logits are divided by its temperature; a student learns the network's own.
            logits = classifier.logits(images.cpu().numpy()) * np.float32(card.temperature)
            return torch.from_numpy(logits).to(device)

        return answer

    return Teacher(
        file,
        sha256(file),
        network,
        card.classes,
        card.dataset,
        runs,
        logits_function,
        card.shape,
    )


def with_teachers(recipe: Recipe, teachers: Sequence[Teacher]) -> Recipe:
    """The same recipe with these teachers."""
    names = tuple(teacher.sha256 for teacher in teachers)
    plan = replace(
        recipe.distillation or Distillation(names),
        teachers=names,
        models=tuple(teacher.model for teacher in teachers),
    )
    return replace(recipe, distillation=plan)


def find_teachers(wanted: Sequence[str], runs: Path) -> list[Teacher]:
    """The runs below a folder whose checkpoints have these SHA-256.

    CheckpointError where one is missing.
    """
    there = {sha256(path): path.parent for path in sorted(runs.glob(f"*/{CHECKPOINT}"))}
    for name in wanted:
        if name not in there:
            raise CheckpointError(
                f"the teacher {name[:12]} is not in {runs}/: name its run or file with --teacher"
            )
    return [open_teacher(there[name], runs) for name in wanted]


def match_data(teacher: Teacher, data: Dataset) -> Teacher:
    """A teacher that answers images of a data set, in the order of its classes. DataError for one
    of images of another shape, or of other classes."""
    check_shape(data, teacher.shape, str(teacher.source), "it cannot teach them")
    return match_classes(teacher, data.classes, data.name)


def match_classes(teacher: Teacher, classes: tuple[str, ...], dataset: str) -> Teacher:
    """A teacher that answers in the order of the student's classes. DataError for one that tells
    other things apart."""
    order = match_names(classes, teacher.classes)
    if order is None:
        advice = "it cannot teach them"
        told = describe_mismatch(dataset, classes, str(teacher.source), teacher.classes, advice)
        raise DataError(told)
    if teacher.classes == classes:
        return teacher
    columns = torch.from_numpy(order)

    def logits_function(device: torch.device) -> LogitsFunction:
        answer = teacher.logits_function(device)
        return lambda images: answer(images)[:, columns.to(device)]

    return replace(teacher, classes=classes, logits_function=logits_function)


def soft_targets(
    teachers: Sequence[Teacher],
    training: Split,
    recipe: Recipe,
    device: torch.device,
    progress: Progress = lambda what, done, total: None,
    outliers: NDArray[np.uint8] | None = None,
) -> SoftTargets:
    """The views of a recipe with their teachers' answers, made where they are not kept yet.

    They lie in the first teacher's `cache_dir`, a file for each view, and can be deleted. What is
    there when it is interrupted is not made again. EdgeError when it cannot be written.
    """
    plan = recipe.distillation
    assert plan is not None  # what teachers are for
    whole = with_synthetic(training, replace(recipe, seed=_SEED), outliers)
    by_pixels = outliers is not None or has_folder(recipe.dataset)
    folder = teachers[0].cache_dir / f"views-{_key(recipe, whole, by_pixels)}"
    files = [folder / f"{number:02}.npz" for number in range(plan.views)]
    missing = [number for number, file in enumerate(files) if not os.path.lexists(file)]
    total = float(len(missing) * len(whole))
    logits_functions = [teacher.logits_function(device) for teacher in teachers]
    for place, number in enumerate(missing):

        def tell(done: int, before: int = place * len(whole)) -> None:
            progress("asking the teacher", before + done, total)

        images, logits = _compute_view(logits_functions, whole, recipe, number, device, tell)
        soft_target_files.write(files[number], images, logits)
    size = len(whole), whole.shape, len(teachers[0].classes)
    found = [soft_target_files.read(file, *size) for file in files]
    images, logits = (np.stack(parts) for parts in zip(*found, strict=True))
    return SoftTargets(whole, torch.from_numpy(images), torch.from_numpy(logits))


_VIEW_FIELDS = (
    "dataset",
    "images",
    "augmentation",
    "strong_augmentation",
    "synthetic_share",
    "outlier_share",
    "photograph_augmentation",
)
"""The fields of a recipe that decide on what teachers see."""


def _key(recipe: Recipe, whole: Split, by_pixels: bool) -> str:
    """What views and answers depend on, in eight letters: `by_pixels` where the data set's name
    does not say which images it has."""
    assert recipe.distillation is not None
    parts: dict[str, Any] = {
        name: value for name, value in recipe.as_dict().items() if name in _VIEW_FIELDS
    }
    parts["teachers"] = recipe.distillation.teachers
    if whole.shape != MNIST_SHAPE:
        parts["shape"] = whole.shape.dims
    if by_pixels:
        parts["pixels"] = hashlib.sha256(whole.images.tobytes()).hexdigest()
        parts["labels"] = hashlib.sha256(whole.labels.tobytes()).hexdigest()
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]


def _compute_view(
    logits_functions: Sequence[LogitsFunction],
    whole: Split,
    recipe: Recipe,
    number: int,
    device: torch.device,
    tell: Callable[[int], None],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """One warped copy of every image, uint8, and the answers (N, classes)."""
    generator = torch.Generator(device).manual_seed(_SEED * 100_003 + number)
    originals = torch.tensor(whole.images, device=device)
    # In random order: which images get strong augmentation depends on their place in a batch.
    order = torch.randperm(len(originals), generator=generator, device=device)
    images = torch.empty_like(originals)
    classes = logits_functions[0](originals[:1]).shape[1]
    logits = torch.empty((len(originals), classes), device=device)
    for at in range(0, len(order), _BATCH_SIZE):
        index = order[at : at + _BATCH_SIZE]
        seen = augment_batch(originals[index], recipe, generator).round().clamp(0, 255).byte()
        images[index], logits[index] = seen, _mean_log_probabilities(logits_functions, seen)
        tell(at + len(index))
    return images.cpu().numpy(), logits.cpu().numpy()


def _mean_log_probabilities(logits_functions: Sequence[LogitsFunction], images: Tensor) -> Tensor:
    """The logarithm of the teachers' mean probabilities, float32 (N, classes)."""
    each = [F.log_softmax(answer(images), dim=1) for answer in logits_functions]
    return torch.stack(each).logsumexp(dim=0) - math.log(len(each))
