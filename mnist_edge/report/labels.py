"""What the contenders of a benchmark are called in its tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_edge.backends import ContenderKind
from mnist_edge.benchmark import Benchmark, Entry
from mnist_edge.escaping import printable
from mnist_edge.report import formatting

_TITLES = {ContenderKind.ORIGINAL: "PyTorch original", ContenderKind.COMPILED: "torch.compile"}


@dataclass(frozen=True, slots=True)
class Label:
    """What an entry is called in a table; `under` is whether that belongs to a name above it."""

    text: str
    under: bool = False


def row_labels(record: Benchmark) -> list[Label]:
    """A label for each entry: its file's name, or under that another runtime's."""
    names = file_names(record)
    return [_label(record, entry, name) for entry, name in zip(record.entries, names, strict=True)]


def full_names(record: Benchmark) -> list[str]:
    """A name for each entry that says by itself which file and which runtime it is."""
    names = file_names(record)
    return [
        name if entry.is_file else f"{name} in {entry.contender.runtime}"
        for entry, name in zip(record.entries, names, strict=True)
    ]


def name_getter(record: Benchmark) -> Callable[[Entry], str]:
    """The full name of any of the record's entries."""
    names = {id(one): name for one, name in zip(record.entries, full_names(record), strict=True)}
    return lambda entry: names[id(entry)]


def file_names(record: Benchmark) -> list[str]:
    """The file's name of each entry, with as much of its folder as tells it apart; for those that
    run no file the model's, or where several runs trained the same model, the run's."""
    files = _short_names([entry.contender.path for entry in record.entries])
    runs = _short_names([entry.contender.path.parent for entry in record.entries])
    families: dict[str, set[str]] = {}  # of each model that runs without a file
    for entry in record.entries:
        if not entry.contender.kind.is_file:
            families.setdefault(entry.info.model, set()).add(entry.info.family)
    return [
        file
        if entry.contender.kind.is_file
        else printable(entry.info.model)
        if len(families[entry.info.model]) == 1
        else run
        for entry, file, run in zip(record.entries, files, runs, strict=True)
    ]


def _short_names(paths: Sequence[Path]) -> list[str]:
    return [printable(name) for name in formatting.short_names(paths)]


def _label(record: Benchmark, entry: Entry, name: str) -> Label:
    runtime, info = entry.contender.runtime, entry.info
    if entry.is_file:
        return Label(name)
    if title := _TITLES.get(entry.contender.kind):
        return Label(title, under=True)
    alike = [
        other
        for other in record.entries
        if other.contender.runtime == runtime
        and (other.info.family, other.info.precision) == (info.family, info.precision)
    ]
    return Label(f"{runtime} {info.precision if len(alike) == 1 else name}", under=True)
