"""Numbers as a person reads them."""

from collections.abc import Sequence
from pathlib import Path

from mnist_edge.intervals import Ratio
from mnist_edge.metrics import Accuracy


def counted(number: int, what: str) -> str:
    """1 image; 1,200 images"""
    return f"{number:,} {what}{'s' * (number != 1)}"


def percent(fraction: float, digits: int = 2) -> str:
    return f"{fraction * 100:.{digits}f} %"


def interval(accuracy: Accuracy) -> str:
    low, high = accuracy.interval
    return f"{low * 100:.2f}-{high * 100:.2f}"


def size(count: int, digits: int = 1) -> str:
    """Bytes in decimal units: 318 kB, 19.2 MB, 1.3 GB; `digits` are those of MB."""
    if count < 999_500:
        return f"{count / 1000:.0f} kB"
    return f"{count / 1e6:.{digits}f} MB" if count < 999_500_000 else f"{count / 1e9:.1f} GB"


def amount(count: float) -> str:
    """A large count: 77.8 k, 2.55 M."""
    if count < 999.5:
        return f"{count:.0f}"
    return f"{count / 1000:.1f} k" if count < 999_950 else f"{count / 1e6:.2f} M"


def speedup(found: Ratio) -> str:
    """A measured speed-up with its 95 % interval: 11.2 (11.0-11.4); or "tie", and how near."""
    if found.tie:
        return f"tie ({found.low:.2f}-{found.high:.2f})"
    digits = sum(found.value < limit for limit in (0.1, 10, 100))
    return f"{found.value:.{digits}f} ({found.low:.{digits}f}-{found.high:.{digits}f})"


def chance(p: float) -> str:
    """A p value: 0.22, 0.0016, <0.001."""
    return f"{p:.2g}" if p >= 0.001 else "<0.001"


def microseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def milliseconds(value_us: float | None, digits: int = 1) -> str:
    """Without decimals from a second on."""
    if value_us is None:
        return "-"
    return f"{value_us / 1000:,.{digits if value_us < 999_950 else 0}f}"


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


def short_names(paths: Sequence[Path]) -> list[str]:
    """File names, with as many of their folders' as it takes to tell them apart."""
    wholes = [path.absolute().parts for path in paths]

    def short(whole: tuple[str, ...]) -> str:
        others = [other for other in wholes if other != whole]
        length = 1
        while any(other[-length:] == whole[-length:] for other in others):
            length += 1
        return "/".join(whole[-length:])

    return [short(whole) for whole in wholes]
