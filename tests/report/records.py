"""Benchmark records made by hand: nothing is loaded, and nothing is timed."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.backends import ContenderKind, ModelInfo, Runner
from mnist_edge.benchmark import Benchmark, Data, Entry, Plan, Score
from mnist_edge.benchmark.inspection import Inspection
from mnist_edge.benchmark.kernels import Deviation, Kernels
from mnist_edge.benchmark.latency import Latency
from mnist_edge.datasets import Dataset, Split
from mnist_edge.host.machine import Machine
from mnist_edge.host.noise import Noise
from mnist_edge.metrics import Accuracy, Agreement, expected_calibration_error, softmax
from mnist_edge.model_file.golden import GoldenCheck
from tests.helpers.fakes import kind_of

MACHINE = Machine("Some CPU", ("avx2",), 4, None, "Linux x86_64", "3.12.1", {"numpy": "2.0"})
ACCURACY = Accuracy(9965, 10000)
CLASSES = tuple("0123456789")
ROUNDS = 20
TRUSTED = Noise()


@dataclass(frozen=True, slots=True)
class Stand:
    """A contender in name only."""

    path: Path
    info: ModelInfo
    runtime: str = "onnxruntime"

    @property
    def kind(self) -> ContenderKind:
        return kind_of(self.runtime)

    def load(self, threads: int) -> Runner:
        raise AssertionError("a contender made by hand answers nothing")


def model_info(name: str, **changes: Any) -> ModelInfo:
    """All models are of one family, fp32, of the digits, unless `changes` say otherwise."""
    values: dict[str, Any] = {
        "name": name,
        "model": "tiny",
        "family": "0" * 64,
        "precision": "fp32",
        "dataset": "digits",
        "classes": len(CLASSES),
        "recorded": ACCURACY,
    }
    return ModelInfo(**(values | changes))


def file(path: str, runtime: str = "onnxruntime", **changes: Any) -> Stand:
    """An exported file in a runtime; `changes` are the model's."""
    return Stand(Path(path), model_info(Path(path).name, **changes), runtime)


def original(path: str, **changes: Any) -> Stand:
    """The network that was trained, in PyTorch; `path` is its checkpoint's."""
    return file(path, "pytorch", **changes)


def latency(center_us: float, count: int = 700, seed: int = 0, rounds: int = ROUNDS) -> Latency:
    """A skewed distribution around a median; its rounds pair with those of any other latency of
    at least as many samples. The same `seed` gives the same noise: such ratios are exact."""
    noise = np.random.default_rng(seed).lognormal(0, 0.4, count)
    rounds = min(rounds, count)
    turns = np.full(rounds, count // rounds) + (np.arange(rounds) < count % rounds)
    used = {"cpu_s": turns * center_us * 1e-6}
    return Latency(noise / np.median(noise) * center_us, turns.astype(np.int64), used)


@cache
def dataset(total: int = 10_000, classes: tuple[str, ...] = CLASSES) -> Dataset:
    """A set of which nobody learns anything: labels in turn, each image of one grey."""
    greys = (np.arange(total) * 37 % 256).astype(np.uint8)
    images = np.broadcast_to(greys[:, None, None], (total, 28, 28)).copy()
    split = Split(images, np.arange(total, dtype=np.int64) % len(classes))
    return Dataset("digits", classes, split[:0], split, "made by hand")


def logits(accuracy: Accuracy, classes: int = len(CLASSES)) -> NDArray[np.float32]:
    """Answers to `dataset(accuracy.total)`: the last images are read as the class after theirs,
    each image more surely than the one before it."""
    labels = np.arange(accuracy.total) % classes
    answers = (labels + (np.arange(accuracy.total) >= accuracy.correct)) % classes
    found = np.zeros((accuracy.total, classes), np.float32)
    found[np.arange(accuracy.total), answers] = np.linspace(3, 8, accuracy.total)
    return found


@cache
def score(accuracy: Accuracy = ACCURACY, change: Agreement | None = None) -> Score:
    """What a contender answered to `dataset(accuracy.total)`."""
    found = logits(accuracy)
    truth = dataset(accuracy.total).test.labels
    return Score(found, accuracy, expected_calibration_error(softmax(found), truth), change)


FINDINGS = Inspection(
    golden=GoldenCheck(8, 0, 1.5e-6, 1e-3, 1.2),
    kernels=Kernels(11, 9, 0, 1, 0, ("Conv_0", "Conv_2", "Gemm_9")),
    deviation=Deviation(500, 0, 2e-6, 0.09),
)
INT8_FINDINGS = replace(
    FINDINGS, kernels=Kernels(14, 9, 9, 1, 1, ()), deviation=Deviation(500, 0, 0.08, 0.09)
)


def entry(
    contender: Stand,
    accuracy: Accuracy = ACCURACY,
    change: Agreement | None = None,
    center_us: float = 60.0,
    count: int = 700,
    recorded: bool = False,
    batch_us: float | None = None,
    size_bytes: int = 318_000,
    seed: int = 0,
    **others: Any,
) -> Entry:
    """A contender's numbers at 1 and 64 images a call; `others` are fields of `Entry`.

    `recorded` leaves the score out, as where there is no data set.
    """
    if recorded:
        own = replace(contender.info, recorded=accuracy)
        contender = replace(contender, info=own)
    int8 = contender.info.precision == "int8"
    batch_us = center_us * 40 if batch_us is None else batch_us
    values: dict[str, Any] = {
        "contender": contender,
        "size_bytes": size_bytes,
        "sha256": "ab" * 32,
        "score": None if recorded else score(accuracy, change),
        "findings": (INT8_FINDINGS if int8 else FINDINGS)
        if contender.kind is ContenderKind.FILE
        else None,
        "load": latency(12_345, 11),
        "first": latency(987, 11),
        "prepare": latency(0.5, 700),
        "batches": {
            1: latency(center_us, count, seed),
            64: latency(batch_us, min(count, 64), seed),
        },
        "peak_bytes": 61_000_000,
    }
    return Entry(**(values | others))


def benchmark(*entries: Entry, **changes: Any) -> Benchmark:
    """A record of these entries; `changes` are fields of `Benchmark`. Its data are those that the
    scores answer."""
    sizes = tuple(entries[0].batches) or (1,)
    values: dict[str, Any] = {
        "entries": entries,
        "plan": Plan(batches=sizes),
        "machine": MACHINE,
        "noise": TRUSTED,
        "images": "test images of digits",
        "yardstick": {size: latency(9.0) for size in sizes},
        "energy_why_not": "this machine has no energy counter",
        "measured_at": "2026-11-22T05:00:00+00:00",
        "data": _data(entries),
    }
    return Benchmark(**(values | changes))


def _data(entries: tuple[Entry, ...]) -> Data:
    """One set for all: scores of different sizes cannot stand in one record made by hand."""
    totals = {entry.score.accuracy.total for entry in entries if entry.score}
    assert len(totals) <= 1, "these scores are of different sets"
    return {one.info.images: dataset(total) for total in totals for one in entries}
