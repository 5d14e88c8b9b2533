import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnist_edge.backends import OnnxRuntime, answer
from mnist_edge.backends.ncnn import Ncnn
from mnist_edge.datasets import digits
from mnist_edge.errors import ModelError
from mnist_edge.model_file.reader import ModelFile
from tests.backends.conftest import SHIPPED
from tests.backends.foreign import write

pytestmark = pytest.mark.skipif(
    Ncnn.unavailable_reason() is not None, reason=str(Ncnn.unavailable_reason())
)


def test_what_was_converted_carries_all_that_it_needs(file: OnnxRuntime) -> None:
    found = Ncnn.of(file)
    assert found.graph.startswith("7767517\n")  # the format's own mark
    weights = file.path.stat().st_size
    assert 0.8 * weights < len(found.weights) < weights  # as fp32: fp16 would be half of it


def test_other_weights_give_other_answers(file: OnnxRuntime) -> None:
    found = Ncnn.of(file)
    images = digits.load().test.images[:3]
    values = np.frombuffer(found.weights, np.float32).copy()
    values[-10:] += 1  # the last biases
    changed = replace(found, weights=values.tobytes())
    expected = answer(found.load(1), images) + 1
    np.testing.assert_allclose(answer(changed.load(1), images), expected, atol=1e-4)


def test_a_file_that_pnnx_cannot_convert_is_told(tmp_path: Path) -> None:
    file = OnnxRuntime.open(SHIPPED / "edge-xs.onnx")
    model = ModelFile(tmp_path / "broken.onnx", b"nothing")
    with pytest.raises(ModelError, match=r"broken\.onnx cannot be converted for ncnn"):
        Ncnn.of(replace(file, model=model))


def test_a_graph_with_more_than_the_cast_at_its_beginning_is_told(tmp_path: Path) -> None:
    file = OnnxRuntime.open(SHIPPED / "edge-xs.onnx")
    path = write(tmp_path / "foreign.onnx", ("N", 28, 28), "float32")
    with pytest.raises(ModelError, match=r"foreign\.onnx"):
        Ncnn.of(replace(file, model=ModelFile.read(path)))


def test_layers_that_ncnn_lacks_are_told(file: OnnxRuntime) -> None:
    found = Ncnn.of(file)
    unknown = replace(found, graph=found.graph.replace("InnerProduct", "OuterProduct"))
    with pytest.raises(ModelError, match="cannot be opened by ncnn"):
        unknown.load(1)


@pytest.mark.parametrize("missing", ["ncnn", "pnnx"])
def test_without_either_half_it_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert str(Ncnn.unavailable_reason()).endswith("pip install 'mnist-edge[ncnn]'")
