import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from mnist_edge import metrics
from mnist_edge.classifier import Classifier
from mnist_edge.datasets import Dataset, Split
from mnist_edge.errors import CheckpointError, EdgeError, GateError
from mnist_edge.lab.export import graph
from mnist_edge.lab.export import pipeline as lab
from mnist_edge.lab.export.graph import to_onnx
from mnist_edge.lab.training.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from mnist_edge.lab.training.layer_summary import cost
from mnist_edge.lab.training.models import ZOO, Network, build
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file.manifest import MANIFEST
from tests.conftest import make_card, write_tiny_model
from tests.helpers.exports import exported as export
from tests.helpers.exports import to_onnx_once, zoo_network
from tests.lab.conftest import make_run, settled

CASES = [(name, None) for name in ZOO] + [("resnet20", "projection")]


@dataclass(frozen=True)
class Made:
    network: Network
    model: onnx.ModelProto
    path: Path


def pixels(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28), np.uint8)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(filter(None, case)))
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Made]:
    """Each network of the zoo as ONNX: settled batch norms, a temperature, another class count."""
    name, shortcut = request.param
    network = zoo_network(name, shortcut)
    model = to_onnx_once(network)
    path = tmp_path_factory.mktemp(name) / "model.onnx"
    onnx.save(model, path)
    yield Made(network, model, path)
    path.unlink()


@pytest.mark.parametrize(("shape", "stays"), [([-1, 4], False), ([0, 4], True), (None, True)])
def test_allowzero_stays_only_where_it_can_mean_something(
    shape: list[int] | None, stays: bool
) -> None:
    """With a zero in the shape, or a shape that nobody knows before the graph runs."""
    known = [] if shape is None else [numpy_helper.from_array(np.array(shape), "shape")]
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 4])]
    nodes = [helper.make_node("Reshape", ["image", "shape"], ["logits"], allowzero=1)]
    if shape is None:
        nodes.insert(0, helper.make_node("Shape", ["image"], ["shape"]))
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)]
    model = helper.make_model(
        helper.make_graph(nodes, "views", inputs, outputs, known),
        opset_imports=[helper.make_opsetid("", 14)],
    )
    graph.slim(model)
    assert bool(model.graph.node[-1].attribute) == stays


