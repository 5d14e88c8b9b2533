"""A finished run as it will be exported: its network with its temperature, and what it answers."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_edge.datasets import FOLDER, Dataset
from mnist_edge.errors import CheckpointError
from mnist_edge.files import sha256
from mnist_edge.lab.export.publish import Coming
from mnist_edge.lab.training.checkpoint import CHECKPOINT, Checkpoint
from mnist_edge.lab.training.layer_summary import cost
from mnist_edge.lab.training.models import Network
from mnist_edge.lab.training.runs import check_unchanged
from mnist_edge.metrics import Accuracy, fit_temperature
from mnist_edge.model_file.contract import LICENCE, Card


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


def open_original(run: Path, checkpoint: Checkpoint, data: Dataset) -> Original:
    """A finished run's network. CheckpointError for an unfinished run, or another's data."""
    accuracy = _checked(run, checkpoint, data)
    network = checkpoint.trained_network()
    chosen, logits = (
        network.predict_logits(split.images) for split in (data.validation, data.test)
    )
    temperature = fit_temperature(chosen, data.validation.labels)
    network.temperature.fill_(temperature)
    spent = cost(network)
    recipe = replace(checkpoint.recipe, dataset=_public_name(checkpoint.recipe.dataset))
    card = Card(
        model=recipe.model,
        classes=checkpoint.classes,
        dataset=recipe.dataset,
        precision="fp32",
        params=spent.params,
        macs=spent.macs,
        accuracy=accuracy,
        original_accuracy=accuracy,
        temperature=temperature,
        trained={"recipe": recipe.as_dict(), "seed": recipe.seed, **checkpoint.trained},
        source_sha256=sha256(run / CHECKPOINT),
        fingerprint=checkpoint.fingerprint,
        # What a person may do with their own images, and what comes of them, is theirs to say.
        licence=None if recipe.dataset.startswith(FOLDER) else LICENCE,
    )
    return Original(checkpoint, network, logits / np.float32(temperature), card)


def coming(checkpoint: Checkpoint) -> Coming:
    """What will be exported of a run, as far as its checkpoint tells: where the gate is passed, the
    file is as accurate as the original."""
    dataset = _public_name(checkpoint.recipe.dataset)
    return Coming(f"{checkpoint.recipe.model}.onnx", dataset, checkpoint.test_accuracy)


def _checked(run: Path, checkpoint: Checkpoint, data: Dataset) -> Accuracy:
    """The accuracy of a run that can be exported with this data set."""
    accuracy = checkpoint.test_accuracy
    if accuracy is None:
        raise CheckpointError(
            f"{run} stopped after epoch {checkpoint.epochs_done} of {checkpoint.recipe.epochs}: "
            "finish it with 'mnist-edge train --resume' and its own options"
        )
    trained_on = _public_name(checkpoint.recipe.dataset)
    if data.name != trained_on:
        raise CheckpointError(
            f"{run} was trained on {trained_on}, not on {data.name}: "
            "the gate needs its own test images"
        )
    check_unchanged(checkpoint, data, run, "train it again")
    if data.classes != checkpoint.classes or len(data.test) != accuracy.total:
        raise CheckpointError(
            f"the classes or test images of {data.name} are not those that {run} was trained and "
            "measured with: train it again"
        )
    return accuracy


def _public_name(dataset: str) -> str:
    """A set as a file may name it: a person's own folder without the way to it."""
    if not dataset.startswith(FOLDER):
        return dataset
    return FOLDER + Path(dataset.removeprefix(FOLDER)).resolve().name
