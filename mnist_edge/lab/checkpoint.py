"""A training run on disk: weights, optimizer, recipe and history <-> runs/<name>/."""

import io
import json
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from mnist_edge.datasets import Split
from mnist_edge.errors import CheckpointError, EdgeError
from mnist_edge.files import alone_in, write_together
from mnist_edge.lab.models import Network, build
from mnist_edge.lab.recipe import Recipe

_FORMAT = 1
_LARGEST_PICKLE = 4 << 20  # resnet56's has 0.2 MB
CHECKPOINT, HISTORY, CURVE, RESULT = "checkpoint.pt", "history.jsonl", "curve.png", "result.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that a run knows after an epoch.

    `average` is the EMA of the weights, which is the trained model; `network` and `optimizer` are
    there to go on. `trained` says on what it ran. `result` is None until the test split has been
    measured, which happens once, at the end.
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
    if not path.is_file():
        raise CheckpointError(f"{run} holds no checkpoint: train one first with 'mnist-edge train'")
    try:
        _check_archive(path)
        values = torch.load(path, map_location="cpu", weights_only=True)
        if values.pop("format") != _FORMAT:
            raise CheckpointError(f"{path} was written by another version of mnist-edge")
        return Checkpoint(**{**values, "recipe": Recipe.from_dict(values["recipe"])})
    except EdgeError:
        raise
    except Exception as error:  # reading damaged bytes raises whatever they happen to spell
        raise CheckpointError(f"{path} is damaged or not ours: train it again") from error


def _check_archive(path: Path) -> None:
    """CheckpointError for an archive that is damaged, or that grows when it is unpacked.

    torch.load does not look at the checksums, nor at how much it is told to unpack.
    """
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        grows = any(part.compress_type != zipfile.ZIP_STORED for part in parts)
        if grows or sum(part.file_size for part in parts) > path.stat().st_size:
            raise CheckpointError(f"{path} is not ours: it would grow when it is unpacked")
        # Every byte of a pickle can become an object.
        if any(part.file_size > _LARGEST_PICKLE for part in parts if part.filename[-4:] == ".pkl"):
            raise CheckpointError(f"{path} is not ours: it holds more objects than a run has")
        if damaged := archive.testzip():
            raise CheckpointError(f"{path} is damaged in {damaged}: train it again")


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
