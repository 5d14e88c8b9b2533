"""What a reader of a benchmark must not overlook, or may not expect."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from mnist_edge.backends import OnnxRuntime
from mnist_edge.benchmark import Benchmark, Entry
from mnist_edge.benchmark.inspection import Inspection
from mnist_edge.model_file.saturation import LARGEST_PAIR
from mnist_edge.report import labels
from mnist_edge.report.dataset import changed_images_note
from mnist_edge.report.formatting import join_words
from mnist_edge.report.input_formats import describe_input


class Kind(Enum):
    """What a note is about."""

    WRONG_HERE = auto()
    MAY_SATURATE = auto()
    IN_FLOAT = auto()
    OTHER_IMAGES = auto()


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a reader may not expect, in words."""

    kind: Kind
    text: str

    @property
    def is_warning(self) -> bool:
        """Whether the file must not be shipped."""
        return self.kind in (Kind.WRONG_HERE, Kind.MAY_SATURATE)

    @property
    def line(self) -> str:
        """As the terminal says it."""
        return f"warning: {self.text}" if self.is_warning else self.text


def notes(record: Benchmark) -> list[Note]:
    """Files that this CPU computes wrongly, layers in float, other test images than a model's."""
    found: list[Note] = []
    for name, entry in zip(labels.full_names(record), record.entries, strict=True):
        if entry.findings:
            found += _of_file(name, entry, entry.findings)
    return [*found, *(Note(Kind.OTHER_IMAGES, line) for line in _other_images(record))]


def warnings(record: Benchmark) -> list[str]:
    """What a page says before its tables; most often nothing."""
    texts = [note.text for note in notes(record) if note.is_warning]
    if record.stopped:
        texts.append("The run was stopped before all was measured: what is missing was not timed.")
    return texts


def remarks(record: Benchmark) -> list[str]:
    """What else a page says before its tables."""
    texts = [note.text for note in notes(record) if not note.is_warning]
    texts += [
        f"{name} is not a file of mnist-edge: {describe_input(entry.contender.input_format)}."
        for name, entry in zip(labels.file_names(record), record.entries, strict=True)
        if isinstance(entry.contender, OnnxRuntime) and not entry.info.ours
    ]
    if any(entry.recorded for entry in record.entries):
        texts.append(
            "Accuracies marked * are what files say of themselves: their data set was not here."
        )
    return [*texts, *record.missing]


def _of_file(name: str, entry: Entry, findings: Inspection) -> Iterator[Note]:
    if findings.saturates:
        why = f"computes wrongly on this CPU: {_saturation(entry, findings)}"
        yield Note(Kind.WRONG_HERE, f"{name} {why}")
    elif findings.may_saturate:
        yield Note(Kind.MAY_SATURATE, f"{name} {_saturation_elsewhere(entry, findings)}")
    if findings.kernels.any_int8 and findings.kernels.in_float:
        layers = join_words(findings.kernels.in_float)
        yield Note(Kind.IN_FLOAT, f"{name}: {layers} stayed in float")


def _saturation(entry: Entry, findings: Inspection) -> str:
    off = findings.deviation
    text = (
        f"{off.changed} of {off.images} answers differ from its float reference, "
        f"max |Δlogit| {off.max_logit_difference:.2g} (limit {off.limit:.2g})"
    )
    if not findings.kernels.any_int8:
        return f"{text}: do not ship it"
    return f"{text}: its int8 sums saturate. {_quantize_again(entry)}"


def _saturation_elsewhere(entry: Entry, findings: Inspection) -> str:
    return (
        "may compute wrongly on x86 CPUs without VNNI, if not on this one: two of its weights add "
        f"up to {findings.widest_pair}, and more than {LARGEST_PAIR} can saturate. "
        f"{_quantize_again(entry)}"
    )


def _quantize_again(entry: Entry) -> str:
    how = "with 'mnist-edge export --int8'" if entry.info.ours else "to 7-bit weights"
    return f"Quantize it again {how}, or ship fp32"


def _other_images(record: Benchmark) -> list[str]:
    """Once for each file, however many runtimes run it."""
    lines = []
    for one in (entry.info for entry in record.entries if entry.info.ours):
        if data := record.data.get(one.images):
            lines.append(changed_images_note(one.name, one.dataset, one.fingerprint, data))
    return list(dict.fromkeys(filter(None, lines)))