def run(path: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    answer: NDArray[np.float32] = session.run(["logits"], {"image": images})[0]
    return answer


class TestEveryFileOfTheZoo:
    def test_passes_the_strict_checker(self, made: Made) -> None:
        onnx.checker.check_model(made.path, full_check=True)

    def test_opset_is_the_lowest(self, made: Made) -> None:
        (opset,) = made.model.opset_import
        assert opset.domain == ""
        since = [
            onnx.defs.get_schema(node.op_type, graph.OPSET).since_version
            for node in made.model.graph.node
        ]
        # Every operator means the same there, and one of them would not an opset earlier.
        assert opset.version == max(since)
        assert {node.domain for node in made.model.graph.node} == {""}
        assert opset.version <= 18

    def test_ir_version_is_one_that_old_runtimes_read(self, made: Made) -> None:
        assert made.model.ir_version <= 8
        assert not made.model.functions

    def test_no_attribute_stops_an_old_runtime(self, made: Made) -> None:
        """ONNX Runtime up to 1.10 refuses to run a Reshape that states allowzero (#10664)."""
        stated = {item.name for node in made.model.graph.node for item in node.attribute}
        assert "allowzero" not in stated

    def test_weights_lie_inside_the_one_file(self, made: Made) -> None:
        assert [path.name for path in made.path.parent.iterdir()] == ["model.onnx"]
        for tensor in made.model.graph.initializer:
            assert tensor.data_location == TensorProto.DEFAULT
            assert not tensor.external_data

    def test_has_no_weights_that_nobody_reads(self, made: Made) -> None:
        graph = made.model.graph
        read = {name for node in graph.node for name in node.input}
        assert {tensor.name for tensor in graph.initializer} <= read

    def test_size_is_that_of_the_weights(self, made: Made) -> None:
        weights = 4 * cost(made.network).params
        assert made.path.stat().st_size < 1.02 * weights + 20_000

    def test_norms_scale_and_temperature_are_folded(self, made: Made) -> None:
        operators = [node.op_type for node in made.model.graph.node]
        assert not {"BatchNormalization", "Div", "Mul", "Sub"} & set(operators)

    def test_first_node_that_computes_is_a_convolution(self, made: Made) -> None:
        operators = [node.op_type for node in made.model.graph.node]
        before = operators[: operators.index("Conv")]
        assert set(before) <= {"Cast", "Unsqueeze", "Reshape"}

    def test_input_and_output_are_those_of_the_contract(self, made: Made) -> None:
        session = ort.InferenceSession(made.path, providers=["CPUExecutionProvider"])
        (image,), (logits,) = session.get_inputs(), session.get_outputs()
        assert (image.name, image.type) == ("image", "tensor(uint8)")
        assert image.shape[1:] == [28, 28]
        assert (logits.name, logits.type) == ("logits", "tensor(float)")
        assert logits.shape[1:] == [7]
        assert isinstance(image.shape[0], str)
        assert logits.shape[0] == image.shape[0]

    @pytest.mark.parametrize("count", [1, 7])
    def test_logits_equal_pytorchs(self, made: Made, count: int) -> None:
        images = pixels(count, seed=count)
        expected = made.network.predict_logits(images)
        limit = 1e-4 * max(1, np.abs(expected).max())
        np.testing.assert_allclose(run(made.path, images), expected, atol=limit)

    def test_holds_no_trace_of_where_it_was_made(self, made: Made) -> None:
        text = str(made.model.graph.node) + str(made.model.metadata_props) + made.model.doc_string
        assert "/" not in text.replace("com/", "")
        assert str(Path.home()).encode() not in made.path.read_bytes()


def test_another_implementation_computes_the_same() -> None:
    network = settled(build("edge-xs"))
    images = pixels(5)
    reference: Any = ReferenceEvaluator(to_onnx(network))
    (logits,) = reference.run(None, {"image": images})
    np.testing.assert_allclose(logits, network.predict_logits(images), atol=1e-4)


def test_temperature_is_folded_into_the_last_layer(tmp_path: Path) -> None:
    network, images = settled(build("edge-xs")), pixels(5)
    plain = network.predict_logits(images)
    network.temperature.fill_(3.0)
    onnx.save(to_onnx(network), tmp_path / "hot.onnx")
    np.testing.assert_allclose(run(tmp_path / "hot.onnx", images), plain / 3, atol=1e-5)


def test_the_scale_is_folded_into_both_convolutions_that_read_the_image() -> None:
    network = settled(build("resnet3"))
    block: Any = network.body[0]  # type: ignore[index]
    readers = [block.convolutions[0][0], block.shortcut[0]]
    before = [reader.weight.clone() for reader in readers]
    folded: Any = graph._fold(network).body
    after = [folded[0].convolutions[0][0].weight, folded[0].shortcut[0].weight]
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one / 255, other)
    for reader, one in zip(readers, before, strict=True):
        torch.testing.assert_close(reader.weight, one)  # the original is left alone


def test_what_is_not_folded_is_refused() -> None:
    network = build("edge-xs").eval()
    network.body.insert(0, torch.nn.BatchNorm2d(1))  # type: ignore[operator]
    with pytest.raises(EdgeError, match="left BatchNormalization in the graph"):
        to_onnx(network.eval())


# From a run to a file: the gate, the card, the manifest, and what lies in the way.


@pytest.fixture(autouse=True)
def remember(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "to_onnx", to_onnx_once)


