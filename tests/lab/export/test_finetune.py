import copy
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from mnist_edge.datasets import Dataset, Outliers, Split
from mnist_edge.datasets.concatenated import join
from mnist_edge.errors import EdgeError
from mnist_edge.lab.export import finetune as lab
from mnist_edge.lab.export import pipeline
from mnist_edge.lab.export.finetune import Finetuning, finetune
from mnist_edge.lab.export.graph import to_onnx
from mnist_edge.lab.export.inputs import ExportInputs, open_original
from mnist_edge.lab.export.qdq import Quantizer
from mnist_edge.lab.training.augment import Augmentation
from mnist_edge.lab.training.checkpoint import load_checkpoint
from mnist_edge.lab.training.models import Network, build, channels_first
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.model_file.session import open_session
from tests.helpers.exports import to_onnx_once
from tests.lab.conftest import settled, solved

Floats = NDArray[np.float32]
STILL = Recipe(dataset="digits", augmentation=Augmentation(0, 0, 0, 0, 0))
TEMPERATURE = 1.3


@pytest.fixture
def original(chain: Network) -> Network:
    return warm(chain)


@pytest.fixture(scope="module", params=["chain", "residual"])
def each(request: pytest.FixtureRequest) -> Network:
    """A trained network: one that folds, and one with sums and shortcuts."""
    network: Network = request.getfixturevalue(request.param)
    return network


def warm(network: Network) -> Network:
    """A copy whose logits are to be divided by something."""
    network = copy.deepcopy(network)
    network.temperature.fill_(TEMPERATURE)
    return network


@pytest.fixture
def few(digits: Dataset) -> Split:
    return digits.train[slice(0, 256)]


def state(network: Network) -> dict[str, Tensor]:
    return copy.deepcopy(network.state_dict())


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def run(model: onnx.ModelProto, path: Path, images: NDArray[np.uint8]) -> Floats:
    onnx.save(model, path)
    answer: Floats = open_session(path).run(["logits"], {"image": images})[0]
    return answer


# Batch norms in the convolutions.


@pytest.mark.parametrize("name", ["edge", "edge-xs", "resnet3", "resnet18", "plain20"])
def test_fused_computes_the_same(name: str) -> None:
    torch.manual_seed(0)
    network = settled(build(name))
    before = state(network)
    fused = lab._fuse_batch_norms(network)
    images = np.random.default_rng(0).integers(0, 256, (7, 28, 28), np.uint8)
    expected = network.predict_logits(images)
    np.testing.assert_allclose(
        fused.predict_logits(images), expected, atol=1e-4 * np.abs(expected).max()
    )
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in fused.modules())
    assert same(state(network), before)


# The simulation is worth what it resembles: the file that comes out.


@dataclass(frozen=True)
class Int8:
    """A network as a file in int8, what it was calibrated on, and how it rounds."""

    network: Network
    seen: NDArray[np.uint8]
    ranges: list[tuple[float, float]]  # of what every layer gives, in order
    fp32: onnx.ModelProto
    model: onnx.ModelProto


@pytest.fixture(scope="module")
def int8(each: Network, digits: Dataset) -> Int8:
    return in_int8(each, digits)


def in_int8(network: Network, digits: Dataset) -> Int8:
    fp32 = to_onnx_once(network)
    seen = digits.train.images[:256]
    quantizer = Quantizer(fp32, seen)
    model = quantizer.quantize()
    ranges = [range_of(model, name) for name in quantizer.layers(("Conv", "Add"))]
    return Int8(network, seen, ranges, fp32, model)


def range_of(model: onnx.ModelProto, name: str) -> tuple[float, float]:
    """The lowest and the highest value that a layer's bytes can have."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    (node,) = (node for node in model.graph.node if node.name == name)
    while node.op_type != "QuantizeLinear":  # a ReLU may stand between
        (node,) = (reader for reader in model.graph.node if node.output[0] in reader.input)
    scale, zero = (values[constant].item() for constant in node.input[1:3])
    return -zero * scale, (255 - zero) * scale


def floats(images: NDArray[np.uint8]) -> Tensor:
    return channels_first(torch.from_numpy(images)).float() / 255


def roundings(body: nn.Module) -> list[lab._FakeQuantize]:
    return [layer for layer in body.modules() if isinstance(layer, lab._FakeQuantize)]


def test_the_simulation_is_what_the_file_computes(
    int8: Int8, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the file's ranges, what is left is the order of sums: all layers round alike.

    (With its own ranges, a thousandth off, the same rounding falls elsewhere: see below.)
    """
    monkeypatch.setattr(lab, "_RANGE_DECAY", 1.0)  # the ranges stay as they are set here
    compare(int8, digits.test.images, tmp_path)


