"""An export from beginning to end, of images in colour that are not square: all that holds of MNIST
holds of them."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from onnx import load_model_from_string

from mnist_edge.classifier import Classifier, logits_function
from mnist_edge.datasets import Dataset, Split
from mnist_edge.errors import EdgeError
from mnist_edge.image_shape import Fit, ImageShape
from mnist_edge.lab.export import finetune as tuning
from mnist_edge.lab.export import pipeline
from mnist_edge.lab.export.candidate import Candidate
from mnist_edge.lab.export.finetune import Finetuning
from mnist_edge.lab.export.inputs import ExportInputs, open_fp32, open_original
from mnist_edge.lab.export.int8_plan import Int8Plan, calibration_images
from mnist_edge.lab.export.publish import publish
from mnist_edge.lab.export.qdq import Quantizer
from mnist_edge.lab.training.checkpoint import load_checkpoint
from mnist_edge.lab.training.layer_summary import cost
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.runs import finish, train
from mnist_edge.lab.training.training_inputs import TrainingInputs
from mnist_edge.model_file import golden
from mnist_edge.model_file.manifest import MANIFEST, read_manifest
from mnist_edge.model_file.saturation import LARGEST_PAIR
from mnist_edge.report import model_card
from tests.helpers.exports import to_onnx_once
from tests.lab.conftest import CPU
from tests.lab.export.test_finetune import compare, in_int8

SHAPE = ImageShape(32, 48, 3)


def colour_split(count: int, seed: int) -> Split:
    """Red, green and blue squares on noise: three classes."""
    random = np.random.default_rng(seed)
    images = random.integers(60, 180, (count, *SHAPE.dims)).astype(np.uint8)
    labels = np.arange(count, dtype=np.int64) % 3
    for image, label in zip(images, labels, strict=True):
        top, left = random.integers(0, SHAPE.height - 16), random.integers(0, SHAPE.width - 16)
        image[top : top + 16, left : left + 16, label] = 255
    return Split(images, labels)


@pytest.fixture(scope="module")
def squares() -> Dataset:
    return Dataset(
        name="folder:squares",
        classes=("red", "green", "blue"),
        train=colour_split(330, 0),
        test=colour_split(150, 2),
        source="here",
        fit=Fit.PAD,
    )


@pytest.fixture(scope="module")
def opened(squares: Dataset, tmp_path_factory: pytest.TempPathFactory) -> ExportInputs:
    run = tmp_path_factory.mktemp("runs") / "chain"
    recipe = Recipe("16k5s2v-16s2-24s2", squares.name, epochs=5, batch_size=32, lr=5e-3)
    for _ in train(TrainingInputs.of(recipe, squares), run, CPU):
        pass
    finish(run, load_checkpoint(run), squares.test)
    return ExportInputs(squares, open_original(run, load_checkpoint(run), squares))


@pytest.fixture(scope="module")
def candidates(opened: ExportInputs) -> tuple[Candidate, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "to_onnx", to_onnx_once)
        made = pipeline.export(opened, Int8Plan(images=64, max_drop=2))
    assert made.refused is None
    return made.candidates


def test_both_files_pass_their_gates(candidates: tuple[Candidate, ...]) -> None:
    fp32, int8 = candidates
    assert fp32.gate.verification.agreement.changed == 0
    assert fp32.card.accuracy.value > 0.8  # the squares are told apart
    assert int8.gate.portability is not None
    assert int8.gate.portability.widest_pair <= LARGEST_PAIR
    assert int8.gate.portability.alike


def test_files_say_their_shape_and_keep_their_golden_answers(
    candidates: tuple[Candidate, ...],
) -> None:
    for made in candidates:
        model = Classifier(made.file)
        assert (model.card.version, model.shape, model.card.fit) == (2, SHAPE, Fit.PAD)
        found = model.check()
        assert found is not None
        assert found.changed == 0
        assert (made.as_dict()["shape"], made.as_dict()["fit"]) == (asdict(SHAPE), "pad")


def test_golden_answers_of_int8_are_those_of_its_float_reference(
    candidates: tuple[Candidate, ...],
) -> None:
    """Elsewhere another kernel computes: the tolerance has room for it, in colour as in grey."""
    int8 = candidates[1]
    assert int8.card.golden is not None
    reference = logits_function(int8.file, optimize=False)
    assert golden.check(int8.card.golden, reference, SHAPE).changed == 0


def test_costs_are_those_of_the_shape(opened: ExportInputs) -> None:
    assert opened.original is not None
    network = opened.original.network
    of_mnist = build(opened.card.model, 3)
    assert opened.card.params == cost(network).params > cost(of_mnist).params
    assert opened.card.macs == cost(network).macs > cost(of_mnist).macs


def test_the_manifest_says_the_shape(candidates: tuple[Candidate, ...], tmp_path: Path) -> None:
    publish(candidates, tmp_path, model_card.render)
    for entry in read_manifest(tmp_path / MANIFEST).values():
        assert (entry["shape"], entry["fit"]) == (asdict(SHAPE), "pad")
    fp32 = tmp_path / candidates[0].name
    assert open_fp32(fp32).card == candidates[0].card
    metadata = {
        entry.key: entry.value for entry in load_model_from_string(fp32.read_bytes()).metadata_props
    }
    assert json.loads(metadata["mnist_edge.shape"]) == asdict(SHAPE)


def test_its_layers_can_be_diagnosed(
    opened: ExportInputs, candidates: tuple[Candidate, ...]
) -> None:
    inputs = ExportInputs(opened.data, None, candidates[0])
    plan = Int8Plan(images=64)
    found = pipeline.diagnose(inputs, plan, lambda what, done, total: None)
    names = Quantizer(candidates[0].model, calibration_images(opened.data, 64, 0)).layers()
    assert [layer.name for layer in found.layers] == names
    assert all(layer.output_db > 10 for layer in found.layers)


def test_it_can_be_fine_tuned(opened: ExportInputs) -> None:
    """One epoch, and what comes out is a network for the same images."""
    assert opened.original is not None
    few, recipe = opened.data.training[slice(0, 64)], opened.original.checkpoint.recipe
    tuned = tuning.finetune(opened.original.network, few, recipe, Finetuning(1, batch_size=32))
    assert tuned.shape == SHAPE
    before, after = (
        network.predict_logits(few.images) for network in (opened.original.network, tuned)
    )
    assert not np.array_equal(before, after)
    assert (before.argmax(axis=1) == after.argmax(axis=1)).mean() > 0.8


def test_the_simulation_is_what_the_file_computes(
    opened: ExportInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "_RANGE_DECAY", 1.0)
    assert opened.original is not None
    compare(in_int8(opened.original.network, opened.data), opened.data.test.images, tmp_path)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 0, 0), (10, 20, 30)])
def test_images_of_one_colour_calibrate_nothing(
    candidates: tuple[Candidate, ...], colour: tuple[int, int, int]
) -> None:
    images = np.broadcast_to(np.array(colour, np.uint8), (4, *SHAPE.dims))
    with pytest.raises(EdgeError, match="all of one colour"):
        Quantizer(candidates[0].model, images)


def test_an_image_of_each_colour_calibrates(candidates: tuple[Candidate, ...]) -> None:
    images = np.zeros((2, *SHAPE.dims), np.uint8)
    images[1] = (255, 0, 0)
    Quantizer(candidates[0].model, images).quantize()
