import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mnist_edge.backends import OnnxRuntime, PyTorch, TorchCompile, answer, find_original
from mnist_edge.classifier import Classifier
from mnist_edge.datasets import digits
from mnist_edge.errors import ModelError
from mnist_edge.files import sha256
from tests.conftest import make_card
from tests.helpers.trained import Trained

pytestmark = pytest.mark.usefixtures("threads_as_before")


def test_the_original_is_the_run_whose_checkpoint_has_the_hash(
    made: Trained, tmp_path: Path
) -> None:
    for name, content in (("a", b"another run"), ("z", b"and one more")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "checkpoint.pt").write_bytes(content)
    shutil.copytree(made.run, tmp_path / "renamed")
    card = Classifier(made.file).card
    found = find_original(card, tmp_path)
    assert found is not None
    assert found.path == tmp_path / "renamed" / "checkpoint.pt"
    assert sha256(found.path) == card.source_sha256 == found.info.family
    assert (found.runtime, found.temperature) == ("pytorch", card.temperature)
    info = found.info
    assert (info.name, info.precision, info.dataset) == ("edge-xs", "fp32", "digits")
    assert (info.recorded, info.ours) == (card.original_accuracy, True)


def test_the_original_of_an_int8_file_is_that_of_its_fp32_file(made: Trained) -> None:
    checkpoint = sha256(made.run / "checkpoint.pt")
    card = make_card(precision="int8", original_sha256=checkpoint, calibration={})
    found = find_original(card, made.home / "runs")
    assert found is not None
    assert found.path == made.run / "checkpoint.pt"
    assert found.info.precision == "fp32"


def test_without_its_run_a_file_has_no_original(made: Trained, tmp_path: Path) -> None:
    assert find_original(Classifier(made.file).card, tmp_path / "runs") is None
    assert find_original(make_card(), made.home / "runs") is None


def test_a_run_that_was_trained_again_is_no_longer_the_original(
    made: Trained, tmp_path: Path
) -> None:
    shutil.copytree(made.run, tmp_path / "edge-xs")
    with (tmp_path / "edge-xs" / "checkpoint.pt").open("ab") as file:
        file.write(b"\0")
    assert find_original(Classifier(made.file).card, tmp_path) is None


@pytest.mark.parametrize("threads", [1, 2])
def test_the_original_runs_on_the_threads_that_were_asked_for(
    original: PyTorch, threads: int
) -> None:
    original.load(threads)
    assert torch.get_num_threads() == threads


def test_the_temperature_of_the_file_is_applied(original: PyTorch) -> None:
    images = digits.load().test.images[:3]
    hotter = PyTorch(original.path, original.info, 2 * original.temperature)
    expected, found = answer(original.load(1), images), answer(hotter.load(1), images)
    np.testing.assert_allclose(found, expected / 2, rtol=1e-5)


def test_each_batch_size_is_compiled_once_and_by_itself(original: PyTorch) -> None:
    compiled: list[tuple[int, ...]] = []

    def counting(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> torch.fx.GraphModule:
        compiled.extend(tuple(x.shape) for x in inputs if x.dtype == torch.uint8)
        return graph

    torch._dynamo.register_backend(counting, "mnist_edge_counting")
    contender = TorchCompile(
        original.path, original.info, original.temperature, backend="mnist_edge_counting"
    )
    sizes = (1, 2, 3, 4)
    # PyTorch compiles one function for so many shapes, and then leaves it eager.
    with torch._dynamo.config.patch(recompile_limit=2):
        runners = [contender.load(1), contender.load(1)]
        for size in (*sizes, *sizes):
            answer(runners[0], np.zeros((size, 28, 28), np.uint8))
    assert compiled == [(size, 28, 28) for size in (1, *sizes)]


def test_torch_compile_computes_what_the_file_computes(
    file: OnnxRuntime, original: PyTorch
) -> None:
    if reason := TorchCompile.unavailable_reason():
        pytest.skip(reason)
    runner = TorchCompile.of(original).load(1)
    for image in digits.load().test.images[:20, None]:
        expected = answer(file.load(1), image)
        np.testing.assert_allclose(answer(runner, image), expected, atol=1e-3)


def test_what_cannot_be_compiled_is_one_line(original: PyTorch) -> None:
    def refusing(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Any:
        raise RuntimeError("no compiler of mine\nand a long story")

    torch._dynamo.register_backend(refusing, "mnist_edge_refusing")
    contender = TorchCompile(
        original.path, original.info, original.temperature, backend="mnist_edge_refusing"
    )
    with pytest.raises(ModelError, match=r"fails on edge-xs: .*no compiler of mine") as caught:
        contender.load(1)
    assert "\n" not in str(caught.value)


def test_what_torch_compile_needs_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", sys.executable)  # stands in for a compiler
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    assert "no Python.h" in str(TorchCompile.unavailable_reason())
    (tmp_path / "Python.h").touch()
    assert TorchCompile.unavailable_reason() is None
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "needs a C++ compiler, and there is no no-such-comp" in str(
        TorchCompile.unavailable_reason()
    )
    monkeypatch.setitem(sys.modules, "torch", None)
    missing = "torch is not installed: pip install 'mnist-edge[train]'"
    assert PyTorch.unavailable_reason() == TorchCompile.unavailable_reason() == missing
