"""A training that becomes slow: when that is said, and what is said of it."""

import time

import pytest

from mnist_edge.cli.train_output import slowdown_text, threads_text
from mnist_edge.host import cpus
from mnist_edge.lab.training.events import EpochResult, StepResult
from mnist_edge.lab.training.slowdown import Slowdown, SpeedWatch
from mnist_edge.lab.training.threads import ThreadChoice


def epoch(number: int, images_per_s: float) -> EpochResult:
    return EpochResult(number, 9, 1.0, 0.5, 1, 2, images_per_s, 1.0)


def step(number: int, images_per_s: float) -> StepResult:
    return StepResult(1, 9, number, 99, 1.0, images_per_s, 1.0)


def test_a_steady_training_says_nothing() -> None:
    watch = SpeedWatch(5000.0)
    assert [watch.epoch(epoch(n, 5000.0 - 200 * n)) for n in range(1, 9)] == [None] * 8


def test_it_is_said_once_and_against_the_best_before() -> None:
    watch = SpeedWatch(4000.0)
    assert watch.epoch(epoch(1, 5000.0)) is None
    found = watch.epoch(epoch(2, 2400.0))
    assert found is not None
    assert (found.epoch, found.images_per_s, found.before) == (2, 2400.0, 5000.0)
    assert watch.epoch(epoch(3, 100.0)) is None


def test_where_nothing_was_timed_the_first_steps_count() -> None:
    watch = SpeedWatch(None)
    watch.step(step(1, 9000.0))  # too early
    watch.step(step(10, 5000.0))
    watch.step(step(20, 1000.0))
    found = watch.epoch(epoch(1, 900.0))
    assert found is not None
    assert found.before == 5000.0
    assert SpeedWatch(None).epoch(epoch(1, 1.0)) is None


@pytest.mark.parametrize(
    ("busy_s", "steal_s", "others"), [(10.0, 0.0, 0.0), (18.0, 0.0, 0.8), (10.0, 5.0, 0.5)]
)
def test_others_are_all_but_this_process(
    monkeypatch: pytest.MonkeyPatch, busy_s: float, steal_s: float, others: float
) -> None:
    """In 10 s, of which this process had 10."""
    monkeypatch.setattr(cpus, "cpu_times", lambda: cpus.CpuTimes(100.0, 10.0, 1000.0))
    monkeypatch.setattr(time, "perf_counter", lambda: 5.0)
    monkeypatch.setattr(time, "process_time", lambda: 3.0)
    watch = SpeedWatch(5000.0)
    monkeypatch.setattr(
        cpus, "cpu_times", lambda: cpus.CpuTimes(100 + busy_s, 10 + steal_s, 1020.0)
    )
    monkeypatch.setattr(time, "perf_counter", lambda: 15.0)
    monkeypatch.setattr(time, "process_time", lambda: 13.0)
    found = watch.epoch(epoch(1, 100.0))
    assert found is not None
    assert found.others == pytest.approx(others)


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpus, "cpu_times", lambda: None)
    found = SpeedWatch(5000.0).epoch(epoch(1, 100.0))
    assert found is not None
    assert found.others is None


def test_one_line_says_why_and_what_to_do() -> None:
    found = Slowdown(7, 900.0, 8100.0, 1.04)
    assert slowdown_text(found, 2, "mnist-edge train --resume --threads 1 --out runs/edge") == (
        "epoch 7 ran at 900 images/s, after 8,100: other programs had 1.0 cores' worth of time, "
        "and 2 threads wait for each other then. Ctrl-C, and 'mnist-edge train --resume "
        "--threads 1 --out runs/edge' goes on with one, if this lasts"
    )
    assert slowdown_text(Slowdown(7, 900.0, 8100.0, None), 1, "") == (
        "epoch 7 ran at 900 images/s, after 8,100: the CPU gives less than before (its clock, a "
        "quota, or a virtual machine's host). Nothing is lost, it takes longer"
    )


def test_threads_are_told_with_their_speeds() -> None:
    assert threads_text(ThreadChoice(1)) == "1 thread"
    assert threads_text(ThreadChoice(2)) == "2 threads"
    timed = ThreadChoice(2, {1: 5300.0, 2: 8100.0})
    assert threads_text(timed) == "2 threads (8,100 images/s; with 1: 5,300)"
