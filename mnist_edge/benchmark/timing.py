"""The timed part of a benchmark: how fast loaded contenders answer, and what that uses."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mnist_edge.backends import Runner
from mnist_edge.benchmark.latency import Latency
from mnist_edge.benchmark.record import Plan
from mnist_edge.benchmark.stopwatch import Call, Meter, Protocol, measure
from mnist_edge.types import Images, Progress

_BATCH_SAMPLES = 64  # calls are longer: as many as a p90 needs
_TURN_S = 0.025
_TURNS = 20  # so many rounds fit into a short duration too
_PREPARED = 700


@dataclass(frozen=True, slots=True)
class Timings:
    """The latencies of each runner: by images a call, where the yardstick's come last, and at the
    plan's rate. `stopped` says that Ctrl-C ended it before all was measured."""

    batches: Mapping[int, Sequence[Latency]]
    paced: Sequence[Latency] | None
    stopped: bool


@dataclass(frozen=True, slots=True)
class _Job:
    """What is timed in one go."""

    what: str
    size: int
    protocol: Protocol


def fraction_progress(progress: Progress, what: str) -> Callable[[float], None]:
    """How `progress` is told of work that knows its fraction alone, in 0..1."""
    return lambda fraction: progress(what, fraction, 1.0)


def time_all(
    runners: Sequence[Runner],
    images: Sequence[Images],
    plan: Plan,
    meters: Mapping[str, Meter],
    progress: Progress,
    fixed: Sequence[int | None] | None = None,
    waiting: Sequence[Runner] | None = None,
) -> Timings:
    """Time every runner by the plan, all of them and a yardstick interleaved; in the paced run,
    those that are `waiting` in their place. `images` are each one's own.

    `fixed` is how many images a call of each runner takes where it takes no other number. Such a
    call is filled with images, and a batch is given its share of the time: of ten images a call,
    one takes a tenth. Only the paced run, in which no image waits for others, shows whole calls.
    Ctrl-C ends it, and what was measured until then is kept; KeyboardInterrupt is raised when
    that is nothing.
    """
    fixed = fixed or [None] * len(runners)
    jobs = [_tight_job(plan, size) for size in plan.batches]
    jobs += [_paced_job(plan)] if plan.rate_hz else []
    done: list[tuple[_Job, tuple[Latency, ...]]] = []
    stopped = False
    for job in jobs:
        try:
            timing = measure(
                _calls(job, waiting if waiting and _is_paced(job) else runners, images, fixed),
                job.protocol,
                fraction_progress(progress, job.what),
                meters,
            )
        except KeyboardInterrupt:
            if not done:
                raise
            stopped = True
            break
        done.append((job, _scale_to_batches(job, timing.latencies, fixed)))
        if stopped := timing.stopped:
            break
    return Timings(
        batches={job.size: found for job, found in done if not _is_paced(job)},
        paced=next((found for job, found in done if _is_paced(job)), None),
        stopped=stopped,
    )


def _tight_job(plan: Plan, size: int) -> _Job:
    duration_s = plan.duration_s / len(plan.batches)
    turn_s = min(_TURN_S, duration_s / _TURNS)
    protocol = Protocol(duration_s=duration_s, turn_s=turn_s, seed=plan.seed)
    if size > 1:
        protocol = replace(protocol, samples=_BATCH_SAMPLES)
    return _Job(f"timing, {size} image{'s' * (size > 1)} a call", size, protocol)


def _paced_job(plan: Plan) -> _Job:
    protocol = Protocol(
        samples=_BATCH_SAMPLES, duration_s=plan.duration_s, rate_hz=plan.rate_hz, seed=plan.seed
    )
    return _Job(f"timing, one image at {plan.rate_hz:g} Hz", 1, protocol)


def _is_paced(job: _Job) -> bool:
    return job.protocol.rate_hz is not None


def filled_size(size: int, fixed: int | None) -> int:
    """How many images go through a file for a batch of so many."""
    return size if fixed is None else math.ceil(size / fixed) * fixed


def _scale_to_batches(
    job: _Job, latencies: Sequence[Latency], fixed: Sequence[int | None]
) -> tuple[Latency, ...]:
    """The time that each batch itself takes of calls that were filled up."""
    if _is_paced(job):
        return tuple(latencies)
    shares = [job.size / filled_size(job.size, one) for one in [*fixed, None]]
    return tuple(_scale(one, share) for one, share in zip(latencies, shares, strict=True))


def _scale(whole: Latency, share: float) -> Latency:
    used = {name: counted * share for name, counted in whole.used.items()}
    return whole if share == 1 else Latency(whole.samples_us * share, whole.turns, used)


def _calls(
    job: _Job,
    runners: Sequence[Runner],
    images: Sequence[Images],
    fixed: Sequence[int | None],
) -> list[Call]:
    sizes = [filled_size(job.size, one) for one in fixed]
    calls = [_call(*one) for one in zip(runners, images, sizes, strict=True)]
    # A paced run's turns last a second each, whoever takes them.
    return calls if _is_paced(job) else [*calls, _yardstick()]


def _call(runner: Runner, images: Images, size: int) -> Call:
    """Only the answer is timed; the images are in the model's own form already."""
    prepared = [runner.prepare(some) for some in batches(images, size)]
    run, count_of = runner.run, len(prepared)
    return lambda count: run(prepared[count % count_of])


def batches(images: Images, size: int) -> list[Images]:
    """Batches of `size` images that go through all of them; the last may begin anew."""
    starts = range(0, len(images), size)
    return [images.take(range(at, at + size), axis=0, mode="wrap") for at in starts]


def _yardstick() -> Call:
    """A fixed piece of work that a machine's changes of speed hit as they hit networks: a product
    of integer matrices in numpy's own loop, which no BLAS and no second thread takes over.

    On a virtual machine that changes its speed it took 1.69 times as long in the slow state, where
    four networks took 1.48 to 1.81 times; a chain of additions, which only the clock slows down,
    took 1.16 times.
    """
    values = np.arange(32 * 32, dtype=np.int32).reshape(32, 32)
    return lambda count: values @ values


def time_preparation(runner: Runner, images: Images) -> Latency:
    """How long one image takes into the form that a model takes."""
    inputs = batches(images, 1)
    protocol = Protocol(samples=_PREPARED, duration_s=0, rounds=1, warmup_s=0.01)
    timing = measure([lambda count: runner.prepare(inputs[count % len(inputs)])], protocol)
    return timing.latencies[0]
