"""What fine-tuning starts from: the weights of a run, or of an exported fp32 file alone.

A network is built for the classes of the new data. Classes of the same name keep their weights in
the last layer, in whatever order they stand; the others start anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from mnist_edge.catalogue import DATASETS
from mnist_edge.classifier import Classifier
from mnist_edge.dataset_names import (
    folder_of,
    folders_of,
    parts_of,
    public_name,
    with_unknown_paths,
)
from mnist_edge.datasets import Dataset
from mnist_edge.datasets.class_names import composed
from mnist_edge.datasets.folder_layout import scan
from mnist_edge.errors import CheckpointError, DataError, EdgeError, ModelError, UsageError
from mnist_edge.files import sha256
from mnist_edge.image_shape import Fit, ImageOptions, ImageShape
from mnist_edge.lab.training.checkpoint import CHECKPOINT, load_checkpoint
from mnist_edge.lab.training.folded_weights import FoldedLayer, load_folded
from mnist_edge.lab.training.models import ZOO, Network, build
from mnist_edge.lab.training.recipe import Pretrained, Recipe
from mnist_edge.lab.training.recipes import RecipeRequest
from mnist_edge.model_file import golden
from mnist_edge.model_file.reader import ModelFile


@dataclass(frozen=True, slots=True)
class PretrainedModel:
    """A trained network: `weights` are its state, without a temperature; `source` is as a person
    named it, `origin` as a recipe keeps it; `dataset` is what it was trained on, with the way to a
    folder where that is known."""

    source: Path
    origin: Pretrained
    dataset: str
    model: str
    shortcut: str | None
    classes: tuple[str, ...]
    shape: ImageShape
    fit: Fit
    weights: dict[str, Tensor] = field(repr=False)


@dataclass(frozen=True, slots=True)
class InitialWeights:
    """The state of a network for the classes of a data set; `kept` are those whose weights in the
    last layer are the pretrained ones."""

    kept: tuple[str, ...]
    state: dict[str, Tensor] = field(repr=False)


def open_pretrained(source: Path) -> PretrainedModel:
    """A run's folder, or an fp32 file as `mnist-edge export` writes it.

    CheckpointError for a folder without a run; ModelError for a file of another tool, in int8, or
    of a network that is not known here.
    """
    return _open_file(source) if source.suffix == ".onnx" else _open_run(source)


def _open_run(run: Path) -> PretrainedModel:
    checkpoint = load_checkpoint(run)
    recipe = checkpoint.recipe
    name = run.resolve().name
    origin = Pretrained(name, sha256(run / CHECKPOINT), public_name(recipe.dataset))
    return PretrainedModel(
        source=run,
        origin=origin,
        dataset=recipe.dataset,
        model=recipe.model,
        shortcut=recipe.shortcut,
        classes=checkpoint.classes,
        shape=checkpoint.shape,
        fit=checkpoint.fit,
        weights=checkpoint.average,
    )


def _open_file(path: Path) -> PretrainedModel:
    try:
        file = ModelFile.read(path)
        classifier = Classifier(file)
    except ModelError as error:
        raise ModelError(
            f"{error}. Training starts from a run, or from an fp32 file of 'mnist-edge export'"
        ) from error
    card = classifier.card
    if card.precision != "fp32":
        raise ModelError(
            f"{path} is in {card.precision}, whose weights are rounded: name the fp32 file that it "
            "was made from"
        )
    shortcut = _shortcut(card.trained, card.model)
    try:
        network = build(card.model, len(card.classes), shortcut, card.shape)
        load_folded(network, _layers(file.content), card.temperature)
        _check_same(network, classifier)
    except EdgeError as error:
        raise ModelError(f"training cannot start from {path}: {error}") from error
    return PretrainedModel(
        source=path,
        origin=Pretrained(path.name, file.sha256, card.dataset),
        dataset=card.dataset,
        model=card.model,
        shortcut=shortcut,
        classes=card.classes,
        shape=card.shape,
        fit=card.fit,
        weights=network.state_dict(),
    )


def _shortcut(trained: dict[str, Any], model: str) -> str | None:
    recipe = trained.get("recipe")
    found = recipe.get("shortcut") if isinstance(recipe, dict) else None
    return found if model in ZOO and found in ZOO[model].shortcuts else None


def _layers(content: bytes) -> list[FoldedLayer]:
    """The convolutions and dense layers of a graph as `export` writes it, in their order."""
    graph = onnx.load_model_from_string(content).graph
    known = {one.name: one for one in graph.initializer}

    def tensor(name: str) -> Tensor:
        if name not in known:
            raise ModelError("its graph is not one of 'mnist-edge export'")
        return torch.tensor(numpy_helper.to_array(known[name]))

    nodes = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    if any(len(node.input) != 3 for node in nodes):
        raise ModelError("its graph is not one of 'mnist-edge export'")
    return [FoldedLayer(tensor(node.input[1]), tensor(node.input[2])) for node in nodes]


def _check_same(network: Network, classifier: Classifier) -> None:
    """ModelError where the network does not answer as its file does."""
    images = golden.inputs(classifier.shape)
    expected = classifier.logits(images) * np.float32(classifier.card.temperature)
    found = network.predict_logits(images)
    if not np.abs(found - expected).max() <= golden.ROUNDING * max(1, np.abs(expected).max()):
        raise ModelError("the network that it names does not answer as it does")


def fine_tuning_request(request: RecipeRequest, model: PretrainedModel) -> RecipeRequest:
    """What is asked of a recipe, for a pretrained network: its own model and, where none is asked
    for, its own data set.

    UsageError where another network is asked for; DataError where no data set is, and what it was
    trained on is a folder that may be anywhere.
    """
    own = {"model": model.model, "shortcut": model.shortcut}
    for name, value in own.items():
        if request.fields.get(name, value) != value:
            raise UsageError(
                f"{model.source} holds the network '{model.model}': leave --{name} away, or --from"
            )
    has_way = all(path.is_absolute() for path in folders_of(model.dataset))
    if "dataset" not in request.fields and not has_way:
        raise DataError(
            f"{model.source} was trained on {model.dataset}: say on which images to train, "
            f"--dataset {with_unknown_paths(model.dataset)}"
        )
    fields = {"dataset": model.dataset} | own | dict(request.fields)
    return replace(
        request, fields=fields, pretrained=model.origin, pretrained_classes=model.classes
    )


def choose_options(model: PretrainedModel, asked: ImageOptions, dataset: str) -> ImageOptions:
    """With which options a data set is loaded: the network's own shape and fit. No digit is looked
    for on pictures of a folder whose classes are others than the network's digits.

    CheckpointError where another shape is asked for, or is that of a published set.
    """
    for name in parts_of(dataset):
        if name in DATASETS and not DATASETS[name].shape.can_become(model.shape):
            raise _misfit(model, name, DATASETS[name].shape)
    if asked.apply(model.shape) != model.shape:
        raise CheckpointError(
            f"{model.source} takes images of {model.shape}, not {asked.apply(model.shape)}: leave "
            "--size and --color away, or --from"
        )
    fit, path = asked.fit or model.fit, folder_of(dataset)
    if fit is Fit.DIGIT and not asked.fit and path and path.is_dir():
        known = set(map(composed, model.classes))
        if any(composed(name) not in known for name in scan(path).classes):
            fit = Fit.PAD
    return ImageOptions.of(model.shape, fit)


def initial_weights(model: PretrainedModel, data: Dataset, recipe: Recipe) -> InitialWeights:
    """The weights that training on a data set starts from. CheckpointError for images of another
    shape."""
    if data.shape != model.shape:
        raise _misfit(model, data.name, data.shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = build(model.model, len(data.classes), model.shortcut, model.shape)
    state = network.state_dict()
    *_, (last, _) = (item for item in network.named_modules() if isinstance(item[1], nn.Linear))
    head = {f"{last}.weight", f"{last}.bias"}
    rows = _rows(data.classes, model.classes)
    for name, tensor in model.weights.items():
        if name not in head:
            state[name] = tensor
        elif rows:
            state[name][list(rows)] = tensor[list(rows.values())]
    kept = tuple(data.classes[row] for row in rows)
    return InitialWeights(kept, state)


def _misfit(model: PretrainedModel, dataset: str, shape: ImageShape) -> CheckpointError:
    return CheckpointError(
        f"{model.source} takes images of {model.shape}, those of {dataset} are {shape}: name a "
        "data set of its shape, or a folder, whose pictures are read in it"
    )


def _rows(classes: Sequence[str], known: Sequence[str]) -> dict[int, int]:
    """Where each class that is known stands in `known`, by its place in `classes`."""
    places = {composed(name): at for at, name in enumerate(known)}
    return {
        row: places[composed(name)] for row, name in enumerate(classes) if composed(name) in places
    }
