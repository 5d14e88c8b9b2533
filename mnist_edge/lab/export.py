"""A trained run -> one fp32 ONNX file that honours the contract, checked before it is in place."""

import copy
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from mnist_edge.classifier import Classifier
from mnist_edge.contract import INPUT, OUTPUT, SIDE, Card
from mnist_edge.datasets import FOLDER, Dataset, split_validation
from mnist_edge.errors import CheckpointError, EdgeError, ModelError
from mnist_edge.files import sha256, write_atomically
from mnist_edge.lab import checkpoint as disk
from mnist_edge.lab.checkpoint import CHECKPOINT, Checkpoint
from mnist_edge.lab.models import Network, cost
from mnist_edge.lab.verify import Verification, check_equal, compare
from mnist_edge.machine import this_machine
from mnist_edge.metrics import Accuracy, fit_temperature

OPSET = 18  # the lowest that torch.onnx writes; what a graph really needs is found afterwards
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


def to_onnx(network: Network) -> onnx.ModelProto:
    """The network as an ONNX graph: image uint8 (N, 28, 28) -> logits float32 (N, classes).

    1/255 and the temperature are folded into weights, batch norms into convolutions. Opset and IR
    are the lowest that express the graph.
    """
    folded = _fold(network)
    example = torch.zeros(2, SIDE, SIDE, dtype=torch.uint8)
    with _quiet():
        program = torch.onnx.export(
            folded,
            (example,),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={"images": {0: "N"}},
            verbose=False,
        )
    assert program is not None  # with dynamo=True there is always one
    model: onnx.ModelProto = program.model_proto
    _slim(model)
    _lower_opset(model)
    onnx.checker.check_model(model, full_check=True)
    left = {node.op_type for node in model.graph.node} & {"BatchNormalization", "Div"}
    if left:
        raise EdgeError(f"the exporter left {', '.join(sorted(left))} in the graph: not folded")
    return model


class _Folded(nn.Module):
    """A network whose normalisation and temperature have moved into its weights."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.body(images.float().unsqueeze(1))
        return logits


def _fold(network: Network) -> nn.Module:
    body = copy.deepcopy(network.body).eval()
    with torch.no_grad():
        for convolution in _reading_the_image(body):
            convolution.weight.div_(255)
        last = [layer for layer in body.modules() if isinstance(layer, nn.Linear)][-1]
        last.weight.div_(network.temperature)
        last.bias.div_(network.temperature)
    return _Folded(body).eval()


def _reading_the_image(body: nn.Module) -> list[nn.Conv2d]:
    """The convolutions that take the image itself: a stem, or a first block and its shortcut."""
    image, found = torch.zeros(1, 1, SIDE, SIDE), []

    def note(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0] is image and isinstance(layer, nn.Conv2d):
            found.append(layer)

    hooks = [layer.register_forward_pre_hook(note) for layer in body.modules()]
    with torch.no_grad():
        body(image)
    for hook in hooks:
        hook.remove()
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's remarks on its own insides are nothing that a user can act on."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(before)


def _slim(model: onnx.ModelProto) -> None:
    """Drop what no runtime reads: traces, doc strings, inferred shapes, long names."""
    graph = model.graph
    graph.name = "mnist_edge"
    model.doc_string = graph.doc_string = ""
    del graph.value_info[:]
    del graph.metadata_props[:]
    for item in [*graph.input, *graph.output, *graph.initializer, *graph.node]:
        item.doc_string = ""
        del item.metadata_props[:]
    names = {INPUT: INPUT, OUTPUT: OUTPUT, "": ""}
    for tensor in graph.initializer:
        tensor.name = names.setdefault(tensor.name, f"w{len(names)}")
    for at, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{at}"
        for position, name in enumerate(node.output):
            node.output[position] = names.setdefault(name, f"x{len(names)}")
        for position, name in enumerate(node.input):
            node.input[position] = names[name]


def _lower_opset(model: onnx.ModelProto) -> None:
    """State the lowest opset in which every operator still has the definition it was written to,
    and the IR version that came with it: old runtimes on devices refuse newer ones."""
    written = model.opset_import[0].version
    needed = max(
        onnx.defs.get_schema(node.op_type, written).since_version for node in model.graph.node
    )
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", needed))
    model.ir_version = onnx.helper.find_min_ir_version_for(model.opset_import)
    model.producer_name, model.producer_version = "mnist-edge", ""


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
