"""What is refused before ONNX Runtime sees it, and that nothing else is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper

from mnist_edge.backends import input_format
from mnist_edge.classifier import Classifier
from mnist_edge.errors import ModelError
from mnist_edge.model_file import validate
from tests.conftest import write_tiny_model

EXPORTED = Path(__file__).parent.parent.parent / "exported"


IMAGES = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)


@pytest.fixture
def model(tmp_path: Path) -> onnx.ModelProto:
    return onnx.load(write_tiny_model(tmp_path / "tiny.onnx"))


def refusal(model: onnx.ModelProto) -> str:
    with pytest.raises(ModelError) as caught:
        validate.check(model.SerializeToString(), Path("a file.onnx"))
    said = str(caught.value)
    assert "\n" not in said
    return said


@pytest.mark.parametrize("path", sorted(EXPORTED.glob("*.onnx")), ids=lambda path: path.name)
def test_what_ships_passes(path: Path) -> None:
    validate.check(validate.read(path), path)


def test_weights_in_a_file_beside_it_are_read(model: onnx.ModelProto, tmp_path: Path) -> None:
    """As PyTorch's exporter writes them, from any current folder."""
    expected = Classifier(tmp_path / "tiny.onnx").logits(IMAGES)
    path = tmp_path / "pair" / "net.onnx"
    path.parent.mkdir()
    onnx.save(model, path, save_as_external_data=True, location="net.onnx.data", size_threshold=0)
    assert path.with_name("net.onnx.data").stat().st_size > 30_000
    np.testing.assert_array_equal(Classifier(path).logits(IMAGES), expected)


def test_weights_in_other_files_are_refused(model: onnx.ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "outside.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights", size_threshold=0)
    assert (tmp_path / "weights").stat().st_size > 30_000
    (tmp_path / "weights").rename(tmp_path / "elsewhere")
    for opened in (Classifier, input_format.read):
        with pytest.raises(ModelError, match=r"refused: its weights lie in weights, which is not"):
            opened(path)
    (tmp_path / "weights").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match=r"refused: its weights' file weights is a link"):
        Classifier(path)
    (tmp_path / "weights").unlink()
    (tmp_path / "weights").mkdir()
    with pytest.raises(ModelError, match=r"refused: its weights cannot be read"):
        Classifier(path)


@pytest.mark.parametrize("location", ["/etc/passwd", "../../../../etc/passwd", "a/../../b"])
def test_no_place_of_the_machine_is_read(model: onnx.ModelProto, location: str) -> None:
    weights = model.graph.initializer[0]
    entry = weights.external_data.add()
    entry.key, entry.value = "location", location
    assert "its weights lie in other files" in refusal(model)


def test_the_mark_alone_of_outside_weights_is_refused(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    assert "its weights lie in other files" in refusal(model)


def test_outside_weights_are_found_wherever_tensors_are(model: onnx.ModelProto) -> None:
    outside = TensorProto(name="t", dims=[1], data_type=TensorProto.FLOAT)
    outside.data_location = TensorProto.EXTERNAL
    attributes = [helper.make_attribute("value", outside)]
    for attribute in attributes:
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        changed.graph.node[0].attribute.append(attribute)
        assert "its weights lie in other files" in refusal(changed), attribute.name


def test_operators_of_strangers_are_refused_by_name(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "ai.example.private"
    assert refusal(model) == (
        "a file.onnx is refused: it needs operators of 'ai.example.private', "
        "which ONNX Runtime lacks"
    )


def test_a_strangers_name_is_shown_on_one_line(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "a\nb\x1b[31m" + "c" * 1000
    said = refusal(model)
    assert r"'a\nb\x1b[31mccc" in said
    assert len(said) < 250


def test_graphs_within_graphs_are_refused(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [])
    for op, name in (("If", "then_branch"), ("Loop", "body"), ("Scan", "body")):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        copy.graph.node.append(helper.make_node(op, ["c"], ["z"], **{name: inner}))
        assert "graphs within its graph (If, Loop, Scan)" in refusal(copy)


def test_functions_sparse_tensors_and_training_are_refused(model: onnx.ModelProto) -> None:
    def with_function(copy: onnx.ModelProto) -> None:
        copy.functions.add().name = "twice"

    def with_sparse(copy: onnx.ModelProto) -> None:
        copy.graph.sparse_initializer.add().dims.extend([1 << 40])

    def with_sparse_constant(copy: onnx.ModelProto) -> None:
        attribute = copy.graph.node[0].attribute.add()
        attribute.name, attribute.type = "sparse_value", AttributeProto.SPARSE_TENSOR
        attribute.sparse_tensor.dims.extend([1 << 40])

    def with_training(copy: onnx.ModelProto) -> None:
        copy.training_info.add()

    expected: list[tuple[Callable[[onnx.ModelProto], None], str]] = [
        (with_function, "it brings functions of its own"),
        (with_sparse, "sparse tensors"),
        (with_sparse_constant, "sparse tensors"),
        (with_training, "instructions for training"),
    ]
    for change, reason in expected:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        change(copy)
        assert reason in refusal(copy)


def test_more_parts_than_any_network_has_are_refused(model: onnx.ModelProto) -> None:
    model.graph.node.extend([onnx.NodeProto(op_type="Relu")] * 130_000)
    assert "more than 250,000 parts" in refusal(model)


def test_types_deep_in_each_other_are_refused(model: onnx.ModelProto) -> None:
    kind = model.graph.output[0].type
    for _ in range(20):
        kind = kind.sequence_type.elem_type
    kind.tensor_type.elem_type = 1
    assert "20 deep in each other" in refusal(model)


def test_large_files_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate((128 << 20) + 1)
    with pytest.raises(ModelError, match=r"large\.onnx is larger than 128 MB"):
        validate.read(path)


@pytest.mark.parametrize("content", [b"", b"\x08\x07", b"\x28\x01"])
def test_files_without_a_graph_are_no_onnx(content: bytes) -> None:
    with pytest.raises(ModelError, match="is not an ONNX file, or a damaged one"):
        validate.check(content, Path("a.onnx"))
