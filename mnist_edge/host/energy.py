"""Energy of the CPU packages, from RAPL counters (the kernel's Power Capping Framework)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/class/powercap")
_COUNTER = "energy_uj"


def meter(root: Path = _ROOT) -> Callable[[], float] | None:
    """A function that tells how many joules all packages have used since now; None where they
    cannot be read. Call it every minute or so: the counters start again after some thousands."""
    try:
        counters = [_Counter.of(zone) for zone in _packages(root)]
    except (OSError, ValueError):
        return None
    return (lambda: sum(counter.joules() for counter in counters)) if counters else None


def unavailable_reason(root: Path = _ROOT) -> str:
    """Why energy cannot be read here, and what to do; empty where it can."""
    for zone in _packages(root):
        try:
            _Counter.of(zone)
        except PermissionError:
            everyone = root / "intel-rapl:*" / _COUNTER
            return f"only root may read energy: sudo chmod o+r {everyone}"
        except (OSError, ValueError) as error:
            return f"{zone / _COUNTER} cannot be read: {error}"
    return "" if _packages(root) else "this machine shows no RAPL counters"


@dataclass(slots=True)
class _Counter:
    """One package's counter, in microjoules, which starts again at 0 after `range_uj`."""

    path: Path
    range_uj: int
    last_uj: int
    used_uj: int = 0

    @staticmethod
    def of(zone: Path) -> "_Counter":
        path = zone / _COUNTER
        return _Counter(path, _number(zone / "max_energy_range_uj"), _number(path))

    def joules(self) -> float:
        now_uj = _number(self.path)
        grown_uj = now_uj - self.last_uj
        self.used_uj += grown_uj if grown_uj >= 0 else grown_uj + self.range_uj
        self.last_uj = now_uj
        return self.used_uj / 1e6


def _packages(root: Path) -> list[Path]:
    """The zones of whole packages. `intel-rapl:0:1` is a part of one, and counted in it; `psys` is
    the whole machine. AMD's counters have Intel's name too."""
    zones = sorted(root.glob("intel-rapl:*"))
    return [zone for zone in zones if zone.name.count(":") == 1 and _is_package(zone)]


def _is_package(zone: Path) -> bool:
    try:
        return (zone / "name").read_text().startswith("package")
    except OSError:
        return False


def _number(path: Path) -> int:
    return int(path.read_text())
