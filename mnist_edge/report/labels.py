"""What the contenders of a benchmark are called in its tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_edge.backends import Runs
from mnist_edge.benchmark import Benchmark, Entry
from mnist_edge.escaping import printable
from mnist_edge.report import formatting as text

_TITLES = {Runs.ORIGINAL: "PyTorch original", Runs.COMPILED: "torch.compile"}


@dataclass(frozen=True, slots=True)
class Label:
    """What an entry is called in a table; `under` is whether that belongs to a name above it."""

    text: str
    under: bool = False


def labels(record: Benchmark) -> list[Label]:
    """A name for each entry: its file's, or under that another runtime's."""
    names = files(record)
    return [_label(record, entry, name) for entry, name in zip(record.entries, names, strict=True)]


def full(record: Benchmark) -> list[str]:
    """A name for each entry that says by itself which file and which runtime it is."""
    names = files(record)
    return [
        name if entry.is_file else f"{name} in {entry.contender.runtime}"
        for entry, name in zip(record.entries, names, strict=True)
    ]


def of(record: Benchmark) -> Callable[[Entry], str]:
    """The full name of any of the record's entries."""
    found = {id(entry): name for entry, name in zip(record.entries, full(record), strict=True)}
    return lambda entry: found[id(entry)]


def files(record: Benchmark) -> list[str]:
    """The file's name of each entry, with as much of its folder as tells it apart; for those that
    run no file the model's, or where several runs trained the same model, the run's."""
    names = _shown([entry.contender.path for entry in record.entries])
    runs = _shown([entry.contender.path.parent for entry in record.entries])
    own = [entry.subject for entry in record.entries if not entry.contender.runs.file]
    found = []
    for entry, name, run in zip(record.entries, names, runs, strict=True):
        subject = entry.subject
        families = {other.family for other in own if other.model == subject.model}
        of_own = printable(subject.model) if len(families) == 1 else run
        found.append(name if entry.contender.runs.file else of_own)
    return found


def _shown(paths: Sequence[Path]) -> list[str]:
    return [printable(name) for name in text.short_names(paths)]


def _label(record: Benchmark, entry: Entry, name: str) -> Label:
    runtime, subject = entry.contender.runtime, entry.subject
    if entry.is_file:
        return Label(name)
    if title := _TITLES.get(entry.contender.runs):
        return Label(title, under=True)
    alike = [
        other
        for other in record.entries
        if other.contender.runtime == runtime
        and (other.subject.family, other.subject.precision) == (subject.family, subject.precision)
    ]
    told = f"{runtime} {subject.precision if len(alike) == 1 else name}"
    return Label(told, under=True)


def listed(names: Sequence[str]) -> str:
    """a, b and c"""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
