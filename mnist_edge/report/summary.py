"""A benchmark in sentences: on what, how, and how far to believe it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from mnist_edge.benchmark import Benchmark, Entry, Plan
from mnist_edge.benchmark.compare import Change
from mnist_edge.benchmark.inspection import Findings
from mnist_edge.model_file.saturation import LARGEST_PAIR
from mnist_edge.report import dataset, disturbances, labels
from mnist_edge.report.formatting import counted

_SPINNING = " that spin while they wait (in a Classifier{} they sleep)"
_PACED = ", and in the paced run,"


def lines(record: Benchmark) -> list[str]:
    """What was measured on what, and whether the machine was quiet."""
    machine, plan = record.machine, record.plan
    flags = f" ({', '.join(machine.flags)})" if machine.flags else ""
    told = [
        f"{machine.cpu}{flags}, {counted(machine.cores, 'core')}, {counted(plan.threads, 'thread')}"
        f"{_spinning(plan)}; "
        f"onnxruntime {machine.packages.get('onnxruntime', 'of unknown version')}",
        f"{_calls(record)}{record.images}",
        preparation(record),
        *_fixed(record),
    ]
    if record.energy_why_not:
        told.append(f"energy: {record.energy_why_not}")
    if any(entry.recorded for entry in record.entries):
        told.append(
            "* as recorded in the file: its data set is not here ('mnist-edge data' fetches MNIST)"
        )
    told += record.missing
    if record.stopped:
        told.append("stopped by Ctrl-C: these are the rounds until then")
    return [*told, f"the timing is {disturbances.text(record.noise)}{_unread(record)}"]


def _unread(record: Benchmark) -> str:
    unread = record.noise.unreadable
    return f" (cannot be read here: {labels.listed(unread)})" if unread else ""


def _calls(record: Benchmark) -> str:
    smallest = min(record.plan.batches)
    found = [entry.batches[smallest] for entry in record.entries if smallest in entry.batches]
    if not found:
        return ""
    fewest = min(len(latency.samples_us) for latency in found)
    most = max(len(latency.samples_us) for latency in found)
    calls = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    return f"{calls} calls each in {len(found[0].turns):,} interleaved rounds; "


def preparation(record: Benchmark) -> str:
    """What is not in the figures: how long images take into the form that models take."""
    told = "Only the call is timed: bringing an image into the form that the model takes"
    medians = [entry.prepare.percentile_us(50) for entry in record.entries]
    known = sorted(median for median in medians if median is not None)
    if not known:
        return f"{told} was not timed often enough"
    span = "-".join(dict.fromkeys(f"{value:.1f}" for value in (known[0], known[-1])))
    return f"{told} adds {span} µs"


def _fixed(record: Benchmark) -> list[str]:
    """Files that take one number of images only."""
    return [
        f"{name} takes {entry.subject.batch} images a call, no more and no fewer: the times of "
        "fewer images are their share of such a call"
        for name, entry in zip(labels.full(record), record.entries, strict=True)
        if (entry.subject.batch or 1) > 1
    ]


def _spinning(plan: Plan) -> str:
    return _SPINNING.format(_PACED if plan.rate_hz else "") if plan.threads > 1 else ""


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
    """What a person must not overlook: files that this CPU computes wrongly, layers in float."""
    told = []
    for name, entry in zip(labels.full(record), record.entries, strict=True):
        found = entry.findings
        if found and found.saturates:
            why = f"computes wrongly on this CPU: {_saturation(entry, found)}"
            told.append(Note(Kind.WRONG_HERE, f"{name} {why}"))
        elif found and found.may_saturate:
            told.append(Note(Kind.MAY_SATURATE, f"{name} {_elsewhere(entry, found)}"))
        if found and found.kernels.any_int8 and found.kernels.in_float:
            layers = labels.listed(found.kernels.in_float)
            told.append(Note(Kind.IN_FLOAT, f"{name}: {layers} stayed in float"))
    return [*told, *(Note(Kind.OTHER_IMAGES, line) for line in _other_images(record))]


def _other_images(record: Benchmark) -> list[str]:
    """Once for each file, however many runtimes run it."""
    subjects = [entry.subject for entry in record.entries if entry.subject.ours]
    lines = (
        dataset.other_images(one.name, one.dataset, one.fingerprint, record.data[one.dataset])
        for one in subjects
        if one.dataset in record.data
    )
    return list(dict.fromkeys(filter(None, lines)))


def _elsewhere(entry: Entry, found: Findings) -> str:
    return (
        "may compute wrongly on x86 CPUs without VNNI, if not on this one: two of its weights add "
        f"up to {found.widest_pair}, and more than {LARGEST_PAIR} can saturate. {_again(entry)}"
    )


def _again(entry: Entry) -> str:
    how = "with 'mnist-edge export --int8'" if entry.subject.ours else "to 7-bit weights"
    return f"Quantize it again {how}, or ship fp32"


def _saturation(entry: Entry, found: Findings) -> str:
    off = found.deviation
    told = (
        f"{off.changed} of {off.images} answers differ from its float reference, "
        f"max |Δlogit| {off.max_logit_difference:.2g} (limit {off.limit:.2g})"
    )
    if not found.kernels.any_int8:
        return f"{told}: do not ship it"
    return f"{told}: its int8 sums saturate. {_again(entry)}"


def changes(found: Sequence[Change], limit: float | None) -> list[str]:
    """How much longer calls take than in an earlier benchmark: a line for each contender and batch
    size; `limit` (0.1: 10 %) marks those that are slower by more."""
    told = []
    for change in found:
        line = f"{change.name}, {counted(change.batch, 'image')} a call: {_verdict(change)}"
        if limit is not None and change.slower(limit):
            line += f": slower by more than {limit * 100:g} %"
        told.append(line)
    return told


def _verdict(change: Change) -> str:
    ratio = change.paired
    if ratio is None:
        return f"time {_more(change.minimum)} (fastest calls; another numpy before)"
    interval = f"{_more(ratio.low)} to {_more(ratio.high)}"
    return f"tie (time {interval})" if ratio.tie else f"time {_more(ratio.value)} ({interval})"


def _more(ratio: float) -> str:
    """Time now over time before, as a person reads it: +3.1 %."""
    return f"{(ratio - 1) * 100:+.1f} %"
