"""What comes before timing: contenders are loaded and looked into, answer the test images, and
start in fresh processes."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mnist_edge.backends import Contender, Runner, answer
from mnist_edge.benchmark import cold_start
from mnist_edge.benchmark.cold_start import ColdStart
from mnist_edge.benchmark.inspection import Inspection, check_batches, inspect
from mnist_edge.benchmark.latency import Latency
from mnist_edge.benchmark.record import Data, Plan
from mnist_edge.benchmark.scored_data import TimingImages
from mnist_edge.benchmark.scoring import answers
from mnist_edge.benchmark.timing import fraction_progress
from mnist_edge.errors import EdgeError, ModelError, try_each
from mnist_edge.types import Logits, Progress

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
    logits: Logits | None = None
    starts: Sequence[ColdStart] = ()


def prepare_contenders(
    contenders: Sequence[Contender],
    data: Data,
    plan: Plan,
    images: TimingImages,
    progress: Progress,
    refused: list[EdgeError],
) -> list[PreparedContender]:
    """The contenders that can be timed. What is wrong with others goes into `refused`; the first
    of these is raised where none is left."""

    def with_answers(one: PreparedContender) -> PreparedContender:
        return replace(one, logits=answers(one.contender, one.runner, data))

    opened = _each(
        contenders,
        lambda contender: _open(contender, plan, images.of(contender)),
        fraction_progress(progress, "loading"),
        refused,
    )
    answered = _each(opened, with_answers, fraction_progress(progress, "accuracy"), refused)
    progress("accuracy", 1.0, 1.0)
    tell = fraction_progress(progress, "fresh processes")
    ready = _with_cold_starts(answered, plan, images, tell, refused)
    if not ready:
        raise refused[0]
    return ready


def _each(
    items: Sequence[Item],
    step: Callable[[Item], PreparedContender],
    progress: Callable[[float], None],
    refused: list[EdgeError],
) -> list[PreparedContender]:
    """What a step makes of each; `progress` is told of an item before it is at work."""

    def told() -> Iterator[Item]:
        for at, item in enumerate(items):
            progress(at / len(items))
            yield item

    return [one for _, one in try_each(told(), step, refused)]


def _open(contender: Contender, plan: Plan, images: NDArray[np.uint8]) -> PreparedContender:
    load, first = _load(contender, plan.threads, images[:1])
    runner = contender.load(plan.threads)
    check_batches(contender, runner, images, plan.batches)
    findings = inspect(contender, runner, images, plan.threads)
    return PreparedContender(contender, load, first, runner, findings)


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


def _with_cold_starts(
    ready: Sequence[PreparedContender],
    plan: Plan,
    images: TimingImages,
    progress: Callable[[float], None],
    refused: list[EdgeError],
) -> list[PreparedContender]:
    """Each with its start in a fresh process, or several interleaved in random order, but for
    those that failed in one, which are refused."""
    random, times = np.random.default_rng(plan.seed), _COLD_STARTS if plan.cold else 1
    starts: dict[int, list[ColdStart]] = {at: [] for at in range(len(ready))}
    for done in range(times):
        for place, at in enumerate(random.permutation(len(ready))):
            progress((done + place / len(ready)) / times)
            if at not in starts:
                continue
            try:
                one = ready[at].contender
                starts[at].append(cold_start.start(one, plan.threads, images.of(one)[:1]))
            except ModelError as error:
                refused.append(error)
                del starts[at]
    return [replace(ready[at], starts=own) for at, own in starts.items()]
