"""A trained run -> one fp32 ONNX file that honours the contract, checked before it is in place."""

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx

from mnist_edge.classifier import Classifier
from mnist_edge.contract import Card
from mnist_edge.datasets import FOLDER, Dataset, split_validation
from mnist_edge.errors import CheckpointError, EdgeError, ModelError
from mnist_edge.files import sha256, write_atomically
from mnist_edge.lab import checkpoint as disk
from mnist_edge.lab.checkpoint import CHECKPOINT, Checkpoint
from mnist_edge.lab.graph import to_onnx
from mnist_edge.lab.models import Network, cost
from mnist_edge.lab.verify import Verification, check_equal, compare
from mnist_edge.machine import this_machine
from mnist_edge.metrics import Accuracy, fit_temperature

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote: the file, its card, how it was checked, and what it replaced."""

    path: Path
    card: Card
    verification: Verification
    opset: int
    replaced: Accuracy | None


def export(run: Path, out: Path, data: Dataset, force: bool = False) -> Exported:
    """Export a finished run to `out`/<model>.onnx, once it has passed the gate.

    The temperature is fitted on the validation split; original and file both answer the whole
    test split of `data`. Raises EdgeError, and leaves `out` as it was, for an unfinished run, a
    mismatch, or a better file in the way without `force`.
    """
    checkpoint = disk.load(run)
    _check_run(run, checkpoint, data)
    manifest = _read_manifest(out / MANIFEST)
    original = checkpoint.original()
    _, validation = split_validation(data.train)
    temperature = fit_temperature(original.answer(validation.images), validation.labels)
    original.temperature.fill_(temperature)
    logits = original.answer(data.test.images)

    model = to_onnx(original)
    target = out / f"{checkpoint.recipe.model}.onnx"
    with tempfile.TemporaryDirectory() as folder:
        candidate = Path(folder) / target.name
        card = _card(run, checkpoint, original, temperature)
        onnx.save(_with_card(model, card), candidate)
        verification = compare(logits, candidate, data.test)
        check_equal(verification, target.name)
        card = _card(run, checkpoint, original, temperature, verification.exported)
        replaced = _check_in_the_way(target, card, force)
    write_atomically(target, _with_card(model, card).SerializeToString())
    manifest[target.name] = _entry(target, card, verification)
    files = {name: manifest[name] for name in sorted(manifest)}
    content = json.dumps({"files": files}, indent=2, ensure_ascii=False)
    write_atomically(out / MANIFEST, content + "\n")
    return Exported(target, card, verification, model.opset_import[0].version, replaced)


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


def _card(
    run: Path,
    checkpoint: Checkpoint,
    original: Network,
    temperature: float,
    accuracy: Accuracy | None = None,
) -> Card:
    assert checkpoint.result is not None  # _check_run
    measured = Accuracy(checkpoint.result["correct"], checkpoint.result["total"])
    spent = cost(original)
    recipe = replace(checkpoint.recipe, dataset=_public_name(checkpoint.recipe.dataset))
    return Card(
        model=recipe.model,
        classes=checkpoint.classes,
        dataset=recipe.dataset,
        precision="fp32",
        params=spent.params,
        macs=spent.macs,
        accuracy=accuracy or measured,
        original_accuracy=measured,
        temperature=temperature,
        trained={"recipe": recipe.as_dict(), "seed": recipe.seed, **checkpoint.trained},
        source_sha256=sha256(run / CHECKPOINT),
    )


def _with_card(model: onnx.ModelProto, card: Card) -> onnx.ModelProto:
    described = onnx.ModelProto()
    described.CopyFrom(model)
    onnx.helper.set_model_props(described, card.to_metadata())
    return described


def _check_in_the_way(target: Path, card: Card, force: bool) -> Accuracy | None:
    """The accuracy of the file that will be replaced, None without one. EdgeError if it stays."""
    if not target.exists():
        return None
    try:
        old = Classifier(target).card
    except ModelError:
        if force:
            return None
        raise EdgeError(
            f"{target} is in the way and is not ours: use --force, or another --out"
        ) from None
    if force:
        return old.accuracy
    if old.dataset != card.dataset:
        raise EdgeError(
            f"{target} was made for {old.dataset}, this one is for {card.dataset}: "
            "use --force to replace it, or another --out"
        )
    if old.accuracy.value > card.accuracy.value:
        raise EdgeError(
            f"{target} is better ({old.accuracy.value:.2%}) than this one "
            f"({card.accuracy.value:.2%}): use --force to replace it, or another --out"
        )
    return old.accuracy


def _read_manifest(path: Path) -> dict[str, Any]:
    """What the folder's manifest says of its files, by name; nothing where there is none."""
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text())["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise EdgeError(f"{path} cannot be read: repair or delete it") from error


def _entry(target: Path, card: Card, verification: Verification) -> dict[str, Any]:
    """A file's numbers for the manifest."""
    low, high = card.accuracy.interval
    return {
        "sha256": sha256(target),
        "bytes": target.stat().st_size,
        "model": card.model,
        "dataset": card.dataset,
        "precision": card.precision,
        "params": card.params,
        "macs": card.macs,
        "accuracy": {
            "value": card.accuracy.value,
            "interval95": [low, high],
            "correct": card.accuracy.correct,
            "total": card.accuracy.total,
            "split": "test",
        },
        "gate": {
            "max_logit_difference": verification.max_logit_difference,
            "changed_answers": verification.agreement.changed,
        },
        "temperature": card.temperature,
        "trained": card.trained,
        "source_sha256": card.source_sha256,
        "verified_on": this_machine().cpu,
    }
