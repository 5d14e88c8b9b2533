"""A training run on disk: weights, optimizer, recipe and history <-> runs/<name>/.

torch.save writes it, and whoever has PyTorch can load it; what reads it here trusts nothing.
"""

import io
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from mnist_edge.datasets import Dataset, Split
from mnist_edge.errors import CheckpointError, UsageError
from mnist_edge.file_access import Kind, kind
from mnist_edge.files import alone_in, write_together
from mnist_edge.fingerprint import Fingerprint, changes
from mnist_edge.lab.checkpoint_fields import checked
from mnist_edge.lab.models import Network, build
from mnist_edge.lab.recipe import Recipe
from mnist_edge.lab.schema import SchemaError
from mnist_edge.lab.stored_zip import ArchiveError
from mnist_edge.lab.torch_file import TorchFile

_FORMAT = 1
_LARGEST = 1 << 30  # bytes; 50 million parameters, the most that a network has, take 0.8
CHECKPOINT, HISTORY, CURVE, RESULT = "checkpoint.pt", "history.jsonl", "curve.png", "result.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that a run knows after an epoch.

    `average` is the EMA of the weights, which is the trained model; `network` and `optimizer` are
    there to go on. `trained` says on what it ran. `result` is None until the test split has been
    measured, which happens once, at the end. `fingerprint` is that of the data set: None in older
    runs, and where the set's name says it all.
    """

    recipe: Recipe
    classes: tuple[str, ...]
    epochs_done: int
    history: list[dict[str, Any]]
    network: dict[str, Any] = field(repr=False)
    average: dict[str, Any] = field(repr=False)
    optimizer: dict[str, Any] = field(repr=False)
    trained: dict[str, Any]
    result: dict[str, Any] | None = None
    fingerprint: Fingerprint | None = None

    def original(self) -> Network:
        """The trained network (the average), in eval mode, on the CPU."""
        network = build(self.recipe.model, len(self.classes), self.recipe.shortcut)
        try:
            network.load_state_dict(self.average)
        except RuntimeError as error:
            raise CheckpointError(
                f"the weights are not those of a '{self.recipe.model}' of this version: "
                "train it again"
            ) from error
        return network.eval()


def save(run: Path, checkpoint: Checkpoint) -> None:
    """Write a run's checkpoint and history, whole or not at all. EdgeError when it cannot."""
    values = {name: getattr(checkpoint, name) for name in Checkpoint.__dataclass_fields__}
    values |= {"format": _FORMAT, "recipe": checkpoint.recipe.as_dict()}
    known = checkpoint.fingerprint
    values["fingerprint"] = None if known is None else known.as_dict()
    # Through memory: torch.save to a file reports a full disk as an unreadable RuntimeError.
    buffer = io.BytesIO()
    torch.save(values, buffer)
    contents: dict[Path, bytes | str] = {
        run / HISTORY: "".join(json.dumps(epoch) + "\n" for epoch in checkpoint.history)
    }
    if checkpoint.result is not None:
        contents[run / RESULT] = json.dumps(checkpoint.result, indent=2) + "\n"
    # The checkpoint last: wherever a run is killed, what follows from it is there when it is.
    write_together(contents | {run / CHECKPOINT: buffer.getvalue()})


def load(run: Path) -> Checkpoint:
    """Open a run's folder. CheckpointError when there is none, or it is damaged or foreign."""
    path = run / CHECKPOINT
    if kind(path) is Kind.MISSING:
        raise CheckpointError(f"{run} holds no checkpoint: train one first with 'mnist-edge train'")
    try:
        file = TorchFile(path, _LARGEST)
        if not isinstance(file.values, dict):
            raise ArchiveError("is damaged or not ours")
        if file.values.get("format") != _FORMAT:
            raise CheckpointError(f"{path} was written by another version of mnist-edge")
        return Checkpoint(**checked(file))
    except ArchiveError as error:
        raise CheckpointError(f"{path} {error}: train it again") from error
    except UsageError as error:  # of what the file says, not of what was asked for
        raise CheckpointError(f"{path} is damaged or not ours: {error}") from error
    except (SchemaError, KeyError) as error:
        raise CheckpointError(
            f"{path} is damaged or not ours ({_missing(error)}): train it again"
        ) from error


def _missing(error: SchemaError | KeyError) -> str:
    return f"it has no {error.args[0]}" if isinstance(error, KeyError) else str(error)


def newest(runs: Path) -> Path:
    """The run below `runs` whose checkpoint was written last. CheckpointError without any."""
    found = sorted(runs.glob(f"*/{CHECKPOINT}"), key=lambda path: path.stat().st_mtime_ns)
    if not found:
        raise CheckpointError(
            f"there is no run in {runs}/: train one first with 'mnist-edge train'"
        )
    return found[-1].parent


def busy(run: Path) -> str:
    """What is said of a run that another process trains."""
    return f"{run} is being trained by another process: wait for it, or choose another --out"


def set_aside(run: Path) -> Path | None:
    """Rename a run that is in the way to <name>-1, <name>-2, …, so that nothing is lost.

    Returns its new place, or None when nothing was there. EdgeError when it cannot be renamed, or
    is being trained.
    """
    if not (run / CHECKPOINT).exists():
        return None
    if Path.cwd().is_relative_to(run.resolve()):  # else the new run would go where it went
        raise CheckpointError(f"{run} holds a run, and is where you are: choose another --out")
    number = 1
    while (kept := run.with_name(f"{run.name}-{number}")).exists():
        number += 1
    try:
        with alone_in(run, busy(run)):
            return run.rename(kept)
    except OSError as error:
        raise CheckpointError(
            f"cannot rename {run}, which holds a run: {error.strerror}. Choose another --out"
        ) from error


def check_resumable(checkpoint: Checkpoint, recipe: Recipe, run: Path) -> None:
    """CheckpointError when a run was started with another recipe than the one asked for."""
    before, asked = checkpoint.recipe.as_dict(), recipe.as_dict()
    for name in before:
        if before[name] != asked[name]:
            raise CheckpointError(
                f"{run} was trained with {name} {before[name]}, not {asked[name]}: "
                "resume it with what it was started with, or choose another --out"
            )


def check_unchanged(checkpoint: Checkpoint, data: Dataset, run: Path, advice: str) -> None:
    """CheckpointError for a data set with other images than those that a run was started on."""
    if told := changes(checkpoint.fingerprint, data.fingerprint):
        raise CheckpointError(
            f"{data.name} has changed since {run} was trained on it: {told}. Put its pictures back "
            f"as they were, or {advice}"
        )


def finish(run: Path, checkpoint: Checkpoint, test: Split) -> Checkpoint:
    """Measure a trained run on the test split, once, and record it in the run's folder."""
    answers = checkpoint.original().answer(test.images).argmax(axis=1)
    result = {
        "split": "test",
        "correct": int((answers == test.labels).sum()),
        "total": len(test.labels),
    }
    finished = replace(checkpoint, result=result)
    save(run, finished)
    return finished
