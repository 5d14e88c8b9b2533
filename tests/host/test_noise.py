import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from typing import Any

import pytest

from mnist_edge.host import noise
from mnist_edge.host.cpus import Clock, CpuTimes
from mnist_edge.host.noise import Cause, Noise, Snapshot, between, take_snapshot
from mnist_edge.report.verdict import reasons, text
from tests.helpers.proc import pretend

BEFORE = Snapshot(
    wall_s=100.0,
    own_s=5.0,
    times=CpuTimes(busy_s=1000.0, steal_s=10.0, total_s=4000.0),
    switches=7,
    load=1.0,
    throttled=2,
    clock=Clock("performance", "acpi-cpufreq"),
)
AFTER = Snapshot(
    wall_s=110.0,
    own_s=13.0,
    times=CpuTimes(busy_s=1012.0, steal_s=11.0, total_s=4040.0),
    switches=23,
    load=2.0,
    throttled=5,
    clock=Clock("ondemand", "acpi-cpufreq"),
)


def test_what_happened_is_the_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    found = between(BEFORE, AFTER, {"edge": 0.25})
    assert found.duration_s == 10.0
    assert found.own == 0.8
    assert found.steal == pytest.approx(1 / 13)  # of the 13 s that were asked for
    assert found.others == pytest.approx(4 / 40)  # 12 busy seconds, 8 of them its own
    assert found.switches_per_s == 2.0  # 16 in 8 s of its own
    assert found.load == 0.25  # when it began: later it counts itself
    assert found.throttled == 3
    assert found.clock == Clock("ondemand", "acpi-cpufreq")
    assert found.spread == {"edge": 0.25}
    assert found.unreadable == ()


def test_more_used_than_was_busy_is_rounding_and_leaves_nothing_to_others() -> None:
    assert between(BEFORE, replace(AFTER, own_s=30.0)).others == 0.0


@pytest.mark.parametrize(
    ("gone", "names"),
    [
        (("times",), ("steal", "other programs")),
        (("switches",), ("involuntary switches",)),
        (("load",), ("load",)),
        (("throttled",), ("throttling",)),
        (("clock",), ("governor",)),
    ],
)
def test_what_cannot_be_read_is_named_and_is_no_reason(
    gone: tuple[str, ...], names: tuple[str, ...]
) -> None:
    nothing: dict[str, Any] = dict.fromkeys(gone)
    idle: dict[str, Any] = {"load": 0.0, **nothing}
    quiet = replace(
        AFTER, own_s=16.0, times=CpuTimes(1012.0, 10.0, 4040.0), throttled=2, clock=BEFORE.clock
    )
    assert between(BEFORE, quiet).causes == ()
    found = between(replace(BEFORE, **idle), replace(quiet, **nothing))
    assert found.unreadable == names
    assert found.trusted


def test_counters_that_stand_still_are_not_readable() -> None:
    """As in containers whose /proc/stat is made up."""
    still = CpuTimes(0.0, 0.0, 0.0)
    found = between(replace(BEFORE, times=still), replace(AFTER, times=still))
    assert found.unreadable == ("steal", "other programs")


@pytest.mark.parametrize(
    ("most", "just_too_much", "reason"),
    [
        (
            Noise(steal=noise.MOST_STEAL),
            Noise(steal=0.04),
            "the host gave 4 % of this machine's CPU time to other guests",
        ),
        (
            Noise(others=noise.MOST_OTHERS),
            Noise(others=0.312),
            "31 % of the CPU was used by other programs: close them",
        ),
        (
            Noise(switches_per_s=noise.MOST_SWITCHES_PER_S),
            Noise(switches_per_s=1234.4),
            "it lost its core to others 1,234 times a second: close other programs",
        ),
        (
            Noise(load=noise.MOST_LOAD),
            Noise(load=0.84),
            "the load was 0.8 per core when it began: close other programs",
        ),
        (
            Noise(throttled=0),
            Noise(throttled=3),
            "the CPU quota stopped it 3 times: use fewer threads, or raise the quota",
        ),
        (
            Noise(clock=Clock("powersave", "intel_pstate")),
            Noise(clock=Clock("powersave", "acpi-cpufreq")),
            "governor is powersave: the clock stays at its lowest; set performance",
        ),
        (
            Noise(clock=Clock("performance", "")),
            Noise(clock=Clock("ondemand", "")),
            "governor is ondemand: the clock follows the load; set performance",
        ),
        (
            Noise(spread={"edge": noise.MOST_SPREAD}),
            Noise(spread={"edge": 0.3, "other": 0.02}),
            "edge varied by 30 % between rounds: measure again",
        ),
        (
            Noise(spread={}),
            Noise(spread={"a": 0.3, "b": 0.6, "c": 0.2}),
            "b (and 2 more) varied by 60 % between rounds: measure again",
        ),
    ],
)
def test_each_kind_of_noise_is_a_reason_of_its_own(
    most: Noise, just_too_much: Noise, reason: str
) -> None:
    assert (most.causes, most.trusted, text(most)) == ((), True, "trusted")
    found = just_too_much
    assert (found.trusted, len(found.causes)) == (False, 1)
    assert (reasons(found), text(found)) == ((reason,), f"noisy: {reason}")


