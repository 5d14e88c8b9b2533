"""What was aimed at, beside what the record holds: a value and whether it is enough, or None."""

from collections.abc import Mapping
from typing import Any

Goal = tuple[float | None, bool | None]


def goals(findings: Mapping[str, Mapping[str, Any]]) -> dict[str, Goal]:
    """findings: of each stage, by its name."""
    training, speed = findings.get("training", {}), findings.get("speed", {})
    seconds = findings.get("seconds to", {}).get("median", {})
    gate = training.get("exported without a GPU", {})
    times = [
        value["times their loop"]
        for name, value in speed.items()
        if name.startswith("edge,") and value.get("times their loop")
    ]
    return {
        "edge trains at 20 times the speed of the usual loop": _at_least(
            max(times, default=None), 20
        ),
        "99.5 % within 10 s of the first step": _at_most(seconds.get("99.5"), 10),
        "99.7 % within 30 s of the first step": _at_most(seconds.get("99.7"), 30),
        "a CUDA checkpoint exports on a CPU with 0 changed predictions": _at_most(
            gate.get("changed"), 0
        ),
    }


def _at_least(value: float | None, goal: float) -> Goal:
    return value, None if value is None else value >= goal


def _at_most(value: float | None, goal: float) -> Goal:
    return value, None if value is None else value <= goal
