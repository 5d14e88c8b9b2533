import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_edge.benchmark import gather
from mnist_edge.classifier import Classifier
from mnist_edge.contenders import OnnxRuntime, PyTorch, original_of
from mnist_edge.datasets import Split, digits
from mnist_edge.errors import ModelError
from mnist_edge.files import sha256
from tests.conftest import make_card, write_tiny_model
from tests.trained import Trained

pytestmark = pytest.mark.usefixtures("threads_as_before")


def test_a_file_is_called_by_its_name_and_keeps_its_card(tiny_model: Path) -> None:
    found = OnnxRuntime.open(tiny_model)
    assert (found.name, found.runtime, found.path) == ("tiny.onnx", "onnxruntime", tiny_model)
    assert found.card == make_card()


def test_a_foreign_file_is_no_contender(tmp_path: Path) -> None:
    path = tmp_path / "foreign.onnx"
    path.write_text("nothing")
    with pytest.raises(ModelError, match=r"foreign\.onnx cannot be opened"):
        OnnxRuntime.open(path)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_answers_as_the_classifier_does(
    tiny_model: Path, random_split: Split, threads: int
) -> None:
    answer = OnnxRuntime.open(tiny_model).load(threads)
    np.testing.assert_allclose(
        answer(random_split.images), Classifier(tiny_model).logits(random_split.images), atol=1e-4
    )


def test_the_original_is_the_run_whose_checkpoint_has_the_hash(
    made: Trained, tmp_path: Path
) -> None:
    for name, content in (("a", b"another run"), ("z", b"and one more")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "checkpoint.pt").write_bytes(content)
    shutil.copytree(made.run, tmp_path / "renamed")
    file = OnnxRuntime.open(made.file)
    found = original_of(file, tmp_path)
    assert found is not None
    assert found.path == tmp_path / "renamed" / "checkpoint.pt"
    assert sha256(found.path) == file.card.source_sha256
    assert (found.name, found.runtime, found.card) == ("edge-xs", "pytorch", file.card)


def int8_of(made: Trained, path: Path) -> Path:
    """An int8 file of the trained network, as far as its card is concerned."""
    fp32 = OnnxRuntime.open(made.file).card
    card = replace(
        fp32,
        precision="int8",
        source_sha256=sha256(made.file),
        original_sha256=fp32.source_sha256,
        calibration={"method": "minmax"},
    )
    return write_tiny_model(path, card)


def test_the_original_of_an_int8_file_is_that_of_its_fp32_file(
    made: Trained, tmp_path: Path
) -> None:
    file = OnnxRuntime.open(int8_of(made, tmp_path / "int8.onnx"))
    found = original_of(file, made.home / "runs")
    assert found is not None
    assert found.path == made.run / "checkpoint.pt"
    assert sha256(found.path) == file.card.original_sha256 != file.card.source_sha256


def test_without_its_run_a_file_has_no_original(
    made: Trained, tiny_model: Path, tmp_path: Path
) -> None:
    assert original_of(OnnxRuntime.open(made.file), tmp_path / "runs") is None
    assert original_of(OnnxRuntime.open(tiny_model), made.home / "runs") is None


def test_a_run_that_was_trained_again_is_no_longer_the_original(
    made: Trained, tmp_path: Path
) -> None:
    shutil.copytree(made.run, tmp_path / "edge-xs")
    with (tmp_path / "edge-xs" / "checkpoint.pt").open("ab") as file:
        file.write(b"\0")
    assert original_of(OnnxRuntime.open(made.file), tmp_path) is None


def test_without_torch_a_file_has_no_original(
    made: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert original_of(OnnxRuntime.open(made.file), made.home / "runs") is None


@pytest.mark.parametrize("size", [1, 64])
def test_the_original_gives_the_logits_of_the_file(made: Trained, size: int) -> None:
    file = OnnxRuntime.open(made.file)
    original = original_of(file, made.home / "runs")
    assert original is not None
    images = digits.load().test.images[:size]
    expected, found = original.load(1)(images), file.load(1)(images)
    assert (expected.dtype, expected.shape) == (found.dtype, (size, 10))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_original_runs_on_the_threads_that_were_asked_for(made: Trained, threads: int) -> None:
    card = OnnxRuntime.open(made.file).card
    PyTorch(made.run / "checkpoint.pt", card).load(threads)
    assert torch.get_num_threads() == threads


def test_files_of_one_original_are_followed_by_it_and_it_comes_once(
    made: Trained, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(made.file, tmp_path / "copy.onnx"))
    tiny = write_tiny_model(tmp_path / "tiny.onnx")
    found = gather([tiny, made.file, copy], made.home / "runs")
    assert [contender.path for contender in found] == [
        tiny,
        made.file,
        copy,
        made.run / "checkpoint.pt",
    ]


@pytest.mark.parametrize("int8_first", [False, True])
def test_an_fp32_file_and_its_int8_file_share_one_original(
    made: Trained, tmp_path: Path, int8_first: bool
) -> None:
    files = [made.file, int8_of(made, tmp_path / "edge-xs-int8.onnx")]
    tiny = write_tiny_model(tmp_path / "tiny.onnx")
    files.sort(reverse=int8_first, key=lambda path: path.stem.endswith("int8"))
    found = gather([files[0], tiny, files[1]], made.home / "runs")
    assert [contender.path for contender in found] == [*files, made.run / "checkpoint.pt", tiny]
    assert [contender.runtime for contender in found].count("pytorch") == 1


def test_an_int8_file_alone_is_followed_by_its_original(made: Trained, tmp_path: Path) -> None:
    int8 = int8_of(made, tmp_path / "edge-xs-int8.onnx")
    found = gather([int8], made.home / "runs")
    assert [contender.path for contender in found] == [int8, made.run / "checkpoint.pt"]
