"""A model file is read once: what was looked at is what runs."""

import pickle
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from mnist_edge.backends import OnnxRuntime, answer
from mnist_edge.benchmark import cold_start, kernels
from mnist_edge.benchmark.runner import _identity
from mnist_edge.classifier import Classifier
from mnist_edge.errors import ModelError
from mnist_edge.files import sha256
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.model_file.session import create_session, session_options
from tests.conftest import write_tiny_model

IMAGE = np.full((1, 28, 28), 90, np.uint8)


@pytest.fixture
def swapped(tmp_path: Path) -> ModelFile:
    """A file that another has taken the place of since it was read."""
    model = ModelFile.read(write_tiny_model(tmp_path / "tiny.onnx", seed=1))
    write_tiny_model(tmp_path / "tiny.onnx", seed=2)
    return model


@pytest.fixture
def expected(tmp_path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return Classifier(write_tiny_model(tmp_path / "own.onnx", seed=1)).logits(IMAGE)


def test_a_classifier_runs_what_was_read(
    swapped: ModelFile, expected: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> None:
    model = Classifier(swapped)
    assert (model.logits(IMAGE) == expected).all()
    assert (pickle.loads(pickle.dumps(model)).logits(IMAGE) == expected).all()
    assert (Classifier(swapped.path).logits(IMAGE) != expected).any()


def test_a_contender_runs_what_was_read(
    swapped: ModelFile, expected: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> None:
    swapped.path.unlink()  # nothing looks there again
    contender = OnnxRuntime.ours(swapped, Classifier(swapped).card)
    again = pickle.loads(pickle.dumps(contender))
    assert (answer(again.load(1), IMAGE) == expected).all()
    assert kernels.profile_kernels(swapped, contender.feed(IMAGE)).products == 1
    assert cold_start.start(contender, 1, IMAGE).first_answer_s > 0
    assert _identity(contender) == (len(swapped.content), swapped.sha256)


def test_its_hash_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.onnx")
    assert ModelFile.read(path).sha256 == sha256(path)


def test_another_format_is_not_opened_whatever_its_name(tmp_path: Path) -> None:
    """ONNX Runtime's own, which has not been looked through, begins with a mark by itself."""
    options = ort.SessionOptions()
    place = tmp_path / "tiny.ort"
    options.optimized_model_filepath = str(place)
    options.add_session_config_entry("session.save_model_format", "ORT")
    ort.InferenceSession(write_tiny_model(tmp_path / "tiny.onnx"), options)
    content = place.read_bytes()
    assert ort.InferenceSession(content).get_inputs()[0].name == "image"  # it is one
    for name in ("tiny.ort", "tiny.onnx"):
        with pytest.raises(ModelError, match="cannot be opened by ONNX Runtime"):
            create_session(ModelFile(tmp_path / name, content), session_options(1, optimize=True))
    with pytest.raises(ModelError, match="is not an ONNX file"):
        ModelFile.read(place)


def test_undecodable_metadata_are_one_line(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.onnx")
    content = path.read_bytes()
    for text in (b"mnist_edge.model", b'"digits"', b"MatMul", b"logits"):
        at = content.find(text)
        if at < 0:
            continue
        path.write_bytes(content[:at] + b"\xff" + content[at + 1 :])
        with pytest.raises(ModelError, match=r"a damaged one: a \w+ is not UTF-8$"):
            Classifier(path)
