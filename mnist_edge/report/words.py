"""What a benchmark's figures rest on, in words: how they were measured, where, and how quietly."""

from dataclasses import dataclass

from mnist_edge.backends import OnnxRuntime
from mnist_edge.benchmark import Benchmark
from mnist_edge.benchmark.latency import NEEDED_SAMPLES
from mnist_edge.report import disturbances, formatting, labels, summary


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the timing can be trusted, and why."""

    trusted: bool
    why: str

    @property
    def word(self) -> str:
        return "Trusted" if self.trusted else "Noisy"

    def __str__(self) -> str:
        """One sentence."""
        return f"{self.word}: {self.why}."


def verdict(record: Benchmark) -> Verdict:
    """Whether the machine was quiet."""
    reasons = disturbances.reasons(record.noise)
    quiet = "nothing that can be read of this machine disturbed the timing"
    return Verdict(not reasons, "; ".join(reasons) or quiet)


def warnings(record: Benchmark) -> list[str]:
    """What a reader must know before believing the tables; most often nothing."""
    found = [note.text for note in summary.notes(record) if note.is_warning]
    if record.stopped:
        found.append("The run was stopped before all was measured: what is missing was not timed.")
    return found


def remarks(record: Benchmark) -> list[str]:
    """What else is unlike what a reader may expect."""
    found = [note.text for note in summary.notes(record) if not note.is_warning]
    found += [
        f"{name} is not a file of mnist-edge: {entry.contender.input_format.described()}."
        for name, entry in zip(labels.files(record), record.entries, strict=True)
        if isinstance(entry.contender, OnnxRuntime) and not entry.subject.ours
    ]
    if any(entry.recorded for entry in record.entries):
        found.append(
            "Accuracies marked * are what files say of themselves: their data set was not here."
        )
    return [*found, *record.missing]


def protocol(record: Benchmark) -> list[str]:
    """How it was measured, one sentence or two for each matter."""
    plan = record.plan
    threads = formatting.counted(plan.threads, "thread")
    told = [
        f"All contenders ran in one process on {threads} and took turns in rounds of "
        f"random order (seed {plan.seed}): when the machine drifts, it drifts for all of them.",
        f"What they were timed on: {record.images}.",
        _calls(record),
        f"{summary.preparation(record)}.",
        "Every sample is kept and none is clipped. A percentile is shown only with the samples "
        "that 99 % confidence needs: "
        + ", ".join(f"p{rank} {NEEDED_SAMPLES[rank]}" for rank in (50, 90, 99))
        + ".",
        "Times as fast: the median over all rounds of the ratio of two contenders' medians in the "
        "same round, with its bootstrap 95 % interval; a tie where that spans 1.",
        "Accuracy is of the whole test split, with its Wilson 95 % interval; changed answers are "
        "counted against the original, or the fp32 file where that is not here, with McNemar's "
        "exact p.",
    ]
    if plan.rate_hz:
        told.append(
            f"The paced run asked for one image at {plan.rate_hz:g} Hz, as a camera would; an "
            "answer that had to wait for the one before it counts from when it was due."
        )
    if plan.cold:
        told.append("Cold is from the start of a fresh process to its first answer.")
    told.append(_yardstick(record))
    if record.energy_why_not:
        told.append(f"Energy was not measured: {record.energy_why_not}.")
    return [line for line in told if line]


def machine(record: Benchmark) -> list[tuple[str, str]]:
    """What was measured on: a name and a value each."""
    found = record.machine
    cores = f"{found.cores}"
    if found.logical is not None and found.logical != found.cores:
        cores += f" of {found.logical} usable"
    return [
        ("CPU", found.cpu),
        ("flags that matter to int8", ", ".join(found.flags) or "none that is known"),
        ("cores", cores),
        ("CPU quota", "none" if found.quota is None else f"{found.quota:g} cores"),
        ("threads", str(record.plan.threads)),
        ("clock governor", found.governor or "cannot be read here"),
        ("system", found.system + (", a virtual machine" if found.virtual else "")),
        ("Python", found.python),
        *found.packages.items(),
        ("measured at", record.measured_at.replace("T", " ").replace("+00:00", " UTC")),
    ]


def noise(record: Benchmark) -> list[tuple[str, str]]:
    """What else went on while it was timed: a name and a value each."""
    found, values = record.noise, []
    if found.steal is not None:
        values.append(
            ("CPU time that the host gave to other guests", formatting.percent(found.steal))
        )
    if found.others is not None:
        values.append(("CPU used by other programs", formatting.percent(found.others)))
    if found.switches_per_s is not None:
        values.append(("involuntary switches a second", f"{found.switches_per_s:.1f}"))
    if found.load is not None:
        values.append(("load per core when it began", f"{found.load:.2f}"))
    if found.throttled is not None:
        values.append(("times that the CPU quota stopped it", f"{found.throttled:,}"))
    if found.paused is not None:
        values.append(
            ("time in which timed calls stood still", formatting.percent(found.paused, 1))
        )
    if found.spread:
        name, spread = max(found.spread.items(), key=lambda pair: pair[1])
        told = f"{formatting.percent(spread, 1)}, {name}"
        values.append(("largest difference between rounds (interquartile)", told))
    if found.unreadable:
        values.append(("cannot be read here", labels.listed(found.unreadable)))
    return values


def _calls(record: Benchmark) -> str:
    """How many calls were timed at each batch size."""
    parts = []
    for size in record.plan.batches:
        found = [entry.batches[size] for entry in record.entries if size in entry.batches]
        if found:
            counts = sorted(len(latency.samples_us) for latency in found)
            span = f"{counts[0]:,}" if counts[0] == counts[-1] else f"{counts[0]:,}-{counts[-1]:,}"
            images = formatting.counted(size, "image")
            parts.append(f"{span} calls of {images} in {len(found[0].turns):,} rounds")
    return f"Each was timed for {labels.listed(parts)}." if parts else ""


def _yardstick(record: Benchmark) -> str:
    found = record.yardstick.get(min(record.plan.batches))
    median = found.percentile_us(50) if found else None
    if found is None or median is None:
        return ""
    told = f"A fixed piece of work, timed in the same rounds, took {median:.1f} µs at the median"
    if found.spread is None:
        return f"{told}."
    return f"{told}; half of its rounds lay within {formatting.percent(found.spread, 1)}."