@pytest.fixture(scope="module")
def made_run(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "edge-xs", digits)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def perturbed(to_onnx: Any, change: float) -> Any:
    def broken(network: Network) -> onnx.ModelProto:
        model: onnx.ModelProto = to_onnx(network)
        weights = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
        values = numpy_helper.to_array(weights).copy()
        values.flat[values.size // 2] += change
        weights.CopyFrom(numpy_helper.from_array(values, weights.name))
        return model

    return broken


def test_trained_run_becomes_a_file_that_computes_the_same(
    trained: Path, digits: Dataset, tmp_path: Path
) -> None:
    exported = export(trained, tmp_path / "out", digits)
    assert exported.path == tmp_path / "out" / "edge-xs.onnx"
    assert sorted(contents(tmp_path / "out")) == ["edge-xs.md", "edge-xs.onnx", MANIFEST]
    model, original = Classifier(exported.path), load_checkpoint(trained).trained_network()
    expected = original.predict_logits(digits.test.images) / exported.card.temperature
    np.testing.assert_allclose(model.logits(digits.test.images), expected, atol=1e-3, rtol=1e-4)
    assert exported.candidate.gate.verification.agreement.changed == 0
    assert exported.candidate.gate.verification.max_logit_difference < 1e-4 * np.abs(expected).max()
    assert exported.replaced is None


def test_card_says_everything_and_the_truth(trained: Path, digits: Dataset, tmp_path: Path) -> None:
    exported = export(trained, tmp_path, digits)
    card, saved = Classifier(exported.path).card, load_checkpoint(trained)
    assert saved.result is not None
    measured = Accuracy(saved.result["correct"], saved.result["total"])
    right = Classifier(exported.path).predict(digits.test.images).labels == digits.test.labels
    assert card.model == "edge-xs"
    assert card.classes == digits.classes
    assert (card.dataset, card.precision) == ("digits", "fp32")
    assert (card.params, card.macs) == (cost(build("edge-xs")).params, cost(build("edge-xs")).macs)
    assert card.accuracy == Accuracy(int(right.sum()), len(digits.test)) == measured
    answers = Classifier(exported.path).predict(digits.test.images).labels
    counts = metrics.confusion(answers, digits.test.labels, 10)
    assert card.confusion == tuple(map(tuple, counts.tolist()))
    assert card.licence == "MIT"
    assert card.original_accuracy == measured
    assert card.trained["recipe"] == saved.recipe.as_dict()
    assert card.trained["seed"] == saved.recipe.seed
    assert card.trained["torch"] == str(torch.__version__)
    assert card.trained["device"].startswith("cpu")
    assert card.source_sha256 == hashlib.sha256((trained / CHECKPOINT).read_bytes()).hexdigest()
    assert card == exported.card


def test_a_file_passes_the_check_of_its_own_golden_answers(
    trained: Path, digits: Dataset, tmp_path: Path
) -> None:
    found = Classifier(export(trained, tmp_path, digits).path).check()
    assert found is not None
    assert (found.images, found.changed, found.max_logit_difference) == (8, 0, 0)


def test_metadata_is_complete_and_readable_without_us(
    trained: Path, digits: Dataset, tmp_path: Path
) -> None:
    model = onnx.load(export(trained, tmp_path, digits).path)
    values = {entry.key: entry.value for entry in model.metadata_props}
    names = "version model classes dataset precision params macs accuracy original_accuracy"
    names += " temperature trained source_sha256 golden threshold confusion licence"
    assert set(values) == {f"mnist_edge.{name}" for name in names.split()}
    assert json.loads(values["mnist_edge.classes"]) == list("0123456789")
    accuracy = json.loads(values["mnist_edge.accuracy"])
    assert accuracy["value"] == accuracy["correct"] / accuracy["total"]
    assert accuracy["split"] == "test"


def test_temperature_is_fitted_on_validation_images_alone(
    trained: Path, digits: Dataset, tmp_path: Path
) -> None:
    validation = digits.validation
    logits = load_checkpoint(trained).trained_network().predict_logits(validation.images)
    card = export(trained, tmp_path / "a", digits).card
    assert card.temperature == pytest.approx(metrics.fit_temperature(logits, validation.labels))
    shuffled = Split(digits.test.images, np.roll(digits.test.labels, 1))
    other = export(trained, tmp_path / "b", replace(digits, test=shuffled), force=True).card
    assert other.temperature == card.temperature


def test_threshold_is_fitted_on_the_files_answers_to_validation_images_alone(
    trained: Path, digits: Dataset, tmp_path: Path
) -> None:
    validation = digits.validation
    exported = export(trained, tmp_path / "a", digits)
    logits = Classifier(exported.path).logits(validation.images)
    assert exported.card.threshold == metrics.fit_threshold(logits, validation.labels)
    shuffled = Split(digits.test.images, np.roll(digits.test.labels, 1))
    other = export(trained, tmp_path / "b", replace(digits, test=shuffled), force=True).card
    assert other.threshold == exported.card.threshold


def test_manifest_matches_the_files(made_run: Path, digits: Dataset, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps({"files": {"other.onnx": {"bytes": 1}}}))
    exported = export(made_run, tmp_path, digits)
    files = json.loads((tmp_path / MANIFEST).read_text())["files"]
    assert list(files) == ["edge-xs.onnx", "other.onnx"]
    entry, content = files["edge-xs.onnx"], exported.path.read_bytes()
    assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert entry["bytes"] == len(content)
    assert entry["accuracy"]["correct"] == exported.card.accuracy.correct
    assert entry["accuracy"]["interval95"] == list(exported.card.accuracy.interval)
    assert exported.card.threshold
    assert entry["threshold"] == asdict(exported.card.threshold)
    against = entry["gate"].pop("against_original")
    assert entry["gate"] == {}
    assert against["changed"] == 0
    assert (
        against["max_logit_difference"] == exported.candidate.gate.verification.max_logit_difference
    )
    assert entry["source_sha256"] == exported.card.source_sha256
    assert files["other.onnx"] == {"bytes": 1}


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"files": null}', '{"files": [1]}'])
def test_an_unreadable_manifest_stops_before_anything_is_written(
    made_run: Path, digits: Dataset, tmp_path: Path, content: str
) -> None:
    (tmp_path / MANIFEST).write_text(content)
    before = contents(tmp_path)
    with pytest.raises(EdgeError, match=r"manifest.json cannot be read: repair or delete it"):
        export(made_run, tmp_path, digits)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("change", [0.5, float("nan"), float("inf")])
