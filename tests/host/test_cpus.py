import os
from pathlib import Path

import pytest

from mnist_edge.host import cpus
from mnist_edge.host.cpus import Clock
from tests.helpers.proc import pretend

_V1 = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
"""
_V2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


def v2(path: str, files: dict[str, str], root: str = "/") -> dict[str, str]:
    """A machine with cgroup v2, whose process is in the group `path`."""
    mount = _V2.replace(" / /sys", f" {root} /sys")
    below = {f"/sys/fs/cgroup{name}": text for name, text in files.items()}
    return {"/proc/self/cgroup": f"0::{path}\n", "/proc/self/mountinfo": mount, **below}


def v1(path: str, files: dict[str, str]) -> dict[str, str]:
    groups = f"5:memory:/elsewhere\n4:cpu,cpuacct:{path}\n0::/\n"
    below = {f"/sys/fs/cgroup/cpu,cpuacct{name}": text for name, text in files.items()}
    return {"/proc/self/cgroup": groups, "/proc/self/mountinfo": _V1, **below}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        (v2("/", {"/cpu.max": "150000 100000\n"}), 1.5),
        (v2("/", {"/cpu.max": "max 100000\n"}), None),
        (v2("/a/b", {"/a/b/cpu.max": "max 100000\n", "/a/cpu.max": "50000 100000\n"}), 0.5),
        (v2("/a/b", {"/a/b/cpu.max": "200000 100000\n", "/a/cpu.max": "300000 100000\n"}), 2.0),
        (v2("/a", {"/b/cpu.max": "50000 100000\n"}), None),
        (v1("/a", {"/a/cpu.cfs_quota_us": "250000", "/a/cpu.cfs_period_us": "100000"}), 2.5),
        (v1("/a/b", {"/a/cpu.cfs_quota_us": "50000", "/a/cpu.cfs_period_us": "50000"}), 1.0),
        (v1("/", {"/cpu.cfs_quota_us": "-1", "/cpu.cfs_period_us": "100000"}), None),
        (v1("/", {"/cpu.cfs_quota_us": "50000"}), None),
    ],
)
def test_the_quota_is_the_tightest_of_the_own_group_and_its_parents(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: float | None
) -> None:
    pretend(monkeypatch, files)
    assert cpus.quota() == expected


@pytest.mark.parametrize(
    ("path", "root"), [("/docker/ab/x", "/docker/ab"), ("/x", "/"), ("/../x", "/"), ("/o", "/p")]
)
def test_a_container_that_sees_a_part_of_the_tree_finds_its_group_there(
    monkeypatch: pytest.MonkeyPatch, path: str, root: str
) -> None:
    """Where its own group is out of sight, the mount point's counts."""
    inside = {"/x/cpu.max": "max 100000\n", "/cpu.max": "50000 100000\n"}
    pretend(monkeypatch, v2(path, inside, root))
    assert cpus.quota() == 0.5


def test_throttling_counts_all_groups_above(monkeypatch: pytest.MonkeyPatch) -> None:
    stat = "usage_usec 5\nnr_periods 10\nnr_throttled {}\nthrottled_usec 3\n"
    files = {"/a/cpu.stat": stat.format(3), "/cpu.stat": "usage_usec 5\n"}
    pretend(monkeypatch, v2("/a", files))
    assert cpus.throttled() == 3
    pretend(monkeypatch, v2("/a", files | {"/cpu.stat": stat.format(4)}))
    assert cpus.throttled() == 7
    pretend(monkeypatch, v2("/a", {"/cpu.stat": "usage_usec 5\n"}))
    assert cpus.throttled() is None


def cpufreq(governors: dict[int, str], driver: str = "acpi-cpufreq") -> dict[str, str]:
    folder = "/sys/devices/system/cpu/cpu{}/cpufreq/scaling_{}"
    return {
        **{folder.format(cpu, "governor"): f"{name}\n" for cpu, name in governors.items()},
        **{folder.format(cpu, "driver"): f"{driver}\n" for cpu in governors},
    }


@pytest.mark.parametrize(
    ("governor", "driver", "steady"),
    [
        ("performance", "acpi-cpufreq", True),
        ("performance", "intel_pstate", True),
        ("powersave", "intel_pstate", True),
        ("powersave", "amd-pstate-epp", True),
        ("powersave", "acpi-cpufreq", False),
        ("powersave", "amd-pstate", False),
        ("schedutil", "intel_cpufreq", False),
        ("ondemand", "cpufreq-dt", False),
        ("conservative", "acpi-cpufreq", False),
        ("userspace", "acpi-cpufreq", False),
    ],
)
def test_a_clock_is_steady_where_no_program_chooses_it(
    monkeypatch: pytest.MonkeyPatch, governor: str, driver: str, steady: bool
) -> None:
    monkeypatch.setattr(cpus, "allowed", lambda: [0])
    pretend(monkeypatch, cpufreq({0: governor}, driver))
    assert cpus.clock() == Clock(governor, driver)
    assert Clock(governor, driver).steady is steady


def test_the_least_steady_clock_of_the_cpus_that_may_be_used_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, cpufreq({0: "performance", 1: "ondemand", 2: "performance"}))
    for allowed, governor in (([0, 2], "performance"), ([1, 2], "ondemand"), (None, "performance")):
        monkeypatch.setattr(cpus, "allowed", lambda found=allowed: found)
        clock = cpus.clock()
        assert clock
        assert clock.governor == governor


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="this system has no ticks")
def test_proc_stat_is_read_by_its_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """user nice system idle iowait irq softirq steal guest guest_nice, in ticks."""
    stat = "cpu  100 20 30 4000 500 6 7 80 9 1\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
    pretend(monkeypatch, {"/proc/stat": stat})
    found, ticks_per_s = cpus.cpu_times(), os.sysconf("SC_CLK_TCK")
    assert found
    assert found.busy_s == pytest.approx(163 / ticks_per_s)
    assert found.steal_s == pytest.approx(80 / ticks_per_s)
    assert found.total_s == pytest.approx(4743 / ticks_per_s)


def test_where_nothing_can_be_read_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {})
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    found = (cpus.quota(), cpus.throttled(), cpus.clock(), cpus.allowed(), cpus.cpu_times())
    assert found == (None,) * 5


@pytest.mark.skipif(not Path("/proc/self/cgroup").exists(), reason="there are no cgroups here")
def test_this_machines_own_files_are_understood() -> None:
    quota, throttled = cpus.quota(), cpus.throttled()
    assert quota is None or quota > 0
    assert throttled is None or throttled >= 0
