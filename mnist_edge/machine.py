"""What a number was measured on: CPU, cores, versions."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mnist_edge

# Flags that decide how fast, and whether exactly, int8 products are computed.
_FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "asimd", "asimddp", "i8mm")


@dataclass(frozen=True, slots=True)
class Machine:
    """`cores` are those that this process may use; `governor` is None where it is unreadable."""

    cpu: str
    flags: tuple[str, ...]
    cores: int
    governor: str | None
    system: str
    python: str
    packages: dict[str, str]


def this_machine() -> Machine:
    """The machine and the versions that this process runs on."""
    cpuinfo = _read(Path("/proc/cpuinfo"))
    pairs = (line.partition(":") for line in reversed(cpuinfo.splitlines()))
    fields = {key.strip(): value.strip() for key, _, value in pairs}
    words = set((fields.get("flags") or fields.get("Features") or "").split())
    governor = _read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")).strip()
    return Machine(
        cpu=fields.get("model name") or platform.processor() or platform.machine(),
        flags=tuple(flag for flag in _FLAGS if flag in words),
        cores=_usable_cores(),
        governor=governor or None,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        packages=_versions(),
    )


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _versions() -> dict[str, str]:
    found = {"mnist-edge": mnist_edge.__version__}
    for name in ("onnxruntime", "numpy", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
