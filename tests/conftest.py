"""What the tests share: tiny models made by hand, a little data, and the real CLI."""

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge.dataset_names import fit_of_version_1
from mnist_edge.datasets import DATA_DIR_VARIABLE, Dataset, Split, digits, load_if_here
from mnist_edge.image_shape import Fit, ImageShape
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file.contract import Card
from mnist_edge.preprocess import centre
from tests.crash.nursery import Nursery
from tests.helpers import shared
from tests.helpers.cli import move_package

if TYPE_CHECKING:
    from tests.helpers.trained import Trained

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

# A job that a script's shell starts in the background ignores Ctrl-C, and so would its children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Begun first, so that no core waits for one of them at the end: seconds, in few tests.
_LONGEST = (
    "tests/test_gpu_benchmark.py",
    "tests/cli/test_train.py",
    "tests/crash",
    "tests/test_stress.py",
    "tests/lab/export",
    "tests/cli",
    "tests/lab",
    "tests/test_packaging.py",
    "tests/test_readme.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(config.rootpath)
        ranks = (at for at, long in enumerate(_LONGEST) if path.is_relative_to(long))
        return next(ranks, len(_LONGEST))

    items.sort(key=rank)


@pytest.fixture(scope="session", autouse=True)
def _shared(tmp_path_factory: pytest.TempPathFactory) -> None:
    shared.begin(tmp_path_factory)


@pytest.fixture(scope="session", autouse=True)
def _digits_centred_once() -> Iterator[None]:
    """Nearly every command here loads the embedded digits, of which each has to be centred."""
    known: dict[bytes, NDArray[np.uint8]] = {}

    def centred(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
        key = digit.tobytes()
        if key not in known:
            known[key] = centre(digit)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digits, "centre", centred)
        yield


def without_coverage(call: Callable[..., Any]) -> Callable[..., Any]:
    """The same call, in which no line is counted."""

    @functools.wraps(call)
    def uncounted(*args: Any, **options: Any) -> Any:
        trace = sys.gettrace()
        sys.settrace(None)
        try:
            return call(*args, **options)
        finally:
            sys.settrace(trace)

    return uncounted


@pytest.fixture(scope="session", autouse=True)
def _exporter_without_coverage() -> Iterator[None]:
    """PyTorch's exporter is half again as slow under coverage, and what it calls of ours is run
    without it too."""
    if (torch := sys.modules.get("torch")) is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.onnx, "export", without_coverage(torch.onnx.export))
        yield


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `python -m mnist_edge ARGS…` for real, in an empty folder, and capture what it says."""

    def run(
        *args: object, cwd: Path = tmp_path, timeout_s: float = 300, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "mnist_edge", *map(str, args)],
            cwd=cwd,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    """Real MNIST; skips where it is not at hand. Nothing is downloaded."""
    found = load_if_here("mnist")
    if found is None:
        pytest.skip(f"MNIST is not here: name its folder in {DATA_DIR_VARIABLE}")
    return found


def make_card(**changes: object) -> Card:
    """A card with plausible values, for files made by hand."""
    values: dict[str, object] = {
        "model": "tiny",
        "classes": tuple("0123456789"),
        "dataset": "digits",
        "precision": "fp32",
        "params": 7850,
        "macs": 7840,
        "accuracy": Accuracy(90, 100),
        "original_accuracy": Accuracy(91, 100),
        "temperature": 1.0,
        "trained": {"seed": 0},
        "source_sha256": "0" * 64,
    }
    values |= changes
    fit = fit_of_version_1(str(values["dataset"]))
    return Card(**{"fit": fit, **values})  # type: ignore[arg-type]


def make_color_card(**changes: object) -> Card:
    """A card of a file that takes colour pictures, of things that are no digits."""
    shape = ImageShape(height=24, width=32, channels=3)
    values: dict[str, object] = {
        "classes": ("aeroplane", "cat", "ship"),
        "dataset": "folder:things",
        "params": 3 * shape.values + 3,
        "macs": 3 * shape.values,
        "shape": shape,
        "fit": Fit.PAD,
    }
    return make_card(**{**values, **changes})


def write_tiny_model(path: Path, card: Card | None = None, seed: int = 0) -> Path:
    """A linear classifier that honours the contract, written with onnx.helper, for images of the
    card's shape: 31 kB with 28×28 grey and ten classes."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    card = card or make_card()
    count = len(card.classes)
    shape = card.shape
    weights = np.random.default_rng(seed).normal(0, 1e-3, (shape.values, count)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", ["float", "shape"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *shape.dims])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", count])],
        [
            numpy_helper.from_array(np.array([-1, shape.values]), "shape"),
            numpy_helper.from_array(weights, "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)
    helper.set_model_props(model, card.to_metadata())
    onnx.save(model, path)
    return path


def write_golden_model(path: Path, off_by: float = 0.0, **card: object) -> Path:
    """A tiny model with its own golden answers, one of which is off by so much."""
    from mnist_edge.classifier import Classifier
    from mnist_edge.model_file import golden

    plain = make_card(**card)
    logits = Classifier(write_tiny_model(path, plain)).logits
    own = golden.compute(logits, plain.precision == "int8", plain.shape)
    rows = [list(row) for row in own.logits]
    rows[4][2] += off_by
    carried = replace(own, logits=tuple(map(tuple, rows)))
    return write_tiny_model(path, replace(plain, golden=carried))


@pytest.fixture
def tiny_model(tmp_path: Path) -> Path:
    """A file that honours the contract and answers nonsense."""
    return write_tiny_model(tmp_path / "tiny.onnx")


@pytest.fixture
def tiny_color_model(tmp_path: Path) -> Path:
    """A file that takes pictures of 32×24 pixels in RGB and answers nonsense."""
    return write_tiny_model(tmp_path / "things.onnx", make_color_card())


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The current folder, without exported models; the package has none either."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    move_package(monkeypatch, tmp_path)
    return folder


@pytest.fixture(scope="session")
def made() -> "Trained":
    """A network trained on the digits and exported, once for all tests."""
    from tests.helpers.trained import trained_home

    return trained_home()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """A process that forks commands: each by itself would import PyTorch for seconds."""
    with Nursery() as found:
        yield found


@pytest.fixture
def threads_as_before() -> Iterator[None]:
    """Give PyTorch its threads back: its contender states their number for the whole process."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def random_split() -> Split:
    """200 noisy images, labels in turn."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (200, 28, 28), np.uint8)
    return Split(images, np.arange(200, dtype=np.int64) % 10)
