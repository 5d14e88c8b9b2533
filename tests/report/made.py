"""Benchmark records made by hand."""

from pathlib import Path

import numpy as np

from mnist_edge.benchmark import Benchmark, Entry
from mnist_edge.contenders import Contender, OnnxRuntime, PyTorch
from mnist_edge.machine import Machine
from mnist_edge.metrics import Accuracy, Agreement
from mnist_edge.stopwatch import Latency, Protocol
from tests.conftest import make_card

MACHINE = Machine("Some CPU", ("avx2",), 4, None, "Linux x86_64", "3.12.1", {"numpy": "2.0"})
ACCURACY = Accuracy(9965, 10000)


def latency(center_us: float, count: int = 700) -> Latency:
    """A skewed distribution around a median."""
    noise = np.random.default_rng(0).lognormal(0, 0.4, count)
    return Latency(noise / np.median(noise) * center_us)


def entry(
    contender: Contender,
    accuracy: Accuracy = ACCURACY,
    change: Agreement | None = None,
    center_us: float = 60.0,
    count: int = 700,
    recorded: bool = False,
    batch_us: float | None = None,
    size_bytes: int = 318_000,
) -> Entry:
    return Entry(
        contender=contender,
        accuracy=accuracy,
        recorded=recorded,
        change=change,
        size_bytes=size_bytes,
        sha256="ab" * 32,
        load=latency(12_345, 11),
        first=latency(987, 11),
        single=latency(center_us, count),
        batch=latency(center_us * 40 if batch_us is None else batch_us, min(count, 64)),
    )


def file(path: str, **card: object) -> OnnxRuntime:
    return OnnxRuntime(Path(path), make_card(**card))


def original(path: str) -> PyTorch:
    return PyTorch(Path(path), make_card())


def benchmark(*entries: Entry) -> Benchmark:
    return Benchmark(tuple(entries), MACHINE, 1, Protocol(), "test images of mnist")
