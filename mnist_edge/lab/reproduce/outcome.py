"""What an experiment came to: told in sections, as plain values, and in files."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import mnist_edge
from mnist_edge.escaping import json_text
from mnist_edge.files import write_together
from mnist_edge.lab.progress import Progress
from mnist_edge.lab.reproduce.work import Finished, Work
from mnist_edge.machine import this_machine
from mnist_edge.report import record, text
from mnist_edge.report.grid import Grid
from mnist_edge.report.sections import Section, markdown

RESULT, PAGE = "result.json", "result.md"


@dataclass(frozen=True, slots=True)
class Request:
    """What a conclusion needs beside the work: a file to time against, how to tell what is under
    way."""

    against: Path | None
    tell: Progress


@dataclass(frozen=True, slots=True)
class Outcome:
    """`values` are the figures for JSON, `files` what was drawn, by name."""

    sections: tuple[Section, ...]
    values: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict, repr=False)


Conclude = Callable[[Work, Request], Outcome]


def claimed(work: Work) -> str | None:
    """None where this is what the claims or aims are of, else what is different."""
    other = []
    if work.experiment.of_mnist and work.options.dataset != "mnist":
        other.append(f"on {work.options.dataset}, not on mnist")
    if work.options.epochs is not None:
        other.append(f"{_epochs(work.options.epochs)}, as asked for, in place of the recipe's own")
    return f"a try, and not the recipe itself: {'; '.join(other)}" if other else None


def told(work: Work, outcome: Outcome) -> list[Section]:
    """Everything there is to read, the setting first, then the figures, then the runs."""
    found = work.finished()
    total_s, names = sum(one.duration_s for one in found), {one.run.name for one in found}
    setting = _setting(work)
    if different := claimed(work):
        setting.append(different)
    if left := [run.name for run in work.runs if run.name not in names]:
        setting.append(f"not trained yet: {', '.join(left)}")
    return [
        Section(work.experiment.what, None, tuple(setting)),
        *outcome.sections,
        Section("runs", _runs(found), (f"trained in {text.duration(total_s)} in all",)),
    ]


def values(work: Work, outcome: Outcome, command: str) -> dict[str, Any]:
    """All figures, and what they were measured with."""
    return {
        "experiment": work.experiment.name,
        "what": work.experiment.what,
        "source": work.experiment.source,
        "claims": [asdict(claim) for claim in work.experiment.claims],
        "command": command,
        "options": asdict(work.options) | {"size": _size(work)},
        "as_claimed": claimed(work) is None,
        "version": mnist_edge.__version__,
        "finished_at": _now(),
        "machine": asdict(this_machine()),
        "device": work.world.device.type,
        "threads": _threads(work),
        "torch": str(torch.__version__),
        "images": {
            "training": len(work.training),
            "validation": len(work.validation),
            "test": len(work.data.test),
        },
        "runs": [_run(one) for one in work.finished()],
        **outcome.values,
    }


def write(work: Work, outcome: Outcome, command: str) -> dict[str, Any]:
    """Put the result into the experiment's folder, all of it or nothing, and return its values.

    EdgeError where it cannot be written.
    """
    found = values(work, outcome, command)
    contents: dict[Path, bytes | str] = {
        work.house / name: content for name, content in outcome.files.items()
    }
    contents[work.house / RESULT] = json_text(found, indent=2) + "\n"
    contents[work.house / PAGE] = _page(work, outcome, found)
    write_together(contents)
    return found


def _page(work: Work, outcome: Outcome, found: dict[str, Any]) -> str:
    lines = [f"# {work.experiment.name}", "", f"Made by `{found['command']}`.", ""]
    lines += [f"![{name}]({name})" for name in outcome.files]
    lines += [""] * bool(outcome.files)
    machine = found["machine"]
    where = (
        f"{machine['cpu']}, {machine['cores']} core{'s' * (machine['cores'] > 1)}, "
        f"{machine['system']}{', a virtual machine' if machine['virtual'] else ''}",
        f"finished at {found['finished_at'].replace('T', ' ').replace('+00:00', ' UTC')}; "
        f"mnist-edge {found['version']}, torch {found['torch']}, "
        f"onnxruntime {machine['packages'].get('onnxruntime', '-')}",
    )
    lines += markdown([*told(work, outcome), Section("machine", None, where)])
    return "\n".join(lines).rstrip() + "\n"


def _setting(work: Work) -> list[str]:
    size = f", {_size(work)} size" if work.experiment.sized else ""
    return [
        f"source: {work.experiment.source}",
        f"trained: {work.experiment.trains}",
        f"on {work.data.name}{size}: {'; '.join(_amounts(work))}; {len(work.validation):,} of the "
        "training images are held out for validation",
    ]


def _amounts(work: Work) -> list[str]:
    """How many images and epochs each run has; by their models, where these differ in it."""
    models: dict[str, list[str]] = {}
    for run in work.runs:
        count = min(run.recipe.images or len(work.training), len(work.training))
        amount = f"{count:,} training images, {_epochs(run.recipe.epochs)}"
        models.setdefault(amount, []).append(run.recipe.model)
    if len(models) == 1:
        return list(models)
    return [f"{', '.join(dict.fromkeys(names))}: {amount}" for amount, names in models.items()]


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' * (count != 1)}"


def _size(work: Work) -> str | None:
    return work.options.size if work.experiment.sized else None


def _runs(found: Sequence[Finished]) -> Grid:
    rows = []
    for one in found:
        recipe, trained = one.checkpoint.recipe, one.checkpoint.trained
        threads = trained.get("threads", "")
        rows.append(
            (
                one.run.name,
                str(trained.get("device", "")),
                str(trained.get("precision", "")),
                str(threads),
                str(recipe.seed),
                str(recipe.epochs),
                text.percent(one.accuracy.value),
                text.interval(one.accuracy),
                text.duration(one.duration_s),
            )
        )
    columns = ("run", "device", "in", "threads", "seed", "epochs", "test", "95 %", "trained in")
    return Grid(columns, tuple(rows), left=3)


def _run(one: Finished) -> dict[str, Any]:
    return {
        "name": one.run.name,
        "part": one.run.part,
        "seed": one.checkpoint.recipe.seed,
        "recipe": one.checkpoint.recipe.as_dict(),
        "trained": one.checkpoint.trained,
        "test": record.accuracy(one.accuracy),
        "validation": record.accuracy(one.validation),
        "duration_s": one.duration_s,
        "history": one.checkpoint.history,
    }


def _threads(work: Work) -> int | None:
    """On how many threads all runs were trained; None where they differ, and say it themselves."""
    found = {one.checkpoint.trained.get("threads") for one in work.finished()}
    return found.pop() if len(found) == 1 else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
