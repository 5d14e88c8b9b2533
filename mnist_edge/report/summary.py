"""A benchmark in sentences: on what, how, how quietly, and what changed since an earlier one."""

from collections.abc import Sequence

from mnist_edge.benchmark import Benchmark
from mnist_edge.benchmark.compare import Change
from mnist_edge.benchmark.latency import NEEDED_SAMPLES
from mnist_edge.report import labels, verdict
from mnist_edge.report.formatting import count, join_words, percent


def lines(record: Benchmark) -> list[str]:
    """In the terminal: what was measured on what, and whether the machine was quiet."""
    machine, threads = record.machine, record.plan.threads
    flags = f" ({', '.join(machine.flags)})" if machine.flags else ""
    timed = _calls(record, min(record.plan.batches))
    calls = f"{timed[0]} calls each in {timed[1]:,} interleaved rounds; " if timed else ""
    text = [
        f"{machine.cpu}{flags}, {count(machine.cores, 'core')}, {count(threads, 'thread')}"
        f"{_spinning(record)}; onnxruntime {runtime_version(record)}",
        f"{calls}{record.images}",
        _preparation(record),
        *_fixed_batches(record),
    ]
    if record.energy_why_not:
        text.append(f"energy: {record.energy_why_not}")
    if any(entry.recorded for entry in record.entries):
        text.append(
            "* as recorded in the file: its data set is not here (--dataset and --data-dir name "
            "one, 'mnist-edge data' fetches a public one)"
        )
    text += record.missing
    if record.stopped:
        text.append("stopped by Ctrl-C: these are the rounds until then")
    unread = record.noise.unreadable
    beside = f" (cannot be read here: {join_words(unread)})" if unread else ""
    return [*text, f"the timing is {verdict.text(record.noise)}{beside}"]


def protocol(record: Benchmark) -> list[str]:
    """On a page: how it was measured, one sentence or two for each matter."""
    plan = record.plan
    calls = [
        f"{found[0]} calls of {count(size, 'image')} in {found[1]:,} rounds"
        for size in plan.batches
        if (found := _calls(record, size))
    ]
    needed = ", ".join(f"p{rank} {NEEDED_SAMPLES[rank]}" for rank in (50, 90, 99))
    text = [
        f"All contenders ran in one process on {count(plan.threads, 'thread')} and took turns in "
        f"rounds of random order (seed {plan.seed}): when the machine drifts, it drifts for all of "
        "them.",
        f"What they were timed on: {record.images}.",
        f"Each was timed for {join_words(calls)}." if calls else "",
        f"{_preparation(record)}.",
        "Every sample is kept and none is clipped. A percentile is shown only with the samples "
        f"that 99 % confidence needs: {needed}.",
        "Times as fast: the median over all rounds of the ratio of two contenders' medians in the "
        "same round, with its bootstrap 95 % interval; a tie where that spans 1.",
        "Accuracy is of the whole test split, with its Wilson 95 % interval; changed answers are "
        "counted against the original, or the fp32 file where that is not here, with McNemar's "
        "exact p.",
        f"The paced run asked for one image at {plan.rate_hz:g} Hz, as a camera would; an answer "
        "that had to wait for the one before it counts from when it was due."
        if plan.rate_hz
        else "",
        "Cold is from the start of a fresh process to its first answer." if plan.cold else "",
        _yardstick(record),
        f"Energy was not measured: {record.energy_why_not}." if record.energy_why_not else "",
    ]
    return [line for line in text if line]


def machine(record: Benchmark) -> list[tuple[str, str]]:
    """What was measured on: a name and a value each."""
    here = record.machine
    some = here.logical is not None and here.logical != here.cores
    return [
        ("CPU", here.cpu),
        ("flags that matter to int8", ", ".join(here.flags) or "none that is known"),
        ("cores", f"{here.cores} of {here.logical} usable" if some else f"{here.cores}"),
        ("CPU quota", "none" if here.quota is None else f"{here.quota:g} cores"),
        ("threads", str(record.plan.threads)),
        ("clock governor", here.governor or "cannot be read here"),
        ("system", here.system + (", a virtual machine" if here.virtual else "")),
        ("Python", here.python),
        *here.packages.items(),
        ("measured at", record.measured_at.replace("T", " ").replace("+00:00", " UTC")),
    ]


