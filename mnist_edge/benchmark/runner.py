"""One benchmark from beginning to end."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from mnist_edge.backends import Contender, ContenderKind, FileContender, OnnxRuntime, Runner
from mnist_edge.backends.base import full_name
from mnist_edge.benchmark import stopwatch
from mnist_edge.benchmark.latency import Latency
from mnist_edge.benchmark.loading import PreparedContender, prepare_contenders
from mnist_edge.benchmark.record import Benchmark, Data, Entry, Plan, Score
from mnist_edge.benchmark.scored_data import TimingImages
from mnist_edge.benchmark.scoring import scores
from mnist_edge.benchmark.stopwatch import THREAD_METERS, Meter
from mnist_edge.benchmark.timing import Timings, time_all, time_preparation
from mnist_edge.errors import EdgeError
from mnist_edge.files import sha256
from mnist_edge.host import energy, noise
from mnist_edge.host.machine import this_machine
from mnist_edge.types import Progress


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
    images = TimingImages.choose(contenders, data)
    refused: list[EdgeError] = []
    ready = prepare_contenders(contenders, data, plan, images, progress, refused)
    scored = scores([one.contender for one in ready], [one.logits for one in ready], data)
    prepared = [time_preparation(one.runner, images.of(one.contender)) for one in ready]
    energy_j = energy.meter()
    timed, quiet = _time(ready, images, plan, energy_j, progress)
    entries = [
        _entry(one, at, score, prepare, timed, plan.cold)
        for at, (one, score, prepare) in enumerate(zip(ready, scored, prepared, strict=True))
    ]
    return Benchmark(
        entries=tuple(entries),
        plan=plan,
        machine=this_machine(),
        noise=quiet,
        images=images.source,
        yardstick={size: found[-1] for size, found in timed.batches.items()},
        energy_why_not=None if energy_j else energy.unavailable_reason(),
        measured_at=began.isoformat(timespec="seconds"),
        missing=missing,
        refused=tuple(str(error) for error in refused),
        data=data,
        stopped=timed.stopped,
    )


def _time(
    ready: Sequence[PreparedContender],
    images: TimingImages,
    plan: Plan,
    energy_j: Meter | None,
    progress: Progress,
) -> tuple[Timings, noise.Noise]:
    """Time all of them, and how far the machine let them run undisturbed meanwhile."""
    contenders = [one.contender for one in ready]
    runners = [one.runner for one in ready]
    meters: dict[str, Meter] = {**THREAD_METERS, "cpu_s": time.process_time}
    before = noise.take_snapshot()
    timed = time_all(
        runners,
        [images.of(one) for one in contenders],
        plan,
        meters | ({"energy_j": energy_j} if energy_j else {}),
        progress,
        [one.info.batch for one in contenders],
        _paced_runners(contenders, runners, plan),
    )
    quiet = noise.between(
        before,
        noise.take_snapshot(),
        _round_spreads(contenders, timed),
        _paused_share(contenders, timed, plan.threads),
    )
    return timed, quiet


def _entry(
    one: PreparedContender,
    at: int,
    score: Score | None,
    prepare: Latency,
    timed: Timings,
    cold: bool,
) -> Entry:
    """What was measured of one contender, whose latencies are number `at` of those timed."""
    size_bytes, digest = _identity(one.contender)
    return Entry(
        contender=one.contender,
        size_bytes=size_bytes,
        sha256=digest,
        score=score,
        findings=one.findings,
        load=one.load,
        first=one.first,
        prepare=prepare,
        batches={size: found[at] for size, found in timed.batches.items()},
        paced=timed.paced[at] if timed.paced else None,
        cold=Latency(np.array([start.first_answer_s * 1e6 for start in one.starts]))
        if cold
        else None,
        peak_bytes=max(filter(None, (start.peak_bytes for start in one.starts)), default=None),
    )


def _paced_runners(
    contenders: Sequence[Contender], runners: Sequence[Runner], plan: Plan
) -> list[Runner]:
    """What a paced run asks: several threads of a contender sleep until the next image where they
    can. Spinning would take the CPU from what else a camera's machine does."""
    if plan.rate_hz is None or plan.threads == 1:
        return [*runners]
    return [
        one.load_asleep(plan.threads) if isinstance(one, OnnxRuntime) else runner
        for one, runner in zip(contenders, runners, strict=True)
    ]


def _identity(contender: Contender) -> tuple[int, str]:
    """Size and SHA-256 of what ran: a model file's bytes are those that were read once."""
    if isinstance(contender, FileContender):
        return len(contender.model.content), contender.model.sha256
    return contender.path.stat().st_size, sha256(contender.path)


def _round_spreads(contenders: Sequence[Contender], timed: Timings) -> dict[str, float]:
    """How far apart the rounds are, by name and, beyond one image a call, batch size."""
    names = [full_name(one) for one in contenders]
    found: dict[str, float] = {}
    for size, latencies in timed.batches.items():
        at_once = "" if size == 1 else f" at {size} images a call"
        for name, latency in zip([*names, "a fixed piece of work"], latencies, strict=True):
            if latency.spread is not None:
                found[name + at_once] = latency.spread
    return found


def _paused_share(contenders: Sequence[Contender], timed: Timings, threads: int) -> float | None:
    """The largest part of any batch size's time in which what was timed stood still.

    Looked at are the yardstick, and files on one thread in ONNX Runtime, which computes in the
    calling thread: other runtimes may wait for a thread of theirs.
    """
    here = [threads == 1 and one.kind is ContenderKind.FILE for one in contenders]
    found: list[float] = []
    for latencies in timed.batches.values():
        in_thread = [one for one, counts in zip(latencies, [*here, True], strict=True) if counts]
        found += [stopwatch.off_cpu_share(in_thread) or 0.0, latencies[-1].stalled_share]
    return max(found, default=None)
