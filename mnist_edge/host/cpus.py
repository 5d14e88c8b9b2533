"""What Linux tells a process about its CPUs: affinity, cgroup quota, clock, use.

Everything is read from /proc and /sys; where a file is missing, on other systems and in some
containers, the answer is None. cgroups(7), and the kernel's own documents on cgroup v2 (cpu.max),
the CFS bandwidth controller (cpu.cfs_quota_us) and CPUFreq say what the files hold.
"""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# These drivers leave the choice of the clock to the CPU, and `powersave` is only their name for
# it. In their passive modes they have other names: intel_cpufreq, amd-pstate.
_CHOSEN_BY_THE_CPU = ("intel_pstate", "amd-pstate-epp")
_CPUS = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, slots=True)
class Clock:
    """Who chooses a CPU's clock: the CPUFreq governor, and the driver that it has."""

    governor: str
    driver: str

    @property
    def steady(self) -> bool:
        """Whether the governor keeps its hands off the clock while a program computes."""
        return self.governor == "performance" or (
            self.governor == "powersave" and self.driver in _CHOSEN_BY_THE_CPU
        )


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Seconds of all CPUs together, since they started: computing, taken by the host for other
    guests, and all."""

    busy_s: float
    steal_s: float
    total_s: float


def read_text(path: Path) -> str:
    """The text of a file of /proc or /sys; empty where it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def allowed() -> list[int] | None:
    """The numbers of the CPUs that this process may run on."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def clock() -> Clock | None:
    """The clock of the CPUs that this process may run on: the least steady, where they differ."""
    found = []
    for cpu in allowed() or [0]:
        folder = _CPUS / f"cpu{cpu}" / "cpufreq"
        if governor := read_text(folder / "scaling_governor").strip():
            found.append(Clock(governor, read_text(folder / "scaling_driver").strip()))
    return min(found, key=lambda clock: clock.steady, default=None)


def quota() -> float | None:
    """The cores' worth of time that the tightest control group allows; None for no limit."""
    limits = [limit for folder in _control_groups() if (limit := _quota_of(folder)) is not None]
    return min(limits, default=None)


def throttled() -> int | None:
    """How often the control groups have been stopped because their quota was used up."""
    counts = []
    for folder in _control_groups():
        words = read_text(folder / "cpu.stat").split()
        if "nr_throttled" in words:
            counts.append(int(words[words.index("nr_throttled") + 1]))
    return sum(counts) if counts else None


def cpu_times() -> CpuTimes | None:
    """What the CPUs have done so far, from /proc/stat (proc_stat(5))."""
    words = read_text(Path("/proc/stat")).partition("\n")[0].split()
    if len(words) < 9 or words[0] != "cpu":
        return None
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    user, nice, system, idle, waiting, hard, soft, steal = (
        int(word) / ticks_per_s for word in words[1:9]
    )
    busy = user + nice + system + hard + soft
    return CpuTimes(busy, steal, busy + idle + waiting + steal)


def _quota_of(folder: Path) -> float | None:
    """In cores. v2: "max 100000" or "150000 100000" in one file; v1: two files, -1 for none."""
    words = read_text(folder / "cpu.max").split() or [
        *read_text(folder / "cpu.cfs_quota_us").split(),
        *read_text(folder / "cpu.cfs_period_us").split(),
    ]
    if len(words) != 2 or words[0] in ("max", "-1"):
        return None
    return int(words[0]) / int(words[1])


def _control_groups() -> list[Path]:
    """The folders of this process's control group and of its parents, v1 and v2."""
    paths = {}
    for line in read_text(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):
            paths["cgroup" if controllers else "cgroup2"] = PurePosixPath(path)
    folders = []
    for line in read_text(Path("/proc/self/mountinfo")).splitlines():
        left, _, right = line.partition(" - ")
        root, place = left.split()[3:5]
        kind, _, options = right.split()
        if kind in paths and (kind == "cgroup2" or "cpu" in options.split(",")):
            folders += _with_parents(Path(place), PurePosixPath(root), paths[kind])
    return folders


def _with_parents(place: Path, root: PurePosixPath, path: PurePosixPath) -> list[Path]:
    """From a group's folder up to where its tree is mounted.

    A container often sees only a part of the tree, `root`, and maybe not its own part of it: then
    the mount point is the best that there is.
    """
    inside = path.relative_to(root) if path.is_relative_to(root) else PurePosixPath()
    if ".." in inside.parts:
        inside = PurePosixPath()
    return [place / part for part in (inside, *inside.parents)]
