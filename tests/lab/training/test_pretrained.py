"""Fine-tuning starts as what it starts from: out of files and runs, on the same and new classes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from mnist_edge.classifier import Classifier
from mnist_edge.datasets import Dataset, Split
from mnist_edge.errors import CheckpointError, DataError, EdgeError, ModelError
from mnist_edge.files import sha256
from mnist_edge.image_shape import Fit, ImageOptions, ImageShape
from mnist_edge.lab.training.checkpoint import CHECKPOINT, load_checkpoint
from mnist_edge.lab.training.folded_weights import calibrate_norms
from mnist_edge.lab.training.models import ZOO, Network, build
from mnist_edge.lab.training.pretrained import (
    PretrainedModel,
    choose_options,
    fine_tuning_request,
    initial_weights,
    open_pretrained,
)
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.recipes import RecipeRequest, recipe_for
from mnist_edge.lab.training.runs import complete, plan_run, prepare_run, train
from mnist_edge.lab.training.trainer import Trainer
from mnist_edge.model_file import model_paths
from tests.conftest import make_card, write_tiny_model
from tests.helpers.cli import write_folder
from tests.helpers.exports import to_onnx_once, zoo_network
from tests.lab.conftest import CPU, make_run, settled

SEVEN = tuple("abcdefg")
NAMES = {"digits": ("3", "8"), "leaves": ("3", "oak")}
COLOR = ImageShape(32, 48, 3)
CASES = [(name, None) for name in ZOO] + [("resnet20", "projection")]


def write_model(path: Path, network: Network, **card: Any) -> Path:
    model = to_onnx_once(network)
    shown = make_card(
        **{
            "classes": SEVEN,
            "shape": network.shape,
            "temperature": float(network.temperature),
            **card,
        }
    )
    del model.metadata_props[:]
    helper.set_model_props(model, shown.to_metadata())
    onnx.save(model, path)
    return path


def asked_of(source: PretrainedModel, **fields: object) -> RecipeRequest:
    return fine_tuning_request(RecipeRequest(fields), source)


def started(model: PretrainedModel) -> Network:
    """The network on the classes of the file itself."""
    network = build(model.model, len(model.classes), model.shortcut, model.shape)
    network.load_state_dict(model.weights)
    return network.eval()


def images(shape: ImageShape, count: int = 20) -> Any:
    return np.random.default_rng(0).integers(0, 256, (count, *shape.dims), np.uint8)


def assert_same(network: Network, path: Path) -> None:
    """Its logits are the file's own, without their temperature."""
    classifier = Classifier(path)
    seen = images(classifier.shape)
    expected = classifier.logits(seen) * np.float32(classifier.card.temperature)
    difference = np.abs(network.predict_logits(seen) - expected).max()
    assert difference < 1e-5 * max(1, np.abs(expected).max())


@pytest.mark.parametrize(("name", "shortcut"), CASES)
def test_a_network_of_the_zoo_starts_as_its_file(
    tmp_path: Path, name: str, shortcut: str | None
) -> None:
    trained = {"recipe": {"shortcut": shortcut}}
    path = write_model(
        tmp_path / "a.onnx", zoo_network(name, shortcut), model=name, trained=trained
    )
    model = open_pretrained(path)
    assert (model.model, model.classes, model.shape) == (name, SEVEN, ImageShape())
    assert model.origin.sha256 == sha256(path)
    assert_same(started(model), path)


def test_a_chain_of_colour_starts_as_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    name = "8k5s2-8-16s2-flat"
    network = build(name, 7, shape=COLOR)
    for _ in range(3):
        network.train()(torch.from_numpy(images(COLOR)))
    network.eval().temperature.fill_(0.6)
    path = write_model(tmp_path / "a.onnx", network, model=name, fit=Fit.PAD)
    assert_same(started(open_pretrained(path)), path)


@pytest.mark.parametrize("name", ["edge", "edge-xs"])
def test_a_shipped_file_starts_as_it_is(name: str) -> None:
    path = model_paths.find(name)
    assert_same(started(open_pretrained(path)), path)


