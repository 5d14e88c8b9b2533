"""What an export starts from: a finished run's network, or an fp32 file of ours."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from mnist_edge import datasets
from mnist_edge.backends import find_original
from mnist_edge.classifier import read_card
from mnist_edge.dataset_names import has_folder, public_name
from mnist_edge.datasets import Dataset
from mnist_edge.datasets.class_names import align_classes
from mnist_edge.datasets.compatibility import check_shape
from mnist_edge.errors import CheckpointError, DataError, EdgeError, ModelError
from mnist_edge.files import sha256
from mnist_edge.fingerprint import describe_changes
from mnist_edge.image_shape import ImageOptions
from mnist_edge.lab.export.candidate import OnnxModel
from mnist_edge.lab.export.int8_layout import is_exported_graph
from mnist_edge.lab.export.publish import PlannedFile
from mnist_edge.lab.training.checkpoint import CHECKPOINT, Checkpoint, load_checkpoint
from mnist_edge.lab.training.layer_summary import cost
from mnist_edge.lab.training.models import Network
from mnist_edge.lab.training.resume_checks import check_unchanged
from mnist_edge.metrics import Accuracy, fit_temperature
from mnist_edge.model_file.contract import LICENCE, Card
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.types import Progress


@dataclass(frozen=True, slots=True)
class Original:
    """A trained network as it will be exported, and what it answers to the test split.

    Its temperature is fitted on the validation split; the logits, float32 (N, classes), are
    divided by it. `card` is what an fp32 file of it says of itself, but for what is measured on the
    file.
    """

    checkpoint: Checkpoint
    network: Network
    logits: NDArray[np.float32]
    card: Card


@dataclass(frozen=True, slots=True)
class ExportInputs:
    """A data set, and a run's `original`, or an `fp32` file, or both. The original of a file is
    None where its run is not here."""

    data: Dataset
    original: Original | None
    fp32: OnnxModel | None = None

    @property
    def card(self) -> Card:
        """What is known of the network before it is measured."""
        known = self.fp32 or self.original
        assert known is not None  # one of both was given
        return known.card


def open_inputs(
    target: Path,
    runs: Path,
    data_dir: Path | None,
    progress: Progress,
    check_output: Callable[[PlannedFile], None] = lambda planned: None,
) -> ExportInputs:
    """Open a run's folder, or an fp32 file whose run is looked for in `runs`.

    `check_output` is given the file that is planned of a finished run, before any work. Raises
    EdgeError for whatever is missing, unfinished, foreign, or quantized already.
    """
    run, fp32 = target, None
    if target.is_file():
        fp32 = open_fp32(target)
        found = find_original(fp32.card, runs)
        if found is None:
            return ExportInputs(_load_data_of_file(fp32, runs, data_dir, progress), None, fp32)
        run = found.path.parent
    checkpoint = load_checkpoint(run)
    if fp32 is None and (accuracy := checkpoint.test_accuracy):
        # Where the gate is passed, the file is as accurate as the original.
        name, dataset = f"{checkpoint.recipe.model}.onnx", public_name(checkpoint.recipe.dataset)
        check_output(PlannedFile(name, dataset, accuracy))
    as_trained = ImageOptions.of(checkpoint.shape, checkpoint.fit)
    recipe = checkpoint.recipe
    # Pictures of no class that are gone cannot be trained on again, but what learned them can ship.
    outliers = recipe.outlier_path
    there = outliers if outliers and outliers.is_dir() else None
    data = datasets.load(recipe.dataset, data_dir, progress, as_trained, outliers=there)
    # Its labels are numbered as they were when the run was trained.
    data = align_classes(data, checkpoint.classes, str(run), "train it again")
    progress("opening the original", 0, 0)
    return ExportInputs(data, open_original(run, checkpoint, data), fp32)


def open_fp32(path: Path) -> OnnxModel:
    """An fp32 file of ours. ModelError for a file that is not, or is int8 already."""
    file = ModelFile.read(path)
    card, model = read_card(file), onnx.load_model_from_string(file.content)
    quantized = any(node.op_type == "DequantizeLinear" for node in model.graph.node)
    if card.precision != "fp32" or quantized:
        raise ModelError(f"{path} is quantized already: name the fp32 file that it was made from")
    if not is_exported_graph(model):
        raise ModelError(
            f"{path} was not written by 'mnist-edge export', or by another version: "
            "its graph is another. Export its run again"
        )
    return OnnxModel(file, model, card)


def open_original(run: Path, checkpoint: Checkpoint, data: Dataset) -> Original:
    """A finished run's network. CheckpointError for an unfinished run, or another's data."""
    accuracy = _check_run(run, checkpoint, data)
    network = checkpoint.trained_network()
    validation, logits = (
        network.predict_logits(split.images) for split in (data.validation, data.test)
    )
    temperature = fit_temperature(validation, data.validation.labels)
    network.temperature.fill_(temperature)
    size = cost(network)
    recipe = checkpoint.recipe.without_paths()
    card = Card(
        model=recipe.model,
        classes=checkpoint.classes,
        dataset=recipe.dataset,
        precision="fp32",
        params=size.params,
        macs=size.macs,
        accuracy=accuracy,
        original_accuracy=accuracy,
        temperature=temperature,
        trained={"recipe": recipe.as_dict(), "seed": recipe.seed, **checkpoint.trained},
        source_sha256=sha256(run / CHECKPOINT),
        fingerprint=checkpoint.fingerprint,
        shape=checkpoint.shape,
        fit=checkpoint.fit,
        # What a person may do with their own images, and what comes of them, is theirs to say.
        licence=None if has_folder(recipe.dataset) else LICENCE,
    )
    return Original(checkpoint, network, logits / np.float32(temperature), card)


def _check_run(run: Path, checkpoint: Checkpoint, data: Dataset) -> Accuracy:
    """The accuracy of a run that can be exported with this data set."""
    accuracy = checkpoint.test_accuracy
    if accuracy is None:
        raise CheckpointError(
            f"{run} stopped after epoch {checkpoint.epochs_done} of {checkpoint.recipe.epochs}: "
            "finish it with 'mnist-edge train --resume' and its own options"
        )
    trained_on = public_name(checkpoint.recipe.dataset)
    if data.name != trained_on:
        raise CheckpointError(
            f"{run} was trained on {trained_on}, not on {data.name}: "
            "the gate needs its own test images"
        )
    check_shape(data, checkpoint.shape, str(run), "train it again")
    check_unchanged(checkpoint, data, run, "train it again", is_trained=True)
    if data.classes != checkpoint.classes or len(data.test) != accuracy.total:
        raise CheckpointError(
            f"the classes or test images of {data.name} are not those that {run} was trained and "
            "measured with: train it again"
        )
    return accuracy


def _load_data_of_file(
    fp32: OnnxModel, runs: Path, data_dir: Path | None, progress: Progress
) -> Dataset:
    """The public set that a file's card names, where its run is not here."""
    card, path = fp32.card, fp32.file.path
    if has_folder(card.dataset):
        raise EdgeError(
            f"{path} was trained on {card.dataset}, and its run is not in {runs}/, "
            "which knows where that lies: export the run instead"
        )
    as_trained = ImageOptions.of(card.shape, card.fit)
    data = datasets.load(card.dataset, data_dir, progress, as_trained)
    data = align_classes(data, card.classes, str(path), "quantize it where its own set is")
    if changes := describe_changes(card.fingerprint, data.fingerprint):
        raise DataError(
            f"{data.name} is not what {path} was trained on: {changes}. "
            "Name the right one with --data-dir"
        )
    return data
