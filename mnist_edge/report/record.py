"""Records -> plain values for JSON. The schema's number changes when a reader would break."""

from dataclasses import asdict
from typing import Any

from mnist_edge.benchmark import BATCH, Benchmark, Entry
from mnist_edge.metrics import Accuracy, Agreement
from mnist_edge.report import advice
from mnist_edge.stopwatch import NEEDED_SAMPLES, Latency

SCHEMA = 1


def accuracy(value: Accuracy) -> dict[str, Any]:
    """value in 0..1, its Wilson 95 % interval, and the counts behind it."""
    return {
        "value": value.value,
        "interval95": list(value.interval),
        "correct": value.correct,
        "total": value.total,
    }


def agreement(value: Agreement) -> dict[str, Any]:
    """Answers that changed, and McNemar's exact p."""
    return asdict(value) | {"mcnemar_p": value.p}


def benchmark(record: Benchmark) -> dict[str, Any]:
    """A whole benchmark, raw samples included; durations in microseconds."""
    return {
        "schema": SCHEMA,
        "machine": asdict(record.machine),
        "threads": record.threads,
        "protocol": asdict(record.protocol),
        "timed_images": record.images,
        "contenders": [_entry(entry) for entry in record.entries],
        "advice": advice.lines(record),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.contender.name,
        "runtime": entry.contender.runtime,
        "file": entry.contender.path.name,
        "sha256": entry.sha256,
        "bytes": entry.size_bytes,
        "accuracy": accuracy(entry.accuracy) | {"recorded": entry.recorded},
        "change": agreement(entry.change) if entry.change else None,
        "load": _latency(entry.load),
        "first": _latency(entry.first),
        "batch_1": _latency(entry.single),
        f"batch_{BATCH}": _latency(entry.batch) | {"images_per_s": entry.images_per_s},
    }


def _latency(latency: Latency) -> dict[str, Any]:
    percentiles = {f"p{rank}_us": latency.percentile_us(rank) for rank in NEEDED_SAMPLES}
    return percentiles | {
        "n": len(latency.samples_us),
        "samples_us": latency.samples_us.round(3).tolist(),
    }
