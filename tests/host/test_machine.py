import os
import platform
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy
import onnxruntime
import PIL
import pytest
import torch

import mnist_edge
from mnist_edge.errors import EdgeError
from mnist_edge.host import cpus, machine
from mnist_edge.host.machine import this_machine, threads_for, usable_threads
from tests.helpers.proc import pretend

_X86 = """\
processor\t: 0
model name\t: Some CPU @ 3.00GHz
flags\t\t: fpu sse2 avx2 avx512f avx512_vnni lm

processor\t: 1
model name\t: Other CPU
flags\t\t: fpu
"""
_PI = """\
processor\t: 0
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41

Model\t\t: Raspberry Pi 4
"""
_ARM = """\
processor\t: 0
Features\t: fp asimd asimddp i8mm
CPU implementer\t: 0x41
CPU part\t: 0xd0c
"""


def test_the_versions_are_those_that_run() -> None:
    packages = this_machine().packages
    assert packages["mnist-edge"] == mnist_edge.__version__
    assert packages["onnxruntime"] == onnxruntime.__version__
    assert packages["numpy"] == numpy.__version__
    assert packages["pillow"] == PIL.__version__
    assert str(torch.__version__).startswith(packages["torch"])  # a build may add "+cpu"


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name not in ("numpy", "openvino"):
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(machine, "version", version)
    assert sorted(this_machine().packages) == ["mnist-edge", "numpy", "openvino"]


def test_the_first_cpu_and_its_flags_that_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {"/proc/cpuinfo": _X86})
    found = this_machine()
    assert found.cpu == "Some CPU @ 3.00GHz"
    assert found.flags == ("avx2", "avx512f", "avx512_vnni")
    assert found.governor is None


_ARM = """\
processor\t: 0
Features\t: fp asimd asimddp i8mm
CPU implementer\t: 0x41
CPU part\t: 0xd0c
"""


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"/proc/cpuinfo": _PI}, "Raspberry Pi 4"),
        ({"/proc/cpuinfo": _ARM, "/proc/device-tree/model": "Some Board\0"}, "Some Board"),
        ({"/proc/cpuinfo": _ARM}, f"{platform.machine()} 0x41 0xd0c"),
    ],
)
def test_an_arm_cpu_has_features_and_the_name_of_its_board_or_numbers(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], name: str
) -> None:
    pretend(monkeypatch, files)
    found = this_machine()
    assert (found.cpu, found.virtual) == (name, False)
    assert "asimd" in found.flags


def test_the_flags_of_arm_that_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {"/proc/cpuinfo": _ARM})
    assert this_machine().flags == ("asimd", "asimddp", "i8mm")


@pytest.mark.parametrize(("flags", "virtual"), [("fpu hypervisor avx2", True), ("fpu avx2", False)])
def test_an_x86_guest_says_that_it_is_one(
    monkeypatch: pytest.MonkeyPatch, flags: str, virtual: bool
) -> None:
    pretend(monkeypatch, {"/proc/cpuinfo": f"model name : Some CPU\nflags : {flags}\n"})
    assert this_machine().virtual is virtual


def test_the_governor_is_that_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpus, "clock", lambda: cpus.Clock("ondemand", "cpufreq-dt"))
    assert this_machine().governor == "ondemand"


@pytest.mark.skipif(os.name != "posix", reason="the pretended program is a shell script")
def test_macos_is_asked_for_the_name_of_its_cpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sysctl = tmp_path / "sysctl"
    sysctl.write_text('#!/bin/sh\necho "Apple $2"\n')
    sysctl.chmod(0o755)
    pretend(monkeypatch, {})
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert this_machine().cpu == "Apple machdep.cpu.brand_string"


def test_where_nothing_can_be_read_the_rest_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {})
    found = this_machine()
    assert found.cpu
    assert (found.flags, found.governor, found.quota) == ((), None, None)
    assert found.cores >= 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no processes")
def test_cores_are_those_that_this_process_may_use() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert this_machine().cores == 1
    finally:
        os.sched_setaffinity(0, before)
    assert this_machine().cores == len(before)


def test_where_affinity_is_unknown_all_cores_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert this_machine().cores == os.cpu_count()


@pytest.mark.parametrize(
    ("cores", "quota", "usable"),
    [(4, None, 4), (4, 2.5, 2), (4, 0.5, 1), (2, 8.0, 2), (1, 1.0, 1)],
)
def test_threads_are_what_affinity_and_quota_leave(
    monkeypatch: pytest.MonkeyPatch, cores: int, quota: float | None, usable: int
) -> None:
    monkeypatch.setattr(cpus, "allowed", lambda: list(range(cores)))
    monkeypatch.setattr(cpus, "quota", lambda: quota)
    assert usable_threads() == usable
    assert threads_for(0) == usable
    assert [threads_for(asked) for asked in range(1, usable + 1)] == list(range(1, usable + 1))
    for asked in (usable + 1, -1):
        with pytest.raises(EdgeError, match=rf"--threads {usable} at most, or 0 for all$"):
            threads_for(asked)


@pytest.mark.parametrize(
    ("cores", "quota", "message"),
    [
        (2, None, r"^this process may use 2 cores \(affinity 2, no quota\): "),
        (4, 1.5, r"^this process may use 1 core \(affinity 4, quota 1\.5\): "),
    ],
)
def test_too_many_threads_are_told_what_limits_them(
    monkeypatch: pytest.MonkeyPatch, cores: int, quota: float | None, message: str
) -> None:
    monkeypatch.setattr(cpus, "allowed", lambda: list(range(cores)))
    monkeypatch.setattr(cpus, "quota", lambda: quota)
    with pytest.raises(EdgeError, match=message):
        threads_for(5)
