"""Which file to ship on the CPU that was measured, and why."""

from dataclasses import dataclass

from mnist_edge.benchmark import BATCH, Benchmark, Entry
from mnist_edge.contenders import PyTorch
from mnist_edge.contract import Card
from mnist_edge.report import text

_TIE = 0.03  # medians of equal graphs, interleaved, lie within this of each other
_SIGNIFICANT = 0.05


def lines(record: Benchmark) -> list[str]:
    """One line for each model that was measured in fp32 and in int8."""
    names = text.short_names([entry.contender.path for entry in record.entries])
    files = [
        _File(name, entry)
        for name, entry in zip(names, record.entries, strict=True)
        if not isinstance(entry.contender, PyTorch)
    ]
    return [
        f"on this CPU, {_advice(fp32, int8)}"
        for fp32 in files
        for int8 in files
        if (fp32.card.precision, int8.card.precision) == ("fp32", "int8")
        and fp32.card.checkpoint_sha256 == int8.card.checkpoint_sha256
    ]


@dataclass(frozen=True, slots=True)
class _File:
    """A file's numbers, under the name that the table gives it."""

    name: str
    entry: Entry

    @property
    def card(self) -> Card:
        return self.entry.contender.card


def _advice(fp32: _File, int8: _File) -> str:
    entries = fp32.entry, int8.entry
    one, many = _speedup(*entries, 1), _speedup(*entries, BATCH)
    size = f"{text.size(int8.entry.size_bytes)} against {text.size(fp32.entry.size_bytes)}"
    if one is None:
        return f"{fp32.name} and {int8.name} were timed too briefly to choose between them: {size}"
    at_once = f", {text.ratio(many)} at {BATCH} a call" if many else ""
    lost = _loss(int8.entry)
    if lost:
        return (
            f"ship {fp32.name} where accuracy counts: int8 {lost}; "
            f"its speed is {text.ratio(one)} that of fp32{at_once}, {size}"
        )
    accuracy = _kept(*entries)
    if one < 1 - _TIE:
        unless = f"size matters ({size})"
        if many and many > 1 + _TIE:
            unless += f" or images come many at a time (int8 is {text.ratio(many)} at {BATCH})"
        return f"int8 is slower ({text.ratio(one)}): ship {fp32.name} unless {unless}; {accuracy}"
    speed = f"{text.ratio(one)} as fast as fp32" if one > 1 + _TIE else "as fast as fp32"
    return f"ship {int8.name}: {speed} at one image{at_once}, {size}; {accuracy}"


def _speedup(fp32: Entry, int8: Entry, size: int) -> float | None:
    """How many times as fast int8 is, from the medians; None without enough samples."""
    pairs = [(fp32.single, int8.single), (fp32.batch, int8.batch)]
    slow, fast = (latency.percentile_us(50) for latency in pairs[size > 1])
    return slow / fast if slow and fast else None


def _loss(int8: Entry) -> str | None:
    """What int8 lost, where that is more than chance (McNemar)."""
    change = int8.change
    if change is None or change.worse <= change.better or change.p >= _SIGNIFICANT:
        return None
    return f"made {change.worse} answers wrong and {change.better} right (p {change.p:.2g})"


def _kept(fp32: Entry, int8: Entry) -> str:
    if int8.change is None:
        return f"accuracy {_percent(int8)} against {_percent(fp32)}"
    if not int8.change.changed:
        return "no answer changed"
    change = int8.change
    chance = "within chance" if change.p >= _SIGNIFICANT else "more right than chance"
    return (
        f"{change.changed} of {change.total:,} answers changed "
        f"(+{change.better} -{change.worse}: {chance})"
    )


def _percent(entry: Entry) -> str:
    return text.percent(entry.accuracy.value) + ("*" if entry.recorded else "")
