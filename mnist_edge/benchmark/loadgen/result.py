"""What LoadGen found, read from its logs."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_edge.backends import Contender
from mnist_edge.benchmark.loadgen.scenarios import Scenario
from mnist_edge.errors import EdgeError

_MARK = ":::MLLOG "


@dataclass(frozen=True, slots=True)
class ServerLoad:
    """What `server` adds: the queries a second that were asked for, those that its random schedule
    came to, and what the p99 must keep to, in microseconds."""

    target_qps: float
    scheduled_qps: float
    bound_us: float


@dataclass(frozen=True, slots=True)
class LoadResult:
    """LoadGen's figures for one contender.

    `value` is the scenario's result: its `metric`, in `unit`. p50, p90 and p99 are the latencies
    of queries, in microseconds: of one image in `single-stream`, and in `server` from when it was
    due; of 8 images in `multi-stream`; of images, from the beginning of all, in `offline`.
    `reasons` are LoadGen's for calling a result not `valid`. `logs` is the folder with its logs.
    """

    contender: Contender
    scenario: str
    threads: int
    valid: bool
    metric: str
    value: float
    unit: str
    p50_us: float
    p90_us: float
    p99_us: float
    queries: int
    images: int
    reasons: tuple[str, ...]
    logs: Path
    server: ServerLoad | None = None


def read(folder: Path, contender: Contender, threads: int, scenario: Scenario) -> LoadResult:
    """The result in a folder of logs. EdgeError where there is none, as on a full disk.

    From the detailed log: the summary's figures, in JSON.
    """
    logged = _read_log(folder / "mlperf_log_detail.txt")
    try:
        p50_us, p90_us, p99_us = (logged[key] / 1000 for key in scenario.latency_keys)
        value = logged[scenario.key]
        return LoadResult(
            contender=contender,
            scenario=scenario.name,
            threads=threads,
            valid=logged["result_validity"] == "VALID",
            metric=scenario.metric,
            value=value / 1000 if scenario.unit == "µs" else value,
            unit=scenario.unit,
            p50_us=p50_us,
            p90_us=p90_us,
            p99_us=p99_us,
            queries=logged["result_query_count"],
            images=logged["result_query_count"] * logged["effective_samples_per_query"],
            reasons=_reasons(logged),
            logs=folder,
            server=_server(logged) if scenario.name == "server" else None,
        )
    except (KeyError, TypeError) as error:
        raise EdgeError(f"LoadGen left no result in {folder}: is the disk full?") from error


def _read_log(log: Path) -> dict[str, Any]:
    """Keys and values of a detailed log: one of either a line, in JSON behind a mark."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        try:
            entry = json.loads(line.removeprefix(_MARK))
            found[entry["key"]] = entry["value"]
        except (ValueError, TypeError, KeyError):
            continue
    return found


def _server(logged: dict[str, Any]) -> ServerLoad:
    return ServerLoad(
        target_qps=logged["effective_target_qps"],
        scheduled_qps=logged["result_scheduled_samples_per_sec"],
        bound_us=logged["effective_target_latency_ns"] / 1000,
    )


def _reasons(logged: dict[str, Any]) -> tuple[str, ...]:
    """LoadGen's recommendations, sentence by sentence, and why it would not have stopped early.

    Where the bound was missed that alone is the reason: all else follows from it, and contradicts
    it in part, for an overloaded system is stopped before the end of its schedule.
    """
    if logged["result_validity"] == "VALID":
        return ()
    advice = re.split(r"(?<=\.)\s+", logged.get("result_invalid_reason", "").strip())
    if not logged.get("result_perf_constraints_met", True):
        return tuple(advice[:1])
    early = logged.get("early_stopping_result", "").split(" * ")
    lines = advice + early * (not logged.get("early_stopping_met", True))
    return tuple(" ".join(line.split()) for line in lines if line.strip())
