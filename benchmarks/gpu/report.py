"""The record as a page to read: docs/gpu.md is made of it."""

from collections.abc import Iterator, Mapping
from typing import Any

Record = Mapping[str, Any]


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
    yield from _goals(record["goals"])
    for name, stage in record["stages"].items():
        yield f"## {name}: {stage['status']}, {stage['seconds']:.0f} s"
        yield ""
        if stage.get("error"):
            yield f"    {stage['error']}"
            yield ""
        for finding, value in stage["findings"].items():
            yield f"- **{finding}**: {_told(value)}"
        yield ""


def _goals(goals: Mapping[str, Any]) -> Iterator[str]:
    yield "| goal | measured | met |"
    yield "|---|---|---|"
    for name, (measured, met) in goals.items():
        shown = "not measured" if measured is None else _told(measured)
        yield f"| {name} | {shown} | {'' if met is None else 'yes' if met else 'no'} |"
    yield ""


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_told(part)}" for name, part in value.items())
    if isinstance(value, list | tuple) and any(isinstance(part, Mapping) for part in value):
        return " / ".join(map(_told, value))
    if isinstance(value, list | tuple):
        return ", ".join(map(_told, value))
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)
