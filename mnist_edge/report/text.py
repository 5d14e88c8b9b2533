"""Numbers as a person reads them."""

from collections.abc import Sequence
from pathlib import Path

from mnist_edge.metrics import Accuracy


def percent(fraction: float, digits: int = 2) -> str:
    return f"{fraction * 100:.{digits}f} %"


def interval(accuracy: Accuracy) -> str:
    low, high = accuracy.interval
    return f"{low * 100:.2f}-{high * 100:.2f}"


def size(count: int) -> str:
    """Bytes in decimal units: 318 kB, 19.2 MB."""
    return f"{count / 1000:.0f} kB" if count < 999_500 else f"{count / 1e6:.1f} MB"


def amount(count: float) -> str:
    """A large count: 77.8 k, 2.55 M."""
    if count < 999.5:
        return f"{count:.0f}"
    return f"{count / 1000:.1f} k" if count < 999_950 else f"{count / 1e6:.2f} M"


def ratio(value: float) -> str:
    """A speed-up: 1.3 ×, 0.81 ×."""
    return f"{value:.2f} ×"


def microseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def milliseconds(value_us: float | None) -> str:
    return "-" if value_us is None else f"{value_us / 1000:.1f}"


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
