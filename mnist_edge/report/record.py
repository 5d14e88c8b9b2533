"""Records -> plain values for JSON. The schema's number changes when a reader would break;
bench.schema.json beside this file describes every field."""

import math
from dataclasses import asdict
from typing import Any

import mnist_edge
from mnist_edge.benchmark import Benchmark, Entry
from mnist_edge.benchmark.inspection import Findings
from mnist_edge.intervals import Ratio
from mnist_edge.metrics import Accuracy, Agreement
from mnist_edge.report import advice, names
from mnist_edge.stopwatch import NEEDED_SAMPLES, Latency

SCHEMA = 2


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
    """A whole benchmark, raw samples included; durations in microseconds. What is no number, such
    as the deviation of logits that are NaN, is None: JSON has no word for it."""
    found = zip(names.full(record), record.entries, strict=True)
    values = {
        "schema": SCHEMA,
        "version": mnist_edge.__version__,
        "measured_at": record.measured_at,
        "machine": asdict(record.machine),
        "plan": asdict(record.plan),
        "noise": asdict(record.noise)
        | {"trusted": record.noise.trusted, "reasons": list(record.noise.verdict())},
        "energy_why_not": record.energy_why_not,
        "timed_images": record.images,
        "contenders": [_entry(record, name, entry) for name, entry in found],
        "yardstick": {str(size): _latency(one) for size, one in record.yardstick.items()},
        "missing": list(record.missing),
        "refused": list(record.refused),
        "stopped": record.stopped,
        "advice": advice.lines(record),
    }
    return {key: _finite(value) for key, value in values.items()}


def _finite(value: Any) -> Any:
    """The same with None for every number that is not finite."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _entry(record: Benchmark, name: str, entry: Entry) -> dict[str, Any]:
    subject, score = entry.subject, entry.score
    return {
        "name": name,
        "runtime": entry.contender.runtime,
        "file": entry.contender.path.name,
        "sha256": entry.sha256,
        "bytes": entry.size_bytes,
        "model": subject.model,
        "precision": subject.precision,
        "dataset": subject.dataset,
        "family": subject.family,
        "accuracy": accuracy(entry.accuracy) | {"recorded": entry.recorded}
        if entry.accuracy
        else None,
        "expected_calibration_error": score.calibration_error if score else None,
        "change": agreement(score.change) if score and score.change else None,
        "computed": _findings(entry.findings) if entry.findings else None,
        "load": _latency(entry.load),
        "first": _latency(entry.first),
        "prepare": _latency(entry.prepare),
        "cold": _latency(entry.cold) if entry.cold else None,
        "peak_bytes": entry.peak_bytes,
        "batches": {str(size): _batch(record, entry, size) for size in entry.batches},
        "paced": _latency(entry.paced) if entry.paced else None,
    }


def _batch(record: Benchmark, entry: Entry, size: int) -> dict[str, Any]:
    over = record.baseline(entry)
    found = record.speedup(entry, over, size) if over else None
    all_names = zip(names.full(record), record.entries, strict=True)
    label = next((name for name, other in all_names if other is over), None)
    return _latency(entry.batches[size]) | {
        "images_per_s": entry.images_per_s(size),
        "cpu_us_per_image": entry.cpu_us_per_image(size),
        "joules_per_image": entry.joules_per_image(size),
        "speedup": _ratio(found) | {"over": label} if found else None,
    }


def _ratio(value: Ratio) -> dict[str, Any]:
    return {"value": value.value, "interval95": [value.low, value.high], "tie": value.tie}


def _findings(value: Findings) -> dict[str, Any]:
    return {
        "kernels": asdict(value.kernels),
        "float_reference": asdict(value.deviation) | {"limit": value.deviation.limit},
        "saturates": value.saturates,
        "widest_pair": value.widest_pair,
        "may_saturate": value.may_saturate,
        "golden": asdict(value.golden) if value.golden else None,
    }


def _latency(latency: Latency) -> dict[str, Any]:
    """Percentiles that have enough samples behind them, their upper bounds at 99 % confidence,
    and all samples in their order; `turns` says how many of them each round holds."""
    percentiles: dict[str, Any] = {}
    for rank in NEEDED_SAMPLES:
        percentiles[f"p{rank}_us"] = latency.percentile_us(rank)
        percentiles[f"p{rank}_upper99_us"] = latency.upper_us(rank)
    return percentiles | {
        "n": len(latency.samples_us),
        "min_us": float(latency.samples_us.min()),
        "turns": latency.turns.tolist(),
        "samples_us": latency.samples_us.round(3).tolist(),
    }