@pytest.mark.parametrize("name", ["edge"])
def test_the_simulation_is_what_a_file_of_the_zoo_computes(
    name: str, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Untrained, but for its last layer: it takes seconds less."""
    monkeypatch.setattr(lab, "_RANGE_DECAY", 1.0)
    torch.manual_seed(0)
    network = solved(settled(build(name)), digits.train)
    compare(in_int8(network, digits), digits.test.images, tmp_path)


def compare(int8: Int8, images: NDArray[np.uint8], folder: Path) -> None:
    simulated = lab._simulate_int8(lab._fuse_batch_norms(int8.network).body)
    places = roundings(simulated)
    for place, (low, high) in zip(places, int8.ranges, strict=True):
        place.low, place.high = torch.tensor(low), torch.tensor(high)
    with torch.no_grad():
        found = simulated(floats(images)).numpy() / int8.network.temperature.item()
    file = run(int8.model, folder / "int8.onnx", images)
    fp32 = run(int8.fp32, folder / "fp32.onnx", images)
    assert np.abs(found - file).mean() < 0.2 * np.abs(fp32 - file).mean()
    np.testing.assert_array_equal(found.argmax(axis=1), file.argmax(axis=1))


def test_the_simulation_measures_the_ranges_that_calibration_does(int8: Int8) -> None:
    simulated = lab._simulate_int8(lab._fuse_batch_norms(int8.network).body)
    with torch.no_grad():
        simulated(floats(int8.seen))
    for place, (low, high) in zip(roundings(simulated), int8.ranges, strict=True):
        # Both to a step and what the layers before have rounded.
        tolerance = 0.05 * (high - low)
        assert place.low.item() == pytest.approx(low, abs=tolerance)
        assert place.high.item() == pytest.approx(high, abs=tolerance)


def test_ranges_follow_slowly_and_include_zero() -> None:
    place = lab._FakeQuantize()
    place(torch.tensor([1.0, 2.0]))
    assert (place.low.item(), place.high.item()) == (0, 2)
    place(torch.tensor([-1.0, 4.0]))
    assert place.low.item() == pytest.approx(-0.01)
    assert place.high.item() == pytest.approx(2.02)


def without_gradient(kind: str, original: Network) -> list[str]:
    fused = lab._fuse_batch_norms(original)
    simulated = lab._simulate_int8(fused.body)
    simulated(
        floats(np.arange(8 * 784, dtype=np.uint8).reshape(8, 28, 28))
    ).square().sum().backward()
    return [
        name
        for name, parameter in fused.named_parameters()
        if name.endswith(kind) and (parameter.grad is None or not parameter.grad.any())
    ]


def test_gradients_reach_every_weight(each: Network) -> None:
    assert without_gradient("weight", each) == []


def test_gradients_reach_every_bias(each: Network) -> None:
    assert without_gradient("bias", each) == []


# Fine-tuning.


@pytest.fixture(scope="module")
def tuned(chain: Network, digits: Dataset) -> Network:
    return tuned_from(chain, digits)


def tuned_from(network: Network, digits: Dataset) -> Network:
    plan = Finetuning(epochs=1, batch_size=32, seed=1)
    return finetune(warm(network), digits.train[slice(0, 256)], Recipe(), plan)


def test_the_same_seed_gives_the_same_weights(
    original: Network, few: Split, tuned: Network
) -> None:
    again = finetune(original, few, Recipe(), Finetuning(1, batch_size=32, seed=1))
    assert same(state(again), state(tuned))


def test_another_seed_gives_others(original: Network, few: Split, tuned: Network) -> None:
    other = finetune(original, few, Recipe(), Finetuning(1, batch_size=32, seed=2))
    assert not same(state(other), state(tuned))


def test_the_original_is_left_alone(original: Network, few: Split) -> None:
    before, was_training = state(original), original.training
    finetune(original, few, STILL, Finetuning(1, batch_size=64))
    assert same(state(original), before)
    assert original.training == was_training
    assert all(parameter.grad is None for parameter in original.parameters())


def test_the_temperature_stays(tuned: Network) -> None:
    assert tuned.temperature.item() == pytest.approx(TEMPERATURE)


def test_weights_move_and_answers_hardly_do(
    original: Network, tuned: Network, digits: Dataset
) -> None:
    """What is trained is the fused network, near the original: not another one."""
    before, after = lab._fuse_batch_norms(original).state_dict(), tuned.state_dict()
    assert before.keys() == after.keys()
    weights = [key for key in before if key.endswith("weight")]
    assert weights
    assert not any(torch.equal(before[key], after[key]) for key in weights)
    expected, found = (net.predict_logits(digits.test.images) for net in (original, tuned))
    assert (expected.argmax(axis=1) == found.argmax(axis=1)).mean() > 0.97


def test_what_is_tuned_loses_less_in_int8(int8: Int8, digits: Dataset, tmp_path: Path) -> None:
    """What it is for: the int8 file comes closer to the original's answers."""
    plan = Finetuning(epochs=3, batch_size=32, lr=3e-4)
    tuned = to_onnx(finetune(int8.network, digits.train, STILL, plan))
    after = Quantizer(tuned, int8.seen).quantize()
    images = digits.test.images
    wanted = softmax(int8.network.predict_logits(images))
    plain, better = (
        np.abs(softmax(run(model, tmp_path / "int8.onnx", images)) - wanted).mean()
        for model in (int8.model, after)
    )
    assert better < plain


def softmax(logits: Floats) -> Floats:
    return torch.from_numpy(logits).softmax(dim=1).numpy()


def test_it_becomes_a_file_all_in_int8(each: Network, digits: Dataset, tmp_path: Path) -> None:
    """None of the simulation is left in it."""
    fp32 = to_onnx(tuned_from(each, digits))
    kinds = [node.op_type for node in fp32.graph.node]
    assert not {"QuantizeLinear", "DequantizeLinear"} & set(kinds)
    onnx.save(Quantizer(fp32, digits.train.images[:64]).quantize(), tmp_path / "int8.onnx")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.optimized_model_filepath = str(tmp_path / "as_run.onnx")
    ort.InferenceSession(tmp_path / "int8.onnx", options, providers=["CPUExecutionProvider"])
    ran = [node.op_type for node in onnx.load(tmp_path / "as_run.onnx").graph.node]
    assert ran.count("QLinearConv") == kinds.count("Conv")
    assert ran.count("QLinearAdd") == kinds.count("Add")
    assert ran.count("QGemm") == 1
    assert not {"Conv", "FusedConv", "Gemm", "Add", "QuantizeLinear", "Cast"} & set(ran)


def test_a_watcher_is_told_every_step(original: Network, few: Split) -> None:
    told: list[tuple[int, int]] = []
    plan = Finetuning(epochs=2, batch_size=100)
    finetune(original, few, STILL, plan, lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_what_the_recipe_adds_is_tuned_on_too(original: Network, few: Split) -> None:
    told: list[tuple[int, int]] = []
    recipe = replace(STILL, synthetic_share=0.2, outlier_share=0.16)  # 256 images of 400
    plan = Finetuning(epochs=1, batch_size=100)
    finetune(original, few, recipe, plan, lambda *done: told.append(done))
    assert told[-1] == (4, 4)
    strange = few.images[:200]
    finetune(original, few, recipe, plan, lambda *done: told.append(done), outliers=strange)
    assert told[-1] == (6, 6)


def test_images_of_no_class_are_seen_once_in_an_epoch(
    original: Network, few: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    def step(self: lab._Tuner, images: Tensor, rate: float) -> None:
        seen.extend(image.numpy().tobytes() for image in images)

    monkeypatch.setattr(lab._Tuner, "step", step)
    strange = np.random.default_rng(3).integers(0, 256, (64, 28, 28), np.uint8)
    finetune(original, few, STILL, Finetuning(epochs=2, batch_size=64), outliers=strange)
    counts = Counter(seen)
    assert [counts[image.tobytes()] for image in strange] == [2] * 64
    assert len(seen) == 2 * (256 + 64)


def test_export_tunes_on_what_the_run_was_trained_on(
    trained: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images of no class too, and small parts as often as they came."""
    original = open_original(trained, load_checkpoint(trained), digits)
    recipe = replace(original.checkpoint.recipe, part_share=1.0)
    original = replace(original, checkpoint=replace(original.checkpoint, recipe=recipe))
    both = join([digits, replace(digits, name="few", train=digits.train[slice(0, 100)])])
    noise = np.zeros((9, 28, 28), np.uint8)
    data = replace(both, outliers=Outliers(noise[:5], noise[5:7], noise[7:]))
    given: list[tuple[int, int]] = []

    def tune(network: Network, training: Split, *rest: object, outliers: Floats) -> Network:
        given.append((len(training), len(outliers)))
        return network

    monkeypatch.setattr(pipeline, "finetune", tune)
    monkeypatch.setattr(pipeline, "to_onnx", lambda network: network)
    inputs = ExportInputs(data, original)
    pipeline.finetuned_graph(inputs, Finetuning(1), lambda what, done, total: None, 1)
    large, small = (len(part.training) for part in data.parts)
    assert given == [(large + small * -(-large // small), 5)]


def test_fewer_images_than_a_batch_are_one_batch(original: Network, digits: Dataset) -> None:
    told: list[tuple[int, int]] = []
    some = digits.train[slice(0, 10)]
    finetune(original, some, STILL, Finetuning(1), lambda *done: told.append(done))
    assert told == [(1, 1)]


@pytest.mark.parametrize("epochs", [0, -1])
def test_fewer_than_one_epoch_is_refused(epochs: int) -> None:
    with pytest.raises(EdgeError, match=f"{epochs} epochs of fine-tuning change nothing"):
        Finetuning(epochs=epochs)