@pytest.mark.parametrize("name", ["edge-xs", "resnet8"])
def test_batch_norms_learn_the_images_and_nothing_is_answered_otherwise(name: str) -> None:
    network = settled(build(name, 7))
    seen = images(network.shape, 100)
    before = network.predict_logits(seen)
    calibrate_norms(network, torch.from_numpy(seen))
    assert not network.training
    np.testing.assert_allclose(network.predict_logits(seen), before, atol=1e-4)
    with torch.no_grad():  # what a batch of these images is in training, is what it was before
        found = network.train()(torch.from_numpy(seen)).numpy()
    np.testing.assert_allclose(found, before, atol=1e-3)


@pytest.fixture(scope="module")
def few(digits: Dataset) -> Dataset:
    return Dataset("few", digits.classes, digits.train[slice(0, 300)], digits.test, "here")


def renamed(data: Dataset, classes: tuple[str, ...]) -> Dataset:
    return replace(data, classes=classes)


def test_a_run_starts_as_it_is_and_goes_on(few: Dataset, tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs" / "before", few, dataset="digits")
    model = open_pretrained(run)
    assert model.origin.name == "before"
    assert model.origin.sha256 == sha256(run / CHECKPOINT)
    recipe = asked_of(model, epochs=2).resolve()
    assert (recipe.model, recipe.dataset, recipe.pretrained) == ("edge-xs", "digits", model.origin)
    assert recipe.lr < recipe_for("edge-xs", "digits").lr
    assert Recipe.from_dict(recipe.as_dict()) == recipe
    after = tmp_path / "runs" / "after"
    tuned = prepare_run(plan_run(after, recipe, pretrained=model), few)
    begun = Trainer(tuned.inputs, CPU).average.predict_logits(few.test.images)
    before = load_checkpoint(run).trained_network().predict_logits(few.test.images)
    np.testing.assert_allclose(begun, before, atol=1e-4 * np.abs(before).max())
    results = list(complete(tuned, CPU))
    saved = load_checkpoint(after)
    assert saved.recipe.pretrained == model.origin
    # Interrupted after its first epoch, it comes to the same weights, and asks for no source.
    half = tmp_path / "half"
    first = next(train(tuned.inputs, half, CPU))
    assert first.loss == results[0].loss
    list(complete(prepare_run(plan_run(half, recipe, load_checkpoint(half)), few), CPU))
    torch.testing.assert_close(load_checkpoint(half).average, saved.average, atol=0, rtol=0)


def test_classes_keep_their_weights_by_name(few: Dataset, tmp_path: Path) -> None:
    model = open_pretrained(make_run(tmp_path / "run", few))
    order = ("9", "star", *"012345678")
    data = Dataset(
        "own",
        order,
        Split(few.train.images, (few.train.labels + 2) % 11),
        few.test,
        "here",
    )
    initial = initial_weights(model, data, Recipe("edge-xs", "own"))
    assert initial.kept == ("9", *"012345678")
    network = build("edge-xs", len(order))
    network.load_state_dict(initial.state)
    answers = network.predict_logits(few.test.images)
    before = started(model).predict_logits(few.test.images)
    np.testing.assert_allclose(
        answers[:, [*range(2, 11), 0]], before, atol=1e-4 * abs(before).max()
    )
    assert np.isfinite(answers).all()


def test_other_classes_get_a_last_layer_of_their_own(few: Dataset, tmp_path: Path) -> None:
    model = open_pretrained(make_run(tmp_path / "run", few))
    data = Dataset(
        "own", ("cat", "dog"), Split(few.train.images, few.train.labels % 2), few.test, ""
    )
    initial = initial_weights(model, data, Recipe("edge-xs", "own"))
    assert initial.kept == ()
    same = [name for name, one in initial.state.items() if one is model.weights.get(name)]
    assert len(same) == len(model.weights) - 2  # all but the last layer's weights and bias


def test_what_cannot_be_started_from(few: Dataset, tmp_path: Path) -> None:
    tiny = write_tiny_model(tmp_path / "tiny.onnx", make_card(model="edge-xs"))
    with pytest.raises(ModelError, match="cannot start from"):
        open_pretrained(tiny)
    with pytest.raises(ModelError, match="there is no model 'tiny'"):
        open_pretrained(write_tiny_model(tmp_path / "tiny.onnx"))
    with pytest.raises(ModelError, match=r"in int8.*the fp32 file"):
        open_pretrained(model_paths.find("edge-int8"))
    foreign = tmp_path / "foreign.onnx"
    model = onnx.load(tiny)
    del model.metadata_props[:]
    onnx.save(model, foreign)
    with pytest.raises(ModelError, match=r"is not a file of mnist-edge.*Training starts from"):
        open_pretrained(foreign)
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        open_pretrained(tmp_path / "nothing")
    # Weights of the right shapes that answer otherwise: a graph that is not what its card says.
    edge = onnx.load(model_paths.find("edge-xs"))
    for node in edge.graph.node:
        if node.op_type == "Relu" and node is not edge.graph.node[3]:
            node.op_type = "Sigmoid"
            break
    onnx.save(edge, foreign)
    with pytest.raises(ModelError, match="does not answer as it does"):
        open_pretrained(foreign)


def test_a_pretrained_network_stays_what_it_is(few: Dataset, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", few, dataset="digits")
    model = open_pretrained(run)
    for asked in ({"model": "edge"}, {"shortcut": "zero"}):
        with pytest.raises(EdgeError, match="holds the network 'edge-xs'"):
            asked_of(model, **asked)
    assert asked_of(model, model="edge-xs").model == "edge-xs"
    colour = Split(images(COLOR, 40), np.arange(40, dtype=np.int64) % 10)
    data = Dataset("colour", few.classes, colour, colour, "here")
    with pytest.raises(CheckpointError, match=r"28×28 grey.*48×32 colour"):
        initial_weights(model, data, Recipe("edge-xs", "own"))
    # Where a file's folder lies, nobody knows; a run's is known.
    elsewhere = replace(model, dataset="folder:signs")
    with pytest.raises(DataError, match="--dataset folder:PATH"):
        asked_of(elsewhere)
    here = replace(model, dataset="folder:/data/signs")
    assert asked_of(here).resolve().dataset == "folder:/data/signs"
    assert asked_of(elsewhere, dataset="digits").resolve().dataset == "digits"


def test_a_folder_is_read_as_the_network_learned(few: Dataset, tmp_path: Path) -> None:
    """But for things that are no digits: none is looked for on their pictures."""
    model = open_pretrained(make_run(tmp_path / "run", few, dataset="digits"))
    digits, leaves = (write_folder(tmp_path / name, *classes) for name, classes in NAMES.items())
    as_learned = ImageOptions.of(model.shape, Fit.DIGIT)
    none = ImageOptions()
    assert choose_options(model, none, "mnist") == as_learned
    assert choose_options(model, none, f"folder:{digits}") == as_learned
    assert choose_options(model, none, f"folder:{leaves}").fit is Fit.PAD
    asked = ImageOptions(fit=Fit.CROP)
    assert choose_options(model, asked, f"folder:{digits}").fit is Fit.CROP
    cropped = replace(model, fit=Fit.CROP)
    assert choose_options(cropped, none, f"folder:{leaves}").fit is Fit.CROP
    with pytest.raises(CheckpointError, match="28×28 grey, not 64×64 grey"):
        choose_options(model, ImageOptions((64, 64)), "mnist")
    with pytest.raises(CheckpointError, match=r"28×28 grey, those of cifar10 are 32×32 colour"):
        choose_options(model, none, "digits+cifar10")
    in_grey = replace(model, shape=ImageShape(32, 32), fit=Fit.PAD)
    assert choose_options(in_grey, none, "cifar10").color is False


def test_new_classes_learn_at_a_higher_rate(few: Dataset, tmp_path: Path) -> None:
    model = open_pretrained(make_run(tmp_path / "run", few, dataset="digits"))
    new = replace(few, classes=(*few.classes[:9], "star"))
    request = asked_of(model)
    low, high = request.for_data(few).lr, request.for_data(new).lr
    assert low < high < recipe_for("edge-xs", "digits").lr
    assert asked_of(model, lr=0.5).for_data(new).lr == 0.5
