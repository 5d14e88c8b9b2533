"""One benchmark from beginning to end."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_edge import datasets, energy, fresh, noise, stopwatch
from mnist_edge.benchmark.inspection import inspect
from mnist_edge.benchmark.record import Benchmark, Data, Entry, Plan
from mnist_edge.benchmark.scoring import scores
from mnist_edge.benchmark.timing import Progress, Timed, preparation, time_all
from mnist_edge.contenders import Contender, Examples, Subject, answer
from mnist_edge.contenders.base import OfModelFile
from mnist_edge.datasets import Dataset, Split
from mnist_edge.datasets.classes import in_order_of
from mnist_edge.errors import DataError
from mnist_edge.files import sha256
from mnist_edge.fresh import Start
from mnist_edge.machine import this_machine
from mnist_edge.picture import drawn_digits
from mnist_edge.stopwatch import THREAD, Latency, Meter

_LOADS = 11  # as many as a median needs
_LOADING_S = 10.0  # but no more of them than fit: some runtimes compile for half a minute
_COLD_STARTS = 11
_TIMED_IMAGES = 1000
_EXAMPLES = 500


def run(
    contenders: Sequence[Contender],
    data: Data,
    plan: Plan,
    progress: Progress = lambda what, fraction: None,
    missing: tuple[str, ...] = (),
) -> Benchmark:
    """Measure accuracy, start, memory and speed of every contender.

    A contender whose set is not in `data` shows the accuracy that its file records. Ctrl-C while
    calls are timed ends the timing, and what was measured until then is the result. GoldenError
    for a file that does not compute here what it computed where it was made, ModelError for a
    contender that fails.
    """
    began = datetime.now(UTC)
    images, described = images_to_time(data)
    loads: list[tuple[Latency, Latency]] = []
    for contender in contenders:
        progress("loading", len(loads) / len(contenders))
        loads.append(_load(contender, plan.threads, images[:1]))
    runners = [contender.load(plan.threads) for contender in contenders]
    findings = [
        inspect(contender, runner, images, plan.threads)
        for contender, runner in zip(contenders, runners, strict=True)
    ]
    answered = scores(contenders, runners, data, partial(progress, "accuracy"))
    starts = _fresh(contenders, plan, images, partial(progress, "fresh processes"))
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
    )
    quiet = noise.between(
        before, noise.read(), _spread(contenders, timed), _paused(contenders, timed, plan.threads)
    )
    entries = [
        Entry(
            contender=contender,
            size_bytes=size_bytes,
            sha256=digest,
            score=answered[at],
            findings=findings[at],
            load=loads[at][0],
            first=loads[at][1],
            prepare=prepared[at],
            batches={size: found[at] for size, found in timed.batches.items()},
            paced=timed.paced[at] if timed.paced else None,
            cold=_first_answers(starts[at]) if plan.cold else None,
            peak_bytes=_peak(starts[at]),
        )
        for at, contender in enumerate(contenders)
        for size_bytes, digest in (_identity(contender),)
    ]
    return Benchmark(
        entries=tuple(entries),
        plan=plan,
        machine=this_machine(),
        noise=quiet,
        images=described,
        yardstick={size: found[-1] for size, found in timed.batches.items()},
        energy_why_not=None if energy_j else energy.why_not(),
        measured_at=began.isoformat(timespec="seconds"),
        missing=missing,
        data=data,
        stopped=timed.stopped,
    )


def find_data(contenders: Sequence[Contender], dataset: str | None, data_dir: Path | None) -> Data:
    """The data to score the contenders on: `dataset` for all of them, or each one's own.

    Their own sets count only where they are on this machine: nothing is downloaded. Raises
    DataError for a set that is damaged, or has other classes.
    """
    found: Data = {}
    chosen = datasets.load(dataset, data_dir) if dataset else None
    for subject in (contender.subject for contender in contenders):
        known = found.get(subject.dataset)
        own = chosen or known or datasets.load_if_here(subject.dataset, data_dir)
        if own is None:
            continue
        _check_classes(own, subject)
        found[subject.dataset] = own
    return found


def _check_classes(data: Dataset, subject: Subject) -> None:
    """DataError for classes of other names; of a file that names none, for another number."""
    advice = "name the set that it was trained on with --dataset"
    if subject.names is not None:
        in_order_of(data, subject.names, subject.name, advice)
    elif len(data.classes) != subject.classes:
        raise DataError(
            f"{data.name} has {len(data.classes)} classes, {subject.name} tells "
            f"{subject.classes} apart: {advice}"
        )


def examples(name: str | None, data_dir: Path | None) -> Examples:
    """Labelled training images to find out what form of input a file of others takes: never test
    images. They are of the named set, or of MNIST; digits drawn in a font where that is not here.
    """
    here = datasets.load(name, data_dir) if name else datasets.load_if_here("mnist", data_dir)
    if here is None:
        labels = np.arange(_EXAMPLES, dtype=np.int64) % 10
        return Examples.of(Split(drawn_digits(_EXAMPLES), labels), 10)
    return Examples.of(here.train, len(here.classes))


def images_to_time(data: Data) -> tuple[NDArray[np.uint8], str]:
    """Real test images where there are any: zeros would flatter, and one image too."""
    for _, dataset in sorted(data.items()):
        return dataset.test.images[:_TIMED_IMAGES], f"test images of {dataset.name}"
    return drawn_digits(_TIMED_IMAGES), "digits drawn in a font: no data set is here"


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
) -> list[list[Start]]:
    """A fresh process for each contender, or several of them interleaved in random order."""
    random, times = np.random.default_rng(plan.seed), _COLD_STARTS if plan.cold else 1
    found: list[list[Start]] = [[] for _ in contenders]
    for done in range(times):
        for place, at in enumerate(random.permutation(len(contenders))):
            progress((done + place / len(contenders)) / times)
            found[at].append(fresh.start(contenders[at], plan.threads, images[:1]))
    return found


def _identity(contender: Contender) -> tuple[int, str]:
    """Size and SHA-256 of what ran: a model file's bytes are those that were read once."""
    if isinstance(contender, OfModelFile):
        return len(contender.model.content), contender.model.sha256
    return contender.path.stat().st_size, sha256(contender.path)


def _first_answers(starts: Sequence[Start]) -> Latency:
    return Latency(np.array([start.first_answer_s * 1e6 for start in starts]))


def _peak(starts: Sequence[Start]) -> int | None:
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
    here = [threads == 1 and one.runtime == "onnxruntime" for one in contenders]
    found: list[float] = []
    for latencies in timed.batches.values():
        in_thread = [one for one, counts in zip(latencies, [*here, True], strict=True) if counts]
        found += [stopwatch.off_cpu(in_thread) or 0.0, latencies[-1].stalled]
    return max(found, default=None)