def noise(record: Benchmark) -> list[tuple[str, str]]:
    """What else went on while it was timed: a name and a value each."""
    found = record.noise
    widest = max(found.spread.items(), key=lambda pair: pair[1], default=None)
    values = (
        ("CPU time that the host gave to other guests", _format(found.steal, "{:.2%}")),
        ("CPU used by other programs", _format(found.others, "{:.2%}")),
        ("involuntary switches a second", _format(found.switches_per_s, "{:.1f}")),
        ("load per core when it began", _format(found.load, "{:.2f}")),
        ("times that the CPU quota stopped it", _format(found.throttled, "{:,}")),
        ("time in which timed calls stood still", _format(found.paused, "{:.1%}")),
        (
            "largest difference between rounds (interquartile)",
            f"{percent(widest[1], 1)}, {widest[0]}" if widest else "",
        ),
        ("cannot be read here", join_words(found.unreadable)),
    )
    return [(name, text) for name, text in values if text]


def _format(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value).replace("%", " %")


def runtime_version(record: Benchmark) -> str:
    """onnxruntime's."""
    return record.machine.packages.get("onnxruntime", "of unknown version")


def changes(found: Sequence[Change], limit: float | None) -> list[str]:
    """How much longer calls take than in an earlier benchmark: a line for each contender and batch
    size; `limit` (0.1: 10 %) marks those that are slower by more."""
    text = []
    for change in found:
        line = f"{change.name}, {count(change.batch, 'image')} a call: {_change(change)}"
        if limit is not None and change.slower(limit):
            line += f": slower by more than {limit * 100:g} %"
        text.append(line)
    return text


def _calls(record: Benchmark, size: int) -> tuple[str, int] | None:
    """How many calls of so many images were timed for each contender, and in how many rounds."""
    timed = [entry.batches[size] for entry in record.entries if size in entry.batches]
    if not timed:
        return None
    counts = [len(latency.samples_us) for latency in timed]
    low, high = f"{min(counts):,}", f"{max(counts):,}"
    return low if low == high else f"{low} to {high}", len(timed[0].turns)


def _preparation(record: Benchmark) -> str:
    """What is not in the figures: how long images take into the form that models take."""
    text = "Only the call is timed: bringing an image into the form that the model takes"
    medians = [entry.prepare.percentile_us(50) for entry in record.entries]
    known = sorted(median for median in medians if median is not None)
    if not known:
        return f"{text} was not timed often enough"
    span = "-".join(dict.fromkeys(f"{value:.1f}" for value in (known[0], known[-1])))
    return f"{text} adds {span} µs"


def _fixed_batches(record: Benchmark) -> list[str]:
    """Files that take one number of images only."""
    return [
        f"{name} takes {entry.info.batch} images a call, no more and no fewer: the times of "
        "fewer images are their share of such a call"
        for name, entry in zip(labels.full_names(record), record.entries, strict=True)
        if (entry.info.batch or 1) > 1
    ]


def _spinning(record: Benchmark) -> str:
    if record.plan.threads == 1:
        return ""
    paced = ", and in the paced run," if record.plan.rate_hz else ""
    return f" that spin while they wait (in a Classifier{paced} they sleep)"


def _yardstick(record: Benchmark) -> str:
    latency = record.yardstick.get(min(record.plan.batches))
    median = latency.percentile_us(50) if latency else None
    if latency is None or median is None:
        return ""
    text = f"A fixed piece of work, timed in the same rounds, took {median:.1f} µs at the median"
    if latency.spread is None:
        return f"{text}."
    return f"{text}; half of its rounds lay within {percent(latency.spread, 1)}."


def _change(change: Change) -> str:
    ratio = change.paired
    if ratio is None:
        return f"time {_more(change.minimum)} (fastest calls; another numpy before)"
    interval = f"{_more(ratio.low)} to {_more(ratio.high)}"
    return f"tie (time {interval})" if ratio.tie else f"time {_more(ratio.value)} ({interval})"


def _more(ratio: float) -> str:
    """Time now over time before, as a person reads it: +3.1 %."""
    return f"{(ratio - 1) * 100:+.1f} %"
