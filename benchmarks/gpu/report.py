"""What was aimed at, beside what the record holds, and the record as a page to read: docs/gpu.md is
made of it."""

from collections.abc import Iterator, Mapping
from typing import Any

Record = Mapping[str, Any]

Goal = tuple[float | None, bool | None]
"""A value, and whether it is enough; None where it was not measured."""


def page(record: Record) -> str:
    """Markdown: the machine, the goals, and every finding of each stage."""
    return "\n".join(_lines(record)) + "\n"


def _lines(record: Record) -> Iterator[str]:
    machine = record["machine"]
    yield "# Training on a GPU, measured"
    yield ""
    day, duration_s = record["started"][:10], record["seconds"]
    yield f"Made by `{record['command']}` on {day}, in {duration_s:.0f} s."
    yield ""
    yield f"{machine['device']}; " + ", ".join(
        f"{name} {value}" for name, value in machine.items() if name != "device"
    )
    yield ""
    yield from _table(record["goals"])
    for name, stage in record["stages"].items():
        yield f"## {name}: {stage['status']}, {stage['seconds']:.0f} s"
        yield ""
        if stage.get("error"):
            yield f"    {stage['error']}"
            yield ""
        for finding, value in stage["findings"].items():
            yield f"- **{finding}**: {_as_text(value)}"
        yield ""


def _table(goals: Mapping[str, Any]) -> Iterator[str]:
    yield "| goal | measured | met |"
    yield "|---|---|---|"
    for name, (measured, met) in goals.items():
        shown = "not measured" if measured is None else _as_text(measured)
        yield f"| {name} | {shown} | {'' if met is None else 'yes' if met else 'no'} |"
    yield ""


def _as_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_as_text(part)}" for name, part in value.items())
    if isinstance(value, list | tuple) and any(isinstance(part, Mapping) for part in value):
        return " / ".join(map(_as_text, value))
    if isinstance(value, list | tuple):
        return ", ".join(map(_as_text, value))
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def goals(findings: Mapping[str, Mapping[str, Any]]) -> dict[str, Goal]:
    """The goals of the `findings` of each stage, by its name."""
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