def test_an_unknown_governor_is_a_reason_too() -> None:
    assert "governor is new" in text(Noise(clock=Clock("new", "")))


def test_the_load_counts_only_where_it_is_all_that_can_be_read() -> None:
    """It still remembers what ended a minute ago."""
    assert Noise(load=5.0, others=0.0).trusted
    assert not Noise(load=5.0).trusted


def test_threads_that_put_each_other_off_are_no_noise() -> None:
    assert Noise(switches_per_s=800.0, own=1.9).trusted
    assert not Noise(switches_per_s=800.0, own=1.0).trusted


def test_a_shared_core_is_a_reason_only_where_the_use_of_all_cores_is_none() -> None:
    """One busy process on a core of its own is little on a machine of 64."""
    assert Noise(others=0.02, switches_per_s=250.0).causes == (Cause.SWITCHES,)
    assert Noise(others=0.6, switches_per_s=250.0).causes == (Cause.OTHER_PROGRAMS,)


def test_reasons_stand_side_by_side() -> None:
    both = Noise(others=0.5, throttled=1)
    assert both.causes == (Cause.OTHER_PROGRAMS, Cause.QUOTA)
    assert text(both).count("; ") == 1


def test_a_pause_is_a_cause_where_no_other_explains_it() -> None:
    assert Noise(paused=0.25).causes == (Cause.PAUSES,)
    assert Noise(paused=0.25, steal=0.3).causes == (Cause.STEAL,)
    explained_by_none = Noise(paused=0.25, clock=Clock("ondemand", ""), spread={"edge": 0.3})
    assert explained_by_none.causes == (Cause.PAUSES, Cause.GOVERNOR, Cause.SPREAD)


def test_without_proc_and_resource_the_rest_is_still_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, {})
    monkeypatch.setattr(noise, "resource", None)
    monkeypatch.delattr(os, "getloadavg", raising=False)
    before = take_snapshot()
    sum(range(10_000))
    found = between(before, take_snapshot())
    assert found.duration_s > 0
    assert set(found.unreadable) == {
        "steal",
        "other programs",
        "involuntary switches",
        "load",
        "throttling",
        "governor",
    }
    assert found.trusted


_WORKER = """
import sys, time
while time.process_time() < 0.3:
    pass
print("done", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(take_snapshot().times is None, reason="/proc/stat cannot be read here")
def test_a_child_is_another_program_until_it_is_waited_for() -> None:
    before = take_snapshot()
    with subprocess.Popen(
        [sys.executable, "-c", _WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        child.stdout.readline()
        meanwhile = take_snapshot()
    after = take_snapshot()
    assert before.times
    assert meanwhile.times
    others = between(before, meanwhile).others
    assert others
    all_s = meanwhile.times.total_s - before.times.total_s
    assert others * all_s > 0.2  # CPU seconds, of the child's 0.3
    assert after.own_s - meanwhile.own_s > 0.25


def test_own_seconds_are_those_that_python_counts() -> None:
    before, start = take_snapshot(), time.process_time()
    while time.process_time() < start + 0.1:
        pass
    after, end = take_snapshot(), time.process_time()
    assert after.own_s - before.own_s == pytest.approx(end - start, rel=0.1)


def test_a_sample_works_for_a_while_and_says_how_even_that_was() -> None:
    found = noise.sample(0.05)
    assert found.duration_s >= 0.05
    (spread,) = found.spread.values()
    assert spread >= 0
    assert asdict(found)["spread"] == found.spread
