"""The timed part of a benchmark: how fast loaded contenders answer, and what that uses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mnist_edge.benchmark.record import Plan
from mnist_edge.contenders import Runner
from mnist_edge.stopwatch import Call, Latency, Meter, Protocol, measure

_BATCH_SAMPLES = 64  # calls are longer: as many as a p90 needs
_TURN_S = 0.025
_TURNS = 20  # so many rounds fit into a short duration too
_PREPARED = 700

Images = NDArray[np.uint8]

Progress = Callable[[str, float], None]
"""Told what is under way, and the fraction of it that is done."""


@dataclass(frozen=True, slots=True)
class Timed:
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


def time_all(
    runners: Sequence[Runner],
    images: Images,
    plan: Plan,
    meters: Mapping[str, Meter],
    progress: Progress,
) -> Timed:
    """Time every runner by the plan, all of them and a yardstick interleaved.

    Ctrl-C ends it, and what was measured until then is kept; KeyboardInterrupt is raised when
    that is nothing.
    """
    jobs = [_tight(plan, size) for size in plan.batches]
    jobs += [_paced(plan)] if plan.rate_hz else []
    done: list[tuple[_Job, tuple[Latency, ...]]] = []
    stopped = False
    for job in jobs:
        try:
            timing = measure(
                _calls(job, runners, images), job.protocol, partial(progress, job.what), meters
            )
        except KeyboardInterrupt:
            if not done:
                raise
            stopped = True
            break
        done.append((job, timing.latencies))
        if stopped := timing.stopped:
            break
    return Timed(
        batches={job.size: found for job, found in done if job.protocol.rate_hz is None},
        paced=next((found for job, found in done if job.protocol.rate_hz), None),
        stopped=stopped,
    )


def _tight(plan: Plan, size: int) -> _Job:
    duration_s = plan.duration_s / len(plan.batches)
    turn_s = min(_TURN_S, duration_s / _TURNS)
    protocol = Protocol(duration_s=duration_s, turn_s=turn_s, seed=plan.seed)
    if size > 1:
        protocol = replace(protocol, samples=_BATCH_SAMPLES)
    return _Job(f"timing, {size} image{'s' * (size > 1)} a call", size, protocol)


def _paced(plan: Plan) -> _Job:
    protocol = Protocol(
        samples=_BATCH_SAMPLES, duration_s=plan.duration_s, rate_hz=plan.rate_hz, seed=plan.seed
    )
    return _Job(f"timing, one image at {plan.rate_hz:g} Hz", 1, protocol)


def _calls(job: _Job, runners: Sequence[Runner], images: Images) -> list[Call]:
    calls = [_call(runner, images, job.size) for runner in runners]
    paced = job.protocol.rate_hz is not None  # its turns last a second each, whoever takes them
    return calls if paced else [*calls, _yardstick()]


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


def preparation(runner: Runner, images: Images) -> Latency:
    """How long one image takes into the form that a model takes."""
    inputs = batches(images, 1)
    protocol = Protocol(samples=_PREPARED, duration_s=0, rounds=1, warmup_s=0.01)
    timing = measure([lambda count: runner.prepare(inputs[count % len(inputs)])], protocol)
    return timing.latencies[0]
