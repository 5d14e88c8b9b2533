"""An experiment's result as plain values, for JSON."""

from dataclasses import asdict
from typing import Any

import mnist_edge
from mnist_edge.experiment_results import (
    Best,
    Depth,
    ExperimentResult,
    ExportedRun,
    Findings,
    FinishedRun,
    OneEpoch,
    Part,
    Shortcuts,
    ThreeBlock,
)
from mnist_edge.host.machine import Machine
from mnist_edge.report.reproduce.findings import degradation_sentence
from mnist_edge.report.reproduce.tables import refusal_text


def values(result: ExperimentResult, command: str, at: str, machine: Machine) -> dict[str, Any]:
    """All figures, and what they were measured with. `at` is when, in ISO 8601."""
    return {
        "experiment": result.experiment.name,
        "what": result.experiment.what,
        "source": result.experiment.source,
        "claims": [asdict(claim) for claim in result.experiment.claims],
        "command": command,
        "options": dict(result.options),
        "as_claimed": result.is_as_claimed,
        "version": mnist_edge.__version__,
        "finished_at": at,
        "machine": asdict(machine),
        "device": result.device,
        "threads": _threads(result),
        "torch": result.torch,
        "images": dict(result.images),
        "runs": [_run(one) for one in result.runs],
        **_findings(result.findings),
    }


def _threads(result: ExperimentResult) -> int | None:
    """On how many threads all runs were trained; None where they differ, and say it themselves."""
    found = {one.trained.get("threads") for one in result.runs}
    return found.pop() if len(found) == 1 else None


def _run(one: FinishedRun) -> dict[str, Any]:
    return {
        "name": one.name,
        "part": one.part,
        "seed": one.recipe["seed"],
        "recipe": dict(one.recipe),
        "trained": dict(one.trained),
        "test": one.test.as_dict(),
        "validation": one.validation.as_dict(),
        "duration_s": one.duration_s,
        "history": list(one.history),
    }


def _findings(found: Findings) -> dict[str, Any]:
    match found:
        case ThreeBlock():
            return {
                "accuracy": found.accuracy.as_dict(),
                "exported": _export_values(found.exported),
            }
        case OneEpoch():
            return {
                "accuracy": found.accuracy.as_dict(),
                "macro_f1": found.macro_f1.as_dict(),
                "confusion": {name: one.tolist() for name, one in found.confusions.items()},
                "exported": _export_values(found.exported),
            }
        case Depth():
            return _depth(found)
        case Shortcuts():
            return _shortcuts(found)
        case Best():
            return {
                "parts": {name: _part(part) for name, part in found.parts.items()},
                "timed": {name: one.as_dict() for name, one in found.timed.items()},
            }


def _depth(found: Depth) -> dict[str, Any]:
    told: dict[str, Any] = {"errors": {name: asdict(one) for name, one in found.errors.items()}}
    if one := found.degradation:
        told["finding"] = {
            "plain_is_worse": one.plain_is_worse,
            "residual_is_worse": one.residual_is_worse,
            "sentence": degradation_sentence(one),
            "shown": one.shown,
        }
    return told


def _shortcuts(found: Shortcuts) -> dict[str, Any]:
    return {
        "shortcuts": {
            kind: {
                "accuracy": spread.as_dict(),
                "params": found.costs[kind].params,
                "macs": found.costs[kind].macs,
                "exported": _export_values(found.exported[kind]),
            }
            for kind, spread in found.accuracies.items()
        },
        "plain_params": found.plain_params,
        "timed": {name: one.as_dict() for name, one in found.timed.items()},
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "accuracy": part.accuracy.as_dict(),
        "target": asdict(part.target),
        "reached": part.reached,
        "exported": _export_values(part.exported),
    }


def _export_values(exported: ExportedRun) -> dict[str, Any]:
    return {
        "run": exported.run,
        "files": [file.values for file in exported.files],
        "refused": exported.refused and refusal_text(exported.refused),
    }
