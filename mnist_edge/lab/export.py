"""A trained run -> one fp32 ONNX file that honours the contract, checked before it is in place."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_edge.contract import LICENCE, Card
from mnist_edge.datasets import FOLDER, Dataset
from mnist_edge.errors import CheckpointError
from mnist_edge.files import sha256
from mnist_edge.lab import checkpoint as disk
from mnist_edge.lab.checkpoint import CHECKPOINT, Checkpoint
from mnist_edge.lab.graph import to_onnx
from mnist_edge.lab.models import Network, cost
from mnist_edge.lab.runs import check_unchanged
from mnist_edge.lab.shelf import Coming, Draft, Exported, described, place
from mnist_edge.lab.verify import Answers, Gate, check_equal, compare
from mnist_edge.metrics import Accuracy, fit_temperature


@dataclass(frozen=True, slots=True)
class Original:
    """A trained network as it will be exported, and what it answers to the test split.

    Its `temperature` is fitted on the validation split; the logits, float32 (N, classes), are
    divided by it.
    """

    checkpoint: Checkpoint
    sha256: str
    network: Network
    temperature: float
    logits: NDArray[np.float32]


def coming(checkpoint: Checkpoint) -> Coming:
    """What will be exported of a run, as far as its checkpoint tells: where the gate is passed, the
    file is as accurate as the original."""
    result = checkpoint.result
    return Coming(
        f"{checkpoint.recipe.model}.onnx",
        _public_name(checkpoint.recipe.dataset),
        None if result is None else Accuracy(result["correct"], result["total"]),
    )


def open_original(run: Path, checkpoint: Checkpoint, data: Dataset) -> Original:
    """A finished run's network. CheckpointError for an unfinished run, or another's data."""
    _check_run(run, checkpoint, data)
    network = checkpoint.original()
    validation = data.validation
    temperature = fit_temperature(network.answer(validation.images), validation.labels)
    network.temperature.fill_(temperature)
    logits = network.answer(data.test.images)
    return Original(checkpoint, sha256(run / CHECKPOINT), network, temperature, logits)


def draft(original: Original, data: Dataset) -> Draft:
    """A network as an fp32 file that has passed the gate, and lies nowhere yet.

    File and original both answer the whole test split of `data`; GateError on any difference.
    """
    validation = data.validation
    model = to_onnx(original.network)
    card = _card(original)
    name = f"{card.model}.onnx"
    with tempfile.TemporaryDirectory() as folder:
        candidate = Path(folder) / name
        candidate.write_bytes(described(model, card))
        answers = Answers.of(candidate, data.test, validation)
        verification = compare(original.logits, answers, data.test)
        check_equal(verification, name)
    card = replace(
        card,
        accuracy=verification.exported,
        golden=answers.golden,
        threshold=answers.threshold,
        confusion=answers.confusion,
    )
    content = described(model, card)
    opset = model.opset_import[0].version
    return Draft(name, content, card, opset, Gate(verification), answers.logits)


def export(run: Path, out: Path, data: Dataset, force: bool = False) -> Exported:
    """Export a finished run to `out`/<model>.onnx, once it has passed the gate.

    Raises EdgeError, and leaves `out` as it was, for an unfinished run, a mismatch, or a better
    file in the way without `force`.
    """
    return place([draft(open_original(run, disk.load(run), data), data)], out, force)[0]


def _check_run(run: Path, checkpoint: Checkpoint, data: Dataset) -> None:
    if checkpoint.result is None:
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
    if data.classes != checkpoint.classes or len(data.test) != checkpoint.result["total"]:
        raise CheckpointError(
            f"the classes or test images of {data.name} are not those that {run} was trained and "
            "measured with: train it again"
        )


def _public_name(dataset: str) -> str:
    """A set as a file may name it: a person's own folder without the way to it."""
    if not dataset.startswith(FOLDER):
        return dataset
    return FOLDER + Path(dataset.removeprefix(FOLDER)).resolve().name


def _card(original: Original) -> Card:
    checkpoint = original.checkpoint
    assert checkpoint.result is not None  # _check_run
    measured = Accuracy(checkpoint.result["correct"], checkpoint.result["total"])
    spent = cost(original.network)
    recipe = replace(checkpoint.recipe, dataset=_public_name(checkpoint.recipe.dataset))
    return Card(
        model=recipe.model,
        classes=checkpoint.classes,
        dataset=recipe.dataset,
        precision="fp32",
        params=spent.params,
        macs=spent.macs,
        accuracy=measured,
        original_accuracy=measured,
        temperature=original.temperature,
        trained={"recipe": recipe.as_dict(), "seed": recipe.seed, **checkpoint.trained},
        source_sha256=original.sha256,
        fingerprint=checkpoint.fingerprint,
        # What a person may do with their own images, and what comes of them, is theirs to say.
        licence=None if recipe.dataset.startswith(FOLDER) else LICENCE,
    )
