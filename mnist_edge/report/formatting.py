"""Numbers as a person reads them."""

from collections.abc import Sequence
from pathlib import Path

from mnist_edge.intervals import Ratio
from mnist_edge.metrics import Accuracy
from mnist_edge.rejection import Rejection


def count(number: int, noun: str) -> str:
    """1 image; 1,200 images"""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def join_words(words: Sequence[str]) -> str:
    """a, b and c"""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def percent(fraction: float, digits: int = 2) -> str:
    return f"{fraction * 100:.{digits}f} %"


def interval(accuracy: Accuracy) -> str:
    low, high = accuracy.interval
    return f"{low * 100:.2f}-{high * 100:.2f}"


def size(number: int, digits: int = 1) -> str:
    """Bytes in decimal units: 318 kB, 19.2 MB, 1.3 GB; `digits` are those of MB."""
    if number < 999_500:
        return f"{number / 1000:.0f} kB"
    return f"{number / 1e6:.{digits}f} MB" if number < 999_500_000 else f"{number / 1e9:.1f} GB"


def amount(number: float) -> str:
    """A large count: 77.8 k, 2.55 M."""
    if number < 999.5:
        return f"{number:.0f}"
    return f"{number / 1000:.1f} k" if number < 999_950 else f"{number / 1e6:.2f} M"


def speedup(speed: Ratio) -> str:
    """A measured speed-up with its 95 % interval: 11.2 (11.0-11.4); or "tie", and how near."""
    if speed.tie:
        return f"tie ({speed.low:.2f}-{speed.high:.2f})"
    return ratio(speed, digits=sum(speed.value < limit for limit in (0.1, 10, 100)))


def ratio(measured: Ratio, digits: int = 2) -> str:
    """With its 95 % interval: 1.07 (1.05-1.09)"""
    return f"{measured.value:.{digits}f} ({measured.low:.{digits}f}-{measured.high:.{digits}f})"


def p_value(p: float) -> str:
    """0.22, 0.0016, <0.001"""
    return f"{p:.2g}" if p >= 0.001 else "<0.001"


def integer(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def millijoules(joules: float | None) -> str:
    return "-" if joules is None else f"{joules * 1000:.2f}"


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


def rejection(found: Rejection) -> str:
    """? for 93.00 % of 200 test images of no class (186), and for 4.20 % of 1,000 of the classes
    (42)"""
    of_none = f"{percent(found.rejected / found.outliers)} of {found.outliers:,} test images"
    of_classes = f"{percent(found.unsure / found.images)} of {found.images:,} of the classes"
    return (
        f"? for {of_none} of no class ({found.rejected:,}), and for {of_classes} ({found.unsure:,})"
    )
