"""What a number was measured on: CPU, cores, versions."""

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mnist_edge
from mnist_edge.catalogue import EXTRAS
from mnist_edge.errors import UsageError
from mnist_edge.host import cpus

# Flags that decide how fast, and whether exactly, products are computed: x86, then ARM.
_FLAGS = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx_vnni_int8",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimddp",
    "i8mm",
)
_PACKAGES = (
    *("onnxruntime", "numpy", "pillow"),
    *(package for extra in EXTRAS for package in extra.packages),
)


@dataclass(frozen=True, slots=True)
class Machine:
    """`cores` are those that this process's affinity allows, of `logical` that there are.

    `quota` is what the cgroup allows of them, in cores, and None where it sets no limit. Where
    `governor` cannot be read, it is None. `virtual` is whether an x86 CPU says that it is a guest.
    """

    cpu: str
    flags: tuple[str, ...]
    cores: int
    governor: str | None
    system: str
    python: str
    packages: dict[str, str]
    quota: float | None = None
    logical: int | None = None
    virtual: bool = False


def this_machine() -> Machine:
    """The machine and the versions that this process runs on."""
    fields = _cpuinfo()
    words = _cpu_flags(fields)
    clock = cpus.clock()
    return Machine(
        cpu=_cpu_name(fields),
        flags=tuple(flag for flag in _FLAGS if flag in words),
        cores=_allowed_cores(),
        governor=clock.governor if clock else None,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        packages=_versions(),
        quota=cpus.quota(),
        logical=os.cpu_count(),
        virtual="hypervisor" in words,
    )


def has_flag(flag: str) -> bool:
    """Whether the CPU says that it has an instruction set, by its name in /proc/cpuinfo."""
    return flag in _cpu_flags(_cpuinfo())


def usable_threads() -> int:
    """How many threads can run at once: what affinity and cgroup quota leave, and at least 1."""
    return max(1, int(min(_allowed_cores(), cpus.quota() or float("inf"))))


def threads_for(asked: int, option: str = "--threads") -> int:
    """The number of threads, or of processes, that `asked` means, 0 being all that are usable.

    Raises UsageError, which names `option`, when more are asked for: threads that wait for a core
    wait for each other.
    """
    usable = usable_threads()
    if 0 <= asked <= usable:
        return asked or usable
    quota = cpus.quota()
    limit = "no quota" if quota is None else f"quota {quota:g}"
    raise UsageError(
        f"this process may use {usable} core{'s' * (usable > 1)} (affinity {_allowed_cores()}, "
        f"{limit}): {option} {usable} at most, or 0 for all"
    )


def _allowed_cores() -> int:
    return len(cpus.allowed() or ()) or os.cpu_count() or 1


def _cpuinfo() -> dict[str, str]:
    """/proc/cpuinfo's fields, those of the first CPU where several have them."""
    lines = cpus.read_text(Path("/proc/cpuinfo")).splitlines()
    pairs = (line.partition(":") for line in reversed(lines))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _cpu_flags(fields: dict[str, str]) -> set[str]:
    """The CPU's flags: x86 and ARM call them differently."""
    return set((fields.get("flags") or fields.get("Features") or "").split())


def _cpu_name(fields: dict[str, str]) -> str:
    """As the CPU calls itself; ARM boards are known by the board's name, else by numbers."""
    board = cpus.read_text(Path("/proc/device-tree/model")).strip("\0\n ")
    if name := fields.get("model name") or fields.get("Model") or board:
        return name
    if "CPU part" in fields:
        return f"{platform.machine()} {fields.get('CPU implementer')} {fields['CPU part']}"
    return _sysctl_cpu_name() or platform.processor() or platform.machine()


def _sysctl_cpu_name() -> str:
    """The CPU's name on macOS; elsewhere empty."""
    sysctl = shutil.which("sysctl") if platform.system() == "Darwin" else None
    if sysctl is None:
        return ""
    command = [sysctl, "-n", "machdep.cpu.brand_string"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _versions() -> dict[str, str]:
    found = {"mnist-edge": mnist_edge.__version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def cpp_compiler() -> str:
    """The C++ compiler that torch.compile takes (torch._inductor.config.cpp.cxx), here or not."""
    usual = {"win32": "cl", "darwin": "clang++"}.get(sys.platform, "g++")
    return os.environ.get("CXX") or usual
