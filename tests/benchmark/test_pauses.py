"""Time that is taken from a measurement without a counter that tells: the real stopwatch on a
simulated clock, and quiet counters."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from mnist_edge.backends import Contender
from mnist_edge.benchmark import runner, stopwatch
from mnist_edge.benchmark.latency import Latency
from mnist_edge.benchmark.stopwatch import Meter, Protocol, measure, off_cpu_share
from mnist_edge.benchmark.timing import Timings
from mnist_edge.host.cpus import Clock, CpuTimes
from mnist_edge.host.noise import MOST_PAUSED, Cause, Noise, Snapshot, between
from mnist_edge.report.verdict import reasons, text
from tests.report.records import file

SCHEDULES = [(1, 4), (10, 20), (300, 1000)]  # stopped for so many ms in every so many
YARDSTICK_US, NETWORK_US = 9.0, 600.0


class Machine:
    """A clock on which work takes longer where the machine stops it. `seen` is whether the CPU
    time of a process stands still meanwhile, as with SIGSTOP and a cgroup's freezer, or goes on,
    as where a host takes a virtual machine's core away."""

    def __init__(self, stopped_ms: int, every_ms: int, seen: bool) -> None:
        self.now_ns = self.cpu_ns = 0
        self.free_ns, self.period_ns = (every_ms - stopped_ms) * 10**6, every_ms * 10**6
        self.seen = seen

    def work(self, us: float) -> None:
        todo_ns = round(us * 1000)
        self.cpu_ns += todo_ns
        while todo_ns:
            place_ns = self.now_ns % self.period_ns
            step_ns = min(todo_ns, max(0, self.free_ns - place_ns))
            todo_ns, self.now_ns = todo_ns - step_ns, self.now_ns + step_ns
            if todo_ns:
                pause_ns = self.period_ns - max(place_ns, self.free_ns)
                self.now_ns += pause_ns
                self.cpu_ns += 0 if self.seen else pause_ns

    def meters(self) -> dict[str, Meter]:
        return {"wall_s": lambda: self.now_ns / 1e9, "thread_s": lambda: self.cpu_ns / 1e9}


def timed(machine: Machine, monkeypatch: pytest.MonkeyPatch, *costs_us: float) -> Timings:
    """Each contender's calls and the yardstick's at 1 image and at 64: fifty times the work."""
    fake = SimpleNamespace(
        perf_counter_ns=lambda: machine.now_ns,
        perf_counter=lambda: machine.now_ns / 1e9,
    )
    monkeypatch.setattr(stopwatch, "time", fake)
    found: dict[int, Sequence[Latency]] = {}
    for size, times in ((1, 1), (64, 50)):
        costs = [*(cost * times for cost in costs_us), YARDSTICK_US]
        calls = [partial(lambda us, count: machine.work(us), us) for us in costs]
        protocol = Protocol(samples=64, duration_s=2.0, warmup_s=0)
        found[size] = measure(calls, protocol, meters=machine.meters()).latencies
    return Timings(found, None, stopped=False)


def quiet(paused: float | None) -> Noise:
    """What a machine's counters tell that saw nothing."""
    before = Snapshot(0.0, 0.0, CpuTimes(0.0, 0.0, 0.0), 0, 0.1, 0, Clock("performance", ""))
    return between(
        before, replace(before, wall_s=10.0, own_s=9.9, times=CpuTimes(10.0, 0, 40.0)), {}, paused
    )


def paused(found: Timings, threads: int = 1, runtime: str = "onnxruntime") -> float | None:
    contenders: list[Contender] = [file("edge.onnx", runtime)]
    value: float | None = runner._paused_share(contenders, found, threads)
    return value


@pytest.mark.parametrize("seen", [True, False], ids=["CPU time stops", "CPU time runs on"])
@pytest.mark.parametrize(("stopped_ms", "every_ms"), SCHEDULES)
def test_stolen_time_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, stopped_ms: int, every_ms: int, seen: bool
) -> None:
    found = paused(timed(Machine(stopped_ms, every_ms, seen), monkeypatch, NETWORK_US))
    assert found == pytest.approx(stopped_ms / every_ms, rel=0.4)
    assert not quiet(found).trusted
    assert quiet(0.0).trusted


def test_an_undisturbed_machine_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = paused(timed(Machine(0, 1, seen=True), monkeypatch, NETWORK_US))
    assert found == pytest.approx(0, abs=1e-6)
    assert quiet(found).trusted


def test_the_reason_gives_the_share_where_no_counter_explains_it() -> None:
    told = text(quiet(0.25))
    assert told.startswith("noisy: it stood still for 25 % of the time, which no counter")
    assert quiet(MOST_PAUSED).trusted
    explained = replace(quiet(0.25), others=0.3)
    assert explained.causes == (Cause.OTHER_PROGRAMS,)


def used(wall_s: float, thread_s: float) -> Latency:
    meters = {"wall_s": np.array([wall_s]), "thread_s": np.array([thread_s])}
    return Latency(np.array([9.0, 9.0]), np.array([2]), meters)


def test_only_what_computes_in_the_calling_thread_is_held_against_the_clock() -> None:
    """OpenVINO computes in a thread of its own, and so does ONNX Runtime on several."""
    found = Timings({1: [used(1.0, 0.2), used(1.0, 1.0)]}, None, stopped=False)
    assert paused(found) == pytest.approx(0.4)
    assert paused(found, threads=2) == 0.0
    assert paused(found, runtime="openvino") == 0.0


def test_without_the_meters_nothing_is_known() -> None:
    assert off_cpu_share([Latency(np.array([9.0]))]) is None


@pytest.mark.parametrize("size", [1, 8, 64])
def test_rounds_that_differ_are_seen_at_every_batch_size(size: int) -> None:
    steady = Latency(np.full(40, 10.0), np.full(20, 2))
    uneven = Latency(np.repeat(np.linspace(10, 20, 20), 2), np.full(20, 2))
    batches = {one: [uneven if one == size else steady, steady] for one in (1, 8, 64)}
    spread = runner._round_spreads([file("edge.onnx")], Timings(batches, None, stopped=False))
    assert len(spread) == 6
    (reason,) = reasons(Noise(spread=spread))
    at_once = "" if size == 1 else f" at {size} images a call"
    assert reason.startswith(f"edge.onnx in onnxruntime{at_once} varied by ")
