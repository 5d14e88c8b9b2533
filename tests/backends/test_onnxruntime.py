from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge.backends import ContenderKind, ModelInfo, OnnxRuntime, answer
from mnist_edge.backends.detect_input import detect_input_format
from mnist_edge.backends.input_format import read
from mnist_edge.classifier import Classifier
from mnist_edge.datasets import Split
from mnist_edge.errors import ModelError
from mnist_edge.files import sha256
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.model_file.session import open_session
from mnist_edge.types import Images
from tests.backends.conftest import SHIPPED
from tests.backends.foreign import examples, greys, write
from tests.conftest import make_card, write_tiny_model

Logits = NDArray[np.float32]


def test_a_file_keeps_what_its_card_says(tiny_model: Path) -> None:
    found = OnnxRuntime.open(tiny_model)
    card = make_card()
    assert (found.runtime, found.path) == ("onnxruntime", tiny_model)
    own = (card.source_sha256, "fp32", "digits", 10, card.accuracy)
    assert found.info == ModelInfo("tiny.onnx", "tiny", *own, ours=True, names=card.classes)


def test_an_int8_file_is_of_the_family_of_its_checkpoint(tmp_path: Path) -> None:
    card = make_card(precision="int8", original_sha256="1" * 64, calibration={})
    found = OnnxRuntime.open(write_tiny_model(tmp_path / "int8.onnx", card)).info
    assert (found.family, found.precision) == ("1" * 64, "int8")


def test_a_file_that_is_no_model_is_no_contender(tmp_path: Path) -> None:
    path = tmp_path / "foreign.onnx"
    path.write_text("nothing")
    with pytest.raises(ModelError, match=r"foreign\.onnx is not an ONNX file"):
        OnnxRuntime.open(path)


@pytest.mark.parametrize("optimize", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_answers_as_the_classifier_does(
    tiny_model: Path, random_split: Split, threads: int, optimize: bool
) -> None:
    runner = OnnxRuntime.open(tiny_model).load(threads, optimize)
    found = answer(runner, random_split.images)
    assert found.dtype == np.float32
    assert found.shape == (200, 10)
    expected = Classifier(tiny_model).logits(random_split.images)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(("shape", "images"), [(("N", 784), 3), ((1, 784), 1), ((8, 784), 8)])
def test_a_feed_is_what_the_bare_session_takes(
    tmp_path: Path, shape: tuple[int | str, ...], images: int
) -> None:
    path = write(tmp_path / "foreign.onnx", shape, output=(shape[0], 10))
    input_format = detect_input_format(path, read(path), examples)
    file = OnnxRuntime(ModelFile.read(path), ModelInfo.of_foreign(path, "mnist", 10), input_format)
    (found,) = open_session(path).run([input_format.output], file.feed(greys(3).images))
    assert found.shape == (images, 10)
    expected = answer(file.load(1), greys(3).images)
    np.testing.assert_array_equal(found[: min(3, images)], expected[:images])


def test_a_foreign_file_says_nothing_of_itself(tmp_path: Path) -> None:
    path = write(tmp_path / "other-net.onnx")
    found = ModelInfo.of_foreign(path, "kmnist", 10)
    expected = ModelInfo(
        "other-net.onnx", "other-net", sha256(path), "fp32", "kmnist", 10, None, ours=False
    )
    assert found == expected


def test_a_foreign_file_with_quantized_nodes_is_int8() -> None:
    assert ModelInfo.of_foreign(SHIPPED / "edge-xs-int8.onnx", "mnist", 10).precision == "int8"


@dataclass(frozen=True)
class Changed:
    """A file in ONNX Runtime whose answers are then changed."""

    path: Path
    info: ModelInfo
    change: Callable[[Logits], Logits]
    runtime: str = "another runtime"
    kind: ClassVar[ContenderKind] = ContenderKind.CONVERTED

    def load(self, threads: int) -> "Changed":
        return self

    def prepare(self, images: Images) -> Images:
        return images

    def run(self, prepared: Images) -> Logits:
        return self.change(Classifier(self.path).logits(prepared))


@pytest.mark.parametrize("change", [lambda y: y, lambda y: y * np.float32(1.0001)])
def test_a_runtime_that_computes_the_same_passes(
    tiny_model: Path, change: Callable[[Logits], Logits]
) -> None:
    file = OnnxRuntime.open(tiny_model)
    file.check(Changed(tiny_model, file.info, change))


@pytest.mark.parametrize(
    "change", [lambda y: y * 2, lambda y: y + 1, lambda y: y.repeat(2, 0), lambda y: y * np.nan]
)
def test_a_runtime_that_computes_something_else_is_refused(
    tiny_model: Path, change: Callable[[Logits], Logits]
) -> None:
    file = OnnxRuntime.open(tiny_model)
    with pytest.raises(ModelError, match="computes something else in another runtime"):
        file.check(Changed(tiny_model, file.info, change))
