import os
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy
import onnxruntime
import pytest
import torch

import mnist_edge
from mnist_edge import machine
from mnist_edge.machine import this_machine

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


def pretend(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    """Let exactly these files be readable below /proc and /sys."""

    def read_text(path: Path, **options: object) -> str:
        if str(path) not in files:
            raise FileNotFoundError(path)
        return files[str(path)]

    monkeypatch.setattr(Path, "read_text", read_text)


def test_the_versions_are_those_that_run() -> None:
    packages = this_machine().packages
    assert packages["mnist-edge"] == mnist_edge.__version__
    assert packages["onnxruntime"] == onnxruntime.__version__
    assert packages["numpy"] == numpy.__version__
    assert str(torch.__version__).startswith(packages["torch"])  # a build may add "+cpu"


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "torch":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(machine, "version", version)
    assert sorted(this_machine().packages) == ["mnist-edge", "numpy", "onnxruntime"]


def test_the_first_cpu_and_its_flags_that_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {"/proc/cpuinfo": _X86})
    found = this_machine()
    assert found.cpu == "Some CPU @ 3.00GHz"
    assert found.flags == ("avx2", "avx512f", "avx512_vnni")
    assert found.governor is None


def test_an_arm_board_has_features_and_no_model_name(monkeypatch: pytest.MonkeyPatch) -> None:
    governor = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    pretend(monkeypatch, {"/proc/cpuinfo": _PI, governor: "ondemand\n"})
    found = this_machine()
    assert found.flags == ("asimd",)
    assert found.cpu
    assert found.governor == "ondemand"


def test_where_nothing_can_be_read_the_rest_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {})
    found = this_machine()
    assert found.cpu
    assert (found.flags, found.governor) == ((), None)
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
