"""Contenders × data × stopwatch -> one Benchmark record."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_edge import datasets, metrics
from mnist_edge.classifier import in_chunks
from mnist_edge.contenders import Answer, Contender, OnnxRuntime, PyTorch, original_of
from mnist_edge.datasets import Dataset, Split
from mnist_edge.errors import DataError
from mnist_edge.files import sha256
from mnist_edge.machine import Machine, this_machine
from mnist_edge.metrics import Accuracy, Agreement
from mnist_edge.picture import drawn_digits
from mnist_edge.stopwatch import Latency, Protocol, measure

BATCH = 64
_LOADS = 11  # as many as a median needs
_TIMED_IMAGES = 1000
_BATCH_SAMPLES = 64

Data = dict[str, Dataset]
"""What a contender's file calls its data set -> the set to score it on."""

Progress = Callable[[str, float], None]
"""Told what is under way, and the fraction of it that is done."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One contender's numbers.

    `accuracy` was measured here, or read from the file where `recorded`. `change` compares the
    answers with those of the PyTorch original or, for int8 where that is not here, of the fp32
    file.
    """

    contender: Contender
    accuracy: Accuracy
    recorded: bool
    change: Agreement | None
    size_bytes: int
    sha256: str
    load: Latency
    first: Latency
    single: Latency  # one image a call
    batch: Latency  # BATCH images a call

    @property
    def images_per_s(self) -> float | None:
        """The throughput at BATCH images a call, from the median."""
        median = self.batch.percentile_us(50)
        return None if median is None else BATCH / median * 1e6


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Everything that one run of `bench` measured, and on what."""

    entries: tuple[Entry, ...]
    machine: Machine
    threads: int
    protocol: Protocol
    images: str  # which images were timed


def run(
    contenders: Sequence[Contender],
    data: Data,
    threads: int,
    protocol: Protocol,
    progress: Progress = lambda what, fraction: None,
) -> Benchmark:
    """Measure accuracy, start and speed of every contender, on `threads` threads.

    A contender whose set is not in `data` shows the accuracy that its file records.
    """
    starts = [_start(contender, threads) for contender in contenders]
    answers: list[Answer] = [contender.load(threads) for contender in contenders]
    labels = []
    for done, (contender, answer) in enumerate(zip(contenders, answers, strict=True)):
        progress("accuracy", done / len(contenders))
        own = data.get(contender.card.dataset)
        labels.append(None if own is None else _labels(answer, own.test))
    progress("accuracy", 1.0)
    images, described = _images_to_time(data)
    single, batch = (_speed(answers, images, size, protocol, progress) for size in (1, BATCH))
    entries = []
    for at, contender in enumerate(contenders):
        accuracy, recorded = _accuracy(contender, labels[at], data)
        entries.append(
            Entry(
                contender=contender,
                accuracy=accuracy,
                recorded=recorded,
                change=_change(at, contenders, labels, data),
                size_bytes=contender.path.stat().st_size,
                sha256=sha256(contender.path),
                load=starts[at][0],
                first=starts[at][1],
                single=single[at],
                batch=batch[at],
            )
        )
    return Benchmark(tuple(entries), this_machine(), threads, protocol, described)


def gather(files: Sequence[Path], runs: Path) -> list[Contender]:
    """The files, those of one original together, followed by it where that is here.

    ModelError for a file that does not honour the contract.
    """
    families: dict[str, list[OnnxRuntime]] = {}
    for path in files:
        file = OnnxRuntime.open(path)
        families.setdefault(file.card.checkpoint_sha256, []).append(file)
    contenders: list[Contender] = []
    for family in families.values():
        original = original_of(family[0], runs)
        contenders += family
        contenders += [original] if original else []
    return contenders


def find_data(contenders: Sequence[Contender], dataset: str | None, data_dir: Path | None) -> Data:
    """The data to score the contenders on: `dataset` for all of them, or each one's own.

    Their own sets count only where they are on this machine: nothing is downloaded. Raises
    DataError for a set that is damaged, or has another number of classes.
    """
    found: Data = {}
    chosen = datasets.load(dataset, data_dir) if dataset else None
    for card in (contender.card for contender in contenders):
        own = chosen or found.get(card.dataset) or datasets.load_if_here(card.dataset, data_dir)
        if own is None:
            continue
        if len(own.classes) != len(card.classes):
            raise DataError(
                f"{own.name} has {len(own.classes)} classes, {card.model} tells "
                f"{len(card.classes)} apart: name the set that it was trained on"
            )
        found[card.dataset] = own
    return found


def _start(contender: Contender, threads: int) -> tuple[Latency, Latency]:
    """How long opening the file takes, and the first answer after it."""
    image = drawn_digits(1)
    load_us, first_us = [], []
    for _ in range(_LOADS):
        start = time.perf_counter_ns()
        answer = contender.load(threads)
        loaded = time.perf_counter_ns()
        answer(image)
        load_us.append((loaded - start) / 1000)
        first_us.append((time.perf_counter_ns() - loaded) / 1000)
    return Latency(np.array(load_us)), Latency(np.array(first_us))


def _labels(answer: Answer, test: Split) -> NDArray[np.int64]:
    labels: NDArray[np.int64] = in_chunks(answer, test.images).argmax(axis=1)
    return labels


def _accuracy(
    contender: Contender, labels: NDArray[np.int64] | None, data: Data
) -> tuple[Accuracy, bool]:
    card = contender.card
    if labels is not None:
        return metrics.accuracy(labels, data[card.dataset].test.labels), False
    return (card.original_accuracy if isinstance(contender, PyTorch) else card.accuracy), True


def _change(
    at: int,
    contenders: Sequence[Contender],
    labels: Sequence[NDArray[np.int64] | None],
    data: Data,
) -> Agreement | None:
    contender, answered = contenders[at], labels[at]
    if isinstance(contender, PyTorch) or answered is None:
        return None
    family = [
        (other, own)
        for other, own in zip(contenders, labels, strict=True)
        if other.card.checkpoint_sha256 == contender.card.checkpoint_sha256 and own is not None
    ]
    originals = [own for other, own in family if isinstance(other, PyTorch)]
    # The fp32 file stands in for an original that is not here: it passed for it when it was made.
    stand_ins = [own for other, own in family if other.card.precision == "fp32"]
    before = originals or (stand_ins if contender.card.precision != "fp32" else [])
    if not before:
        return None
    return metrics.agreement(before[0], answered, data[contender.card.dataset].test.labels)


def _images_to_time(data: Data) -> tuple[NDArray[np.uint8], str]:
    """Real test images where there are any: zeros would flatter, and one image too."""
    for _, dataset in sorted(data.items()):
        if len(dataset.test) >= BATCH:
            return dataset.test.images[:_TIMED_IMAGES], f"test images of {dataset.name}"
    return drawn_digits(_TIMED_IMAGES), "digits drawn in a font: no data set is here"


def _speed(
    answers: Sequence[Answer],
    images: NDArray[np.uint8],
    size: int,
    protocol: Protocol,
    progress: Progress,
) -> list[Latency]:
    inputs = [images[at : at + size] for at in range(0, len(images) - size + 1, size)]
    if size > 1:  # long calls: fewer are enough, and each warms the caches for the next
        samples = min(protocol.samples, _BATCH_SAMPLES)
        burst, settle = min(protocol.burst, 4), min(protocol.settle, 1)
        protocol = replace(protocol, samples=samples, burst=burst, settle=settle)
    calls = [lambda count, answer=answer: answer(inputs[count % len(inputs)]) for answer in answers]
    what = f"timing, {size} image{'s' * (size > 1)} a call"
    return measure(calls, protocol, lambda fraction: progress(what, fraction))