def test_a_file_that_differs_is_never_written(
    made_run: Path,
    digits: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: float,
) -> None:
    monkeypatch.setattr(lab, "to_onnx", perturbed(vars(lab)["to_onnx"], change))
    with pytest.raises(GateError, match=r"edge-xs.onnx does not compute .* \(limit .*\)$"):
        export(made_run, tmp_path / "out", digits, force=True)
    assert contents(tmp_path / "out") == {}


def test_a_file_that_differs_leaves_the_earlier_one(
    made_run: Path, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(made_run, tmp_path, digits)
    before = contents(tmp_path)
    monkeypatch.setattr(lab, "to_onnx", perturbed(vars(lab)["to_onnx"], 0.5))
    with pytest.raises(GateError):
        export(made_run, tmp_path, digits, force=True)
    assert contents(tmp_path) == before


def test_an_equal_file_is_replaced_and_said(
    made_run: Path, digits: Dataset, tmp_path: Path
) -> None:
    first = export(made_run, tmp_path, digits)
    second = export(made_run, tmp_path, digits)
    assert second.replaced == first.card.accuracy


def test_the_same_run_gives_the_same_bytes(
    made_run: Path, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(made_run, tmp_path / "a", digits)
    monkeypatch.setattr(lab, "to_onnx", to_onnx)  # not remembered
    export(made_run, tmp_path / "b", digits)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def in_the_way(folder: Path, **card: object) -> Path:
    values: dict[str, object] = {"model": "edge-xs", "dataset": "digits"}
    return write_tiny_model(folder / "edge-xs.onnx", make_card(**(values | card)))


def test_a_better_file_stays_without_force(made_run: Path, digits: Dataset, tmp_path: Path) -> None:
    in_the_way(tmp_path, accuracy=Accuracy(9999, 10000))
    before = contents(tmp_path)
    with pytest.raises(EdgeError, match=r"edge-xs.onnx is better \(99.99%\) than .* use --force"):
        export(made_run, tmp_path, digits)
    assert contents(tmp_path) == before
    assert export(made_run, tmp_path, digits, force=True).replaced == Accuracy(9999, 10000)


def test_an_unfinished_run_is_refused(made_run: Path, digits: Dataset, tmp_path: Path) -> None:
    saved = load_checkpoint(made_run)
    save_checkpoint(
        tmp_path / "run", replace(saved, result=None, recipe=replace(saved.recipe, epochs=5))
    )
    with pytest.raises(
        CheckpointError, match=r"stopped after epoch 1 of 5: finish it with .*--res"
    ):
        export(tmp_path / "run", tmp_path / "out", digits)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "mnist"}, "was trained on digits, not on mnist"),
        ({"classes": tuple("abcdefghij")}, "the classes or test images of digits are not those"),
    ],
)
def test_another_data_set_is_refused(
    made_run: Path, digits: Dataset, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        export(made_run, tmp_path, replace(digits, **change))
    fewer = replace(digits, test=digits.test[slice(0, 50)])
    with pytest.raises(CheckpointError, match="the classes or test images of digits"):
        export(made_run, tmp_path, fewer)
    assert contents(tmp_path) == {}


def test_a_folders_place_stays_at_home(digits: Dataset, tmp_path: Path) -> None:
    place = tmp_path / "secret" / "my signs"
    data = replace(digits, name="folder:my signs", source=str(place))
    run = make_run(tmp_path / "run", data, dataset=f"folder:{place}")
    exported = export(run, tmp_path / "out", data)
    assert exported.card.dataset == "folder:my signs"
    assert exported.card.trained["recipe"]["dataset"] == "folder:my signs"
    for content in contents(tmp_path / "out").values():
        assert b"secret" not in content
    assert (
        load_checkpoint(run).recipe.dataset == f"folder:{place}"
    )  # where an export finds it again


def test_another_folder_is_refused(digits: Dataset, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", digits, dataset="folder:/home/me/signs")
    with pytest.raises(CheckpointError, match="was trained on folder:signs, not on folder:marks"):
        export(run, tmp_path, replace(digits, name="folder:marks"))


def test_a_place_that_cannot_be_written_is_named(
    made_run: Path, digits: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeError, match=r"cannot write into .*file: "):
        export(made_run, tmp_path / "file", digits)
