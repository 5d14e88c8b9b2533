"""Contenders made by hand, of which everything is known: each image has a number, and each call
takes the time that it is told to take."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge.backends import Contender, ContenderKind, ModelInfo, Runner
from mnist_edge.benchmark import cold_start, stopwatch, timing
from mnist_edge.benchmark.cold_start import ColdStart
from mnist_edge.benchmark.stopwatch import Protocol
from mnist_edge.classifier import Classifier
from mnist_edge.datasets import Dataset, Split
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file import golden
from mnist_edge.model_file.contract import Card
from mnist_edge.types import Images

CLASSES = tuple("0123456789")
Numbers = NDArray[np.int64]


def numbered(count: int) -> Images:
    """Images uint8 (count, 28, 28), all different: each holds its place in two pixels."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(count), 256)
    return images


def numbers(images: Images) -> Numbers:
    """The places of images that `numbered` made, int64 (N,)."""
    return images[:, 0, 0].astype(np.int64) * 256 + images[:, 0, 1]


def dataset(labels: NDArray[np.int64], name: str = "numbered") -> Dataset:
    """A set whose test images are numbered, with these labels; nobody learns from it."""
    split = Split(numbered(len(labels)), labels)
    return Dataset(name, CLASSES, split[:0], split, "made here")


class Clock:
    """Time that passes only when a call says so: what is measured is then known exactly."""

    def __init__(self) -> None:
        self.now_ns = 0

    def spend(self, duration_us: float) -> None:
        self.now_ns += round(duration_us * 1000)

    @classmethod
    def instead_of_time(cls, monkeypatch: pytest.MonkeyPatch) -> "Clock":
        """A clock that the stopwatch reads from now on."""
        clock = cls()
        fake = SimpleNamespace(
            perf_counter_ns=lambda: clock.now_ns,
            perf_counter=lambda: clock.now_ns / 1e9,
            sleep=lambda duration_s: clock.spend(duration_s * 1e6),
        )
        monkeypatch.setattr(stopwatch, "time", fake)
        return clock


@dataclass
class Timed:
    """A runner whose n-th answer, its warm-up apart, takes `run_us[n]`, from the start again after
    the last; it notes what it is given, and when."""

    clock: Clock
    run_us: Sequence[float] = (100.0,)
    prepare_us: float = 0.0
    prepared: list[Numbers] = field(default_factory=list)
    answered: list[Numbers] = field(default_factory=list)
    begun_ns: list[int] = field(default_factory=list)

    def prepare(self, images: Images) -> Numbers:
        self.clock.spend(self.prepare_us)
        self.prepared.append(numbers(images))
        return self.prepared[-1]

    def run(self, prepared: Numbers) -> Any:
        self.begun_ns.append(self.clock.now_ns)
        self.clock.spend(self.run_us[len(self.answered) % len(self.run_us)])
        self.answered.append(prepared)
        return prepared


@dataclass
class Table:
    """A runner that looks its answers up: `logits`, float32 (N, classes), by an image's number."""

    logits: NDArray[np.float32]
    sizes: list[int] = field(default_factory=list)

    def prepare(self, images: Images) -> Numbers:
        return numbers(images)

    def run(self, prepared: Numbers) -> NDArray[np.float32]:
        self.sizes.append(len(prepared))
        return self.logits[prepared]


def table_of(labels: NDArray[np.int64], seed: int = 0) -> Table:
    """Answers that come to these labels, more surely or less."""
    logits = np.random.default_rng(seed).normal(0, 1, (len(labels), len(CLASSES)))
    logits[np.arange(len(labels)), labels] = logits.max(axis=1) + 0.5
    return Table(logits.astype(np.float32))


def kind_of(runtime: str) -> ContenderKind:
    """What a runtime of that name runs of a model."""
    others = {
        "pytorch": ContenderKind.ORIGINAL,
        "torch-compile": ContenderKind.COMPILED,
        "onnxruntime": ContenderKind.FILE,
    }
    return others.get(runtime, ContenderKind.CONVERTED)


@dataclass(frozen=True)
class Known:
    """A contender that always loads the same runner. Contenders of one `family` run one model."""

    runner: Runner
    name: str = "known.onnx"
    family: str = "0" * 64
    precision: str = "fp32"
    runtime: str = "numpy"
    dataset: str = "numbered"
    recorded: Accuracy | None = None
    ours: bool = True
    path: Path = Path(__file__)
    names: tuple[str, ...] | None = None

    @property
    def kind(self) -> ContenderKind:
        return kind_of(self.runtime)

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(
            name=self.name,
            model="known",
            family=self.family,
            precision=self.precision,
            dataset=self.dataset,
            classes=len(CLASSES),
            recorded=self.recorded,
            ours=self.ours,
            names=self.names,
        )

    def load(self, threads: int) -> Runner:
        return self.runner


def with_golden(path: Path, card: Card, off: float = 0.0) -> Path:
    """Give a tiny model its golden answers; `off` is how far the first is from what it answers."""
    from tests.conftest import write_tiny_model

    found = golden.compute(Classifier(write_tiny_model(path, card)).logits, int8=False)
    first, *others = found.logits
    moved = (first[0] + off, *first[1:])
    return write_tiny_model(path, replace(card, golden=replace(found, logits=(moved, *others))))


def write_absorbing_model(path: Path, card: Card) -> Path:
    """A file that ONNX Runtime optimizes into another: to each sum it adds 1e9, which swallows it,
    and takes that away again, unless an optimizer sees that both cancel out."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    count = len(card.classes)
    weights = np.random.default_rng(0).normal(0, 1e-3, (count, 1, 28, 28)).astype(np.float32)
    much = np.full((1, count, 1, 1), 1e9, np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", ["float", "to_square"], ["square"]),
            helper.make_node("Conv", ["square", "weights"], ["sums"]),
            helper.make_node("Add", ["sums", "much"], ["swallowed"]),
            helper.make_node("Add", ["swallowed", "less"], ["back"]),
            helper.make_node("Reshape", ["back", "to_row"], ["logits"]),
        ],
        "absorbing",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", count])],
        [
            numpy_helper.from_array(np.array([-1, 1, 28, 28]), "to_square"),
            numpy_helper.from_array(np.array([-1, count]), "to_row"),
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(much, "much"),
            numpy_helper.from_array(-much, "less"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)
    helper.set_model_props(model, card.to_metadata())
    onnx.save(model, path)
    return path


@contextmanager
def little_to_collect() -> Iterator[None]:
    """A measurement collects garbage before it begins: where PyTorch has been imported, that
    takes longer than all the rest here. What is there already is nobody's garbage."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def skip_warm_up(monkeypatch: pytest.MonkeyPatch, samples: int = 700) -> None:
    """Let a benchmark time at once; `samples` is the least number of calls of a single image."""
    monkeypatch.setattr(timing, "Protocol", partial(Protocol, warmup_s=0, samples=samples))


def start_no_process(monkeypatch: pytest.MonkeyPatch) -> list[Contender]:
    """Instead of starting contenders in processes of their own, note them in the list that is
    returned. The n-th takes n seconds and n megabytes."""
    found: list[Contender] = []

    def start(contender: Contender, threads: int, image: Images) -> ColdStart:
        assert image.dtype == np.uint8
        assert image.shape == (1, 28, 28)
        found.append(contender)
        return ColdStart(float(len(found)), len(found) * 1_000_000)

    monkeypatch.setattr(cold_start, "start", start)
    return found
