"""Records -> plain values for JSON. The schema's number changes when a reader would break;
bench.schema.json beside this file describes every field."""

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import mnist_edge
from mnist_edge.benchmark import Benchmark, Entry
from mnist_edge.benchmark.inspection import Inspection
from mnist_edge.benchmark.latency import NEEDED_SAMPLES, Latency
from mnist_edge.benchmark.recommend import Alternative, Choice, Recommendation, recommendations
from mnist_edge.intervals import Ratio
from mnist_edge.report import advice, labels, verdict

SCHEMA = 3
READABLE = (2, SCHEMA)
"""Schemas that have all that `--compare` reads."""

Name = Callable[[Entry], str]


def benchmark(record: Benchmark) -> dict[str, Any]:
    """A whole benchmark, raw samples included; durations in microseconds. What is no number, such
    as the deviation of logits that are NaN, is None: JSON has no word for it."""
    name = labels.name_getter(record)
    values = {
        "schema": SCHEMA,
        "version": mnist_edge.__version__,
        "measured_at": record.measured_at,
        "machine": asdict(record.machine),
        "plan": asdict(record.plan),
        "noise": verdict.as_json(record.noise),
        "energy_why_not": record.energy_why_not,
        "timed_images": record.images,
        "contenders": [_entry(record, name, entry) for entry in record.entries],
        "yardstick": {str(size): _latency(one) for size, one in record.yardstick.items()},
        "missing": list(record.missing),
        "refused": list(record.refused),
        "stopped": record.stopped,
        "advice": advice.lines(record),
        "recommendations": [_recommendation(one, name) for one in recommendations(record)],
    }
    return {key: _finite(value) for key, value in values.items()}


def _finite(value: Any) -> Any:
    """The same with None for every number that is not finite."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _entry(record: Benchmark, name: Name, entry: Entry) -> dict[str, Any]:
    info, score = entry.info, entry.score
    return {
        "name": name(entry),
        "runtime": entry.contender.runtime,
        "file": entry.contender.path.name,
        "sha256": entry.sha256,
        "bytes": entry.size_bytes,
        "model": info.model,
        "precision": info.precision,
        "dataset": info.dataset,
        "shape": asdict(info.shape),
        "family": info.family,
        "accuracy": entry.accuracy and entry.accuracy.as_dict() | {"recorded": entry.recorded},
        "expected_calibration_error": score and score.calibration_error,
        "change": score and score.change and score.change.as_dict(),
        "computed": entry.findings and _findings(entry.findings),
        "load": _latency(entry.load),
        "first": _latency(entry.first),
        "prepare": _latency(entry.prepare),
        "cold": entry.cold and _latency(entry.cold),
        "peak_bytes": entry.peak_bytes,
        "batches": {str(size): _batch(record, name, entry, size) for size in entry.batches},
        "paced": entry.paced and _latency(entry.paced),
    }


def _batch(record: Benchmark, name: Name, entry: Entry, size: int) -> dict[str, Any]:
    over = record.baseline(entry)
    ratio = record.speedup(entry, over, size) if over else None
    return _latency(entry.batches[size]) | {
        "images_per_s": entry.images_per_s(size),
        "cpu_us_per_image": entry.cpu_us_per_image(size),
        "joules_per_image": entry.joules_per_image(size),
        "speedup": over and _speedup(ratio, name(over)),
    }


def _speedup(found: Ratio | None, over: str) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "value": found.value,
        "interval95": [found.low, found.high],
        "tie": found.tie,
        "over": over,
    }


def _recommendation(found: Recommendation, name: Name) -> dict[str, Any]:
    choice, faster = found.choice, found.faster_runtime
    shipped = name(choice.entry) if choice else ""
    return {
        "dataset": found.dataset,
        "decision": found.decision,
        "file": shipped or None,
        "sha256": choice and choice.entry.sha256,
        "int8": choice and _int8(choice, name),
        "others": [_other(other, shipped, name) for other in found.others],
        "faster_runtime": faster
        and {"name": name(faster.entry), "speedup": _speedup(faster.speed, shipped)},
        "unfit": [
            {"file": name(one.entry), "sha256": one.entry.sha256, "why": one.why}
            for one in found.unfit
        ],
    }


def _other(other: Alternative, shipped: str, name: Name) -> dict[str, Any]:
    return {
        "file": name(other.choice.entry),
        "sha256": other.choice.entry.sha256,
        "merit": other.merit,
        "speedup": _speedup(other.speed, shipped),
        "accuracy_gap": other.gap,
        "less_accurate_than": other.less_accurate_than and name(other.less_accurate_than),
        "outdone_by": other.outdone_by and name(other.outdone_by),
        "int8": _int8(other.choice, name),
    }


def _int8(choice: Choice, name: Name) -> dict[str, Any] | None:
    found = choice.precisions
    if found is None:
        return None
    return {
        "file": name(found.int8),
        "fp32": name(found.fp32),
        "why": found.why,
        "speedup": _speedup(found.speed, name(found.fp32)),
        "batch_speedup": _speedup(found.batch_speed, name(found.fp32)),
        "accuracy_gap": found.gap,
    }


def _findings(value: Inspection) -> dict[str, Any]:
    return {
        "kernels": asdict(value.kernels),
        "float_reference": asdict(value.deviation) | {"limit": value.deviation.limit},
        "saturates": value.saturates,
        "widest_pair": value.widest_pair,
        "may_saturate": value.may_saturate,
        "golden": value.golden and asdict(value.golden),
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
