"""How many threads to train with: all cores where they are free, and one where they are not.

PyTorch's threads meet behind every layer, and spin until the last has come. A small network has
many such meetings a millisecond. Where another program takes one of the cores, all wait for the
thread that was stopped, and two are slower than one (measured with `edge` on 2 cores, images/s:
8,100 against 5,300 on a quiet machine, 2,100 against 5,500 beside one busy loop). Threads that
sleep in place of spinning are no cure: 2,800 on a quiet machine. So both are timed.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from mnist_edge.host.machine import usable_threads
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.trainer import trial_step
from mnist_edge.lab.training.training_inputs import TrainingInputs

_ENVIRONMENT_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # what PyTorch heeds when it starts
_FEW_THREADS = 4  # where there are many cores, a few may be the best
_TURN_S = 0.1  # of steps with one number of threads, before it is another's turn
_ROUNDS, _MIN_ROUNDS, _MAX_S = 5, 2, 6.0
_TOO_SLOW = 0.5  # of the fastest: not timed any further
_MIN_SPEEDUP = 1.15  # times the speed: what more threads have to give, as another program may come

Step = Callable[[], int]
"""Takes one real training step on a copy of what is to be trained; returns its images."""


@dataclass(frozen=True, slots=True)
class ThreadChoice:
    """`count` threads; `rates` are images/s by the number of threads, where they were timed."""

    count: int
    rates: Mapping[int, float] = field(default_factory=dict)

    @property
    def images_per_s(self) -> float | None:
        """What this number gave when it was timed."""
        return self.rates.get(self.count)


def choose_threads(asked: int | None, saved: int | None, step: Callable[[], Step]) -> ThreadChoice:
    """The number of threads for a training on the CPU.

    What a person asks for, on the command line or in the environment, comes first; then what a
    run that goes on was begun with, `saved`, for the same bits; else the faster, by timing what
    `step` makes. Nothing but the time is left of that.
    """
    if asked is not None:
        return ThreadChoice(asked)
    if any(os.environ.get(name) for name in _ENVIRONMENT_VARIABLES):
        return ThreadChoice(torch.get_num_threads())
    if saved is not None:
        return ThreadChoice(min(saved, usable_threads()))
    counts = candidate_counts()
    if len(counts) == 1:
        return ThreadChoice(counts[0])
    rates = time_counts(step(), counts)
    return ThreadChoice(fastest_count(rates), rates)


def training_threads(
    inputs: TrainingInputs, group: ProcessGroup, asked: int | None, saved: int | None = None
) -> ThreadChoice:
    """The threads of a run. On a GPU, and where several processes share the cores, they are as
    PyTorch has them unless they are asked for."""
    if asked is None and (group.size > 1 or group.device.type != "cpu"):
        return ThreadChoice(torch.get_num_threads())
    return choose_threads(asked, saved, lambda: trial_step(inputs, group))


def candidate_counts() -> tuple[int, ...]:
    """The numbers that are worth a try: 1, some, and all that PyTorch would take."""
    most = max(1, min(torch.get_num_threads(), usable_threads()))
    return tuple(sorted({1, min(_FEW_THREADS, most), most}))


def fastest_count(rates: Mapping[int, float]) -> int:
    """The number to take: a larger one only where it is clearly faster."""
    chosen = min(rates)
    for count in sorted(rates):
        if rates[count] > _MIN_SPEEDUP * rates[chosen]:
            chosen = count
    return chosen


def time_counts(
    step: Step, counts: Sequence[int], clock: Callable[[], float] = time.perf_counter
) -> dict[int, float]:
    """Images/s with each number of threads, in turns: what disturbs, disturbs all of them."""
    images, seconds = dict.fromkeys(counts, 0), dict.fromkeys(counts, 0.0)
    left, started = list(counts), clock()
    for number in range(1 + _ROUNDS):
        for count in left:
            taken, spent = _time_turn(step, count, clock)
            if number:  # the first prepares kernels and memory
                images[count] += taken
                seconds[count] += spent
        if number >= _MIN_ROUNDS:
            rates = {count: images[count] / seconds[count] for count in counts}
            left = [count for count in left if rates[count] > _TOO_SLOW * max(rates.values())]
        if number and (len(left) == 1 or clock() - started > _MAX_S):
            break
    return {count: images[count] / seconds[count] for count in counts}


def _time_turn(step: Step, count: int, clock: Callable[[], float]) -> tuple[int, float]:
    """Images and seconds of some steps, behind one for which the threads wake up."""
    with torch_threads(count):
        step()
        images, started = 0, clock()
        while images == 0 or clock() - started < _TURN_S:
            images += step()
        return images, clock() - started


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """PyTorch with so many threads, which are the whole process's; as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
