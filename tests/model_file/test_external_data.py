"""Weights from a file beside the model."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from mnist_edge.classifier import Classifier
from mnist_edge.model_file import external_data, graph
from mnist_edge.model_file.onnx_schema import RefusedError
from mnist_edge.model_file.reader import ModelFile
from tests.conftest import write_tiny_model

IMAGE = np.full((2, 28, 28), 77, np.uint8)
MOST = 1 << 20


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A model, and its weights in `tiny.onnx.data`."""
    model = onnx.load(write_tiny_model(tmp_path / "whole.onnx"))
    path = tmp_path / "tiny.onnx"
    onnx.save(model, path, save_as_external_data=True, location="tiny.onnx.data", size_threshold=0)
    assert (tmp_path / "tiny.onnx.data").stat().st_size > 30_000
    return path


def test_a_model_and_its_data_become_one(pair: Path) -> None:
    content = pair.read_bytes()
    assert external_data.external_files(graph.read(content)) == {"tiny.onnx.data"}
    whole = external_data.inline(content, lambda name: (pair.parent / name).read_bytes(), MOST)
    model = ModelFile(pair, whole)
    assert external_data.external_files(model.graph) == frozenset()
    expected = Classifier(pair.with_name("whole.onnx")).logits(IMAGE)
    assert (Classifier(model).logits(IMAGE) == expected).all()
    wanted = onnx.load(pair).graph
    assert onnx.load_from_string(whole).graph.node == wanted.node


def test_a_whole_model_stays_as_it_is(pair: Path) -> None:
    content = pair.with_name("whole.onnx").read_bytes()
    same = external_data.inline(content, lambda name: b"", MOST)
    assert onnx.load_from_string(same) == onnx.load_from_string(content)


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../tiny.onnx.data", "a/b", "a\\b", "C:x", "..", "", "a\0b"]
)
def test_names_with_a_path_are_refused(location: str, pair: Path) -> None:
    model = onnx.load(pair, load_external_data=False)
    for entry in model.graph.initializer[1].external_data:
        if entry.key == "location":
            entry.value = location
    with pytest.raises(RefusedError, match="a file with a path, or without a name"):
        external_data.external_files(graph.read(model.SerializeToString()))


def test_the_mark_without_a_name_is_refused(pair: Path) -> None:
    model = onnx.load(pair.with_name("whole.onnx"))
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    with pytest.raises(RefusedError, match="without a name"):
        external_data.external_files(graph.read(model.SerializeToString()))


def test_data_that_are_cut_off_or_too_large_are_refused(pair: Path) -> None:
    content, data = pair.read_bytes(), pair.with_name("tiny.onnx.data").read_bytes()
    with pytest.raises(RefusedError, match=r"its weights are not all in tiny\.onnx\.data"):
        external_data.inline(content, lambda name: data[:-10], MOST)
    with pytest.raises(RefusedError, match="it is too large with its weights"):
        external_data.inline(content, lambda name: data, 20_000)
    for key, value in (("offset", "-4"), ("length", "9" * 30), ("offset", "x")):
        model = onnx.load(pair, load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                entry.value = value if entry.key == key else entry.value
        with pytest.raises(RefusedError, match=r"where its weights lie|are not all in"):
            external_data.inline(model.SerializeToString(), lambda name: data, MOST)
