"""One benchmark from beginning to end."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mnist_edge import partial_failures
from mnist_edge.backends import Contender, Runner, Runs, answer
from mnist_edge.backends.base import CanSleep, OfModelFile
from mnist_edge.benchmark import cold_start, stopwatch
from mnist_edge.benchmark.cold_start import ColdStart
from mnist_edge.benchmark.inspection import Findings, check_batches, inspect
from mnist_edge.benchmark.latency import Latency
from mnist_edge.benchmark.record import Benchmark, Data, Entry, Plan
from mnist_edge.benchmark.scored_data import images_to_time
from mnist_edge.benchmark.scoring import answers, scores
from mnist_edge.benchmark.stopwatch import THREAD, Meter
from mnist_edge.benchmark.timing import Timed, fractions, preparation, time_all
from mnist_edge.errors import EdgeError, ModelError
from mnist_edge.files import sha256
from mnist_edge.host import energy, noise
from mnist_edge.host.machine import this_machine
from mnist_edge.types import Progress

Item = TypeVar("Item")

_LOADS = 11  # as many as a median needs
_LOADING_S = 10.0  # but no more of them than fit: some runtimes compile for half a minute
_COLD_STARTS = 11


def run(
    contenders: Sequence[Contender],
    data: Data,
    plan: Plan,
    progress: Progress = lambda what, done, total: None,
    missing: tuple[str, ...] = (),
) -> Benchmark:
    """Measure accuracy, start, memory and speed of every contender.

    A contender whose set is not in `data` shows the accuracy that its file records. Ctrl-C while
    calls are timed ends the timing, and what was measured until then is the result. One that
    fails, or does not compute here what it computed where it was made, is refused; its ModelError
    or GoldenError is raised where no other is left.
    """
    began = datetime.now(UTC)
    images, described = images_to_time(data)
    refused: list[EdgeError] = []
    opened = [
        one
        for _, one in partial_failures.each(
            _told(contenders, fractions(progress, "loading")),
            lambda contender: _open(contender, plan, images),
            refused,
        )
    ]
    answered = partial_failures.each(
        _told(opened, fractions(progress, "accuracy")),
        lambda one: answers(one.contender, one.runner, data),
        refused,
    )
    progress("accuracy", 1.0, 1.0)
    everything = [one.contender for one, _ in answered]
    starts = _fresh(everything, plan, images, fractions(progress, "fresh processes"), refused)
    ready = [pair for pair, started in zip(answered, starts, strict=True) if started]
    starts = [started for started in starts if started]
    if not ready:
        raise refused[0]
    contenders = [one.contender for one, _ in ready]
    runners = [one.runner for one, _ in ready]
    scored = scores(contenders, [logits for _, logits in ready], data)
    prepared = [preparation(runner, images) for runner in runners]
    energy_j = energy.meter()
    meters: dict[str, Meter] = {**THREAD, "cpu_s": time.process_time}
    before = noise.read()
    timed = time_all(
        runners,
        images,
        plan,
        meters | ({"energy_j": energy_j} if energy_j else {}),
        progress,
        [one.subject.batch for one in contenders],
        _waiting(contenders, runners, plan),
    )
    quiet = noise.between(
        before, noise.read(), _spread(contenders, timed), _paused(contenders, timed, plan.threads)
    )
    entries = [
        Entry(
            contender=one.contender,
            size_bytes=size_bytes,
            sha256=digest,
            score=scored[at],
            findings=one.findings,
            load=one.load,
            first=one.first,
            prepare=prepared[at],
            batches={size: found[at] for size, found in timed.batches.items()},
            paced=timed.paced[at] if timed.paced else None,
            cold=_first_answers(starts[at]) if plan.cold else None,
            peak_bytes=_peak(starts[at]),
        )
        for at, (one, _) in enumerate(ready)
        for size_bytes, digest in (_identity(one.contender),)
    ]
    return Benchmark(
        entries=tuple(entries),
        plan=plan,
        machine=this_machine(),
        noise=quiet,
        images=described,
        yardstick={size: found[-1] for size, found in timed.batches.items()},
        energy_why_not=None if energy_j else energy.unavailable_reason(),
        measured_at=began.isoformat(timespec="seconds"),
        missing=missing,
        refused=tuple(str(error) for error in refused),
        data=data,
        stopped=timed.stopped,
    )


def _waiting(
    contenders: Sequence[Contender], runners: Sequence[Runner], plan: Plan
) -> list[Runner]:
    """What a paced run asks: several threads of a contender sleep until the next image where they
    can. Spinning would take the CPU from what else a camera's machine does."""
    if plan.rate_hz is None or plan.threads == 1:
        return [*runners]
    return [
        one.load_asleep(plan.threads) if isinstance(one, CanSleep) else runner
        for one, runner in zip(contenders, runners, strict=True)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """A contender that is loaded and was looked into, and how long that took."""

    contender: Contender
    load: Latency
    first: Latency
    runner: Runner
    findings: Findings | None


def _open(contender: Contender, plan: Plan, images: NDArray[np.uint8]) -> _Open:
    load, first = _load(contender, plan.threads, images[:1])
    runner = contender.load(plan.threads)
    check_batches(contender, runner, images, plan.batches)
    return _Open(contender, load, first, runner, inspect(contender, runner, images, plan.threads))


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


def _identity(contender: Contender) -> tuple[int, str]:
    """Size and SHA-256 of what ran: a model file's bytes are those that were read once."""
    if isinstance(contender, OfModelFile):
        return len(contender.model.content), contender.model.sha256
    return contender.path.stat().st_size, sha256(contender.path)


def _first_answers(starts: Sequence[ColdStart]) -> Latency:
    return Latency(np.array([start.first_answer_s * 1e6 for start in starts]))


def _peak(starts: Sequence[ColdStart]) -> int | None:
    """The most memory that any of them took."""
    return max((start.peak_bytes for start in starts if start.peak_bytes), default=None)


def _spread(contenders: Sequence[Contender], timed: Timed) -> dict[str, float]:
    """How far apart the rounds are, by name and, beyond one image a call, batch size."""
    names = [f"{one.subject.name} in {one.runtime}" for one in contenders]
    found: dict[str, float] = {}
    for size, latencies in timed.batches.items():
        at_once = "" if size == 1 else f" at {size} images a call"
        for name, latency in zip([*names, "a fixed piece of work"], latencies, strict=True):
            if latency.spread is not None:
                found[name + at_once] = latency.spread
    return found


def _paused(contenders: Sequence[Contender], timed: Timed, threads: int) -> float | None:
    """The largest part of any batch size's time in which what was timed stood still.

    Looked at are the yardstick, and files on one thread in ONNX Runtime, which computes in the
    calling thread: other runtimes may wait for a thread of theirs.
    """
    here = [threads == 1 and one.runs is Runs.FILE for one in contenders]
    found: list[float] = []
    for latencies in timed.batches.values():
        in_thread = [one for one, counts in zip(latencies, [*here, True], strict=True) if counts]
        found += [stopwatch.off_cpu(in_thread) or 0.0, latencies[-1].stalled]
    return max(found, default=None)
