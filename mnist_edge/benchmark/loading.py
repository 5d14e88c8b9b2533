"""What comes before timing: contenders are loaded and looked into, answer the test images, and
start in fresh processes."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mnist_edge import partial_failures
from mnist_edge.backends import Contender, Runner, answer
from mnist_edge.benchmark import cold_start
from mnist_edge.benchmark.cold_start import ColdStart
from mnist_edge.benchmark.inspection import Inspection, check_batches, inspect
from mnist_edge.benchmark.latency import Latency
from mnist_edge.benchmark.record import Data, Plan
from mnist_edge.benchmark.scoring import Logits, answers
from mnist_edge.benchmark.timing import fraction_progress
from mnist_edge.errors import EdgeError, ModelError
from mnist_edge.types import Progress

Item = TypeVar("Item")

_LOADS = 11  # as many as a median needs
_LOADING_S = 10.0  # but no more of them than fit: some runtimes compile for half a minute
_COLD_STARTS = 11


@dataclass(frozen=True, slots=True, eq=False)
class PreparedContender:
    """A contender that can be timed: its `runner`, how long it took to `load` and to its `first`
    answer, the `findings` of a look into it, its answers to the test split, and its `starts` in
    fresh processes. `logits` is None where its data set is not here."""

    contender: Contender
    load: Latency
    first: Latency
    runner: Runner
    findings: Inspection | None
    logits: Logits | None
    starts: Sequence[ColdStart]


def prepare_contenders(
    contenders: Sequence[Contender],
    data: Data,
    plan: Plan,
    images: NDArray[np.uint8],
    progress: Progress,
    refused: list[EdgeError],
) -> list[PreparedContender]:
    """The contenders that can be timed. What is wrong with others goes into `refused`; the first
    of these is raised where none is left."""
    opened = [
        one
        for _, one in partial_failures.each(
            _told(contenders, fraction_progress(progress, "loading")),
            lambda contender: _open(contender, plan, images),
            refused,
        )
    ]
    answered = partial_failures.each(
        _told(opened, fraction_progress(progress, "accuracy")),
        lambda one: answers(one.contender, one.runner, data),
        refused,
    )
    progress("accuracy", 1.0, 1.0)
    everything = [one.contender for one, _ in answered]
    starts = _fresh(
        everything, plan, images, fraction_progress(progress, "fresh processes"), refused
    )
    ready = [
        PreparedContender(
            one.contender, one.load, one.first, one.runner, one.findings, logits, started
        )
        for (one, logits), started in zip(answered, starts, strict=True)
        if started
    ]
    if not ready:
        raise refused[0]
    return ready


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """A contender that is loaded and was looked into, and how long that took."""

    contender: Contender
    load: Latency
    first: Latency
    runner: Runner
    findings: Inspection | None


def _open(contender: Contender, plan: Plan, images: NDArray[np.uint8]) -> _Opened:
    load, first = _load(contender, plan.threads, images[:1])
    runner = contender.load(plan.threads)
    check_batches(contender, runner, images, plan.batches)
    return _Opened(contender, load, first, runner, inspect(contender, runner, images, plan.threads))


def _told(items: Sequence[Item], progress: Callable[[float], None]) -> Iterator[Item]:
    """The items, each told of before it is at work."""
    for at, item in enumerate(items):
        progress(at / len(items))
        yield item


def _load(contender: Contender, threads: int, image: NDArray[np.uint8]) -> tuple[Latency, Latency]:
    """How long opening the file takes, and the first answer after it."""
    load_us: list[float] = []
    first_us: list[float] = []
    while len(load_us) < _LOADS and sum(load_us + first_us) < _LOADING_S * 1e6:
        start = time.perf_counter_ns()
        runner = contender.load(threads)
        loaded = time.perf_counter_ns()
        answer(runner, image)
        load_us.append((loaded - start) / 1000)
        first_us.append((time.perf_counter_ns() - loaded) / 1000)
    return Latency(np.array(load_us)), Latency(np.array(first_us))


def _fresh(
    contenders: Sequence[Contender],
    plan: Plan,
    images: NDArray[np.uint8],
    progress: Callable[[float], None],
    refused: list[EdgeError],
) -> list[list[ColdStart]]:
    """A fresh process for each contender, or several of them interleaved in random order; none
    for one that failed in it, which is refused."""
    random, times = np.random.default_rng(plan.seed), _COLD_STARTS if plan.cold else 1
    found: list[list[ColdStart]] = [[] for _ in contenders]
    failed: set[int] = set()
    for done in range(times):
        for place, at in enumerate(random.permutation(len(contenders))):
            progress((done + place / len(contenders)) / times)
            if at in failed:
                continue
            try:
                found[at].append(cold_start.start(contenders[at], plan.threads, images[:1]))
            except ModelError as error:
                refused.append(error)
                failed.add(at)
    return [[] if at in failed else own for at, own in enumerate(found)]
