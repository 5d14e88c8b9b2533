"""A training run on disk: weights, optimizer, recipe and history <-> runs/<name>/.

torch.save writes it, and whoever has PyTorch can load it; what reads it here trusts nothing.
"""

import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from mnist_edge.errors import CheckpointError, UsageError
from mnist_edge.file_access import Kind, kind
from mnist_edge.files import write_together
from mnist_edge.fingerprint import Fingerprint
from mnist_edge.image_shape import MNIST_SHAPE, Fit, ImageShape
from mnist_edge.lab.training.checkpoint_fields import read_fields
from mnist_edge.lab.training.dataclass_schema import SchemaError
from mnist_edge.lab.training.models import Network, build
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.stored_zip import ArchiveError
from mnist_edge.lab.training.torch_file import TorchFile
from mnist_edge.metrics import Accuracy

_FORMAT = 1
_MAX_BYTES = 1 << 30  # bytes; 50 million parameters, the most that a network has, take 0.8
CHECKPOINT, HISTORY, CURVE, RESULT = "checkpoint.pt", "history.jsonl", "curve.png", "result.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that a run knows after an epoch.

    `average` is the EMA of the weights, which is the trained model; `network` and `optimizer` are
    there to go on. `trained` says on what it ran. `result` is None until the test split has been
    measured, which happens once, at the end. `fingerprint` is that of the data set: None in older
    runs, and where the set's name says it all. `shape` is that of the images, and `fit` is how
    pictures become such images.
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
    shape: ImageShape = MNIST_SHAPE
    fit: Fit = Fit.DIGIT

    @property
    def test_accuracy(self) -> Accuracy | None:
        """None until the test split has been measured."""
        found = self.result
        return None if found is None else Accuracy(found["correct"], found["total"])

    @property
    def test_recalls(self) -> tuple[Accuracy | None, ...]:
        """Of each class, None for one without test images; () in older runs, and until the test
        split has been measured."""
        found = self.result or {}
        counts = zip(found.get("class_correct", ()), found.get("class_total", ()), strict=True)
        return tuple(Accuracy(correct, total) if total else None for correct, total in counts)

    def trained_network(self) -> Network:
        """The trained network (the average), in eval mode, on the CPU."""
        network = build(self.recipe.model, len(self.classes), self.recipe.shortcut, self.shape)
        try:
            network.load_state_dict(self.average)
        except RuntimeError as error:
            raise CheckpointError(
                f"the weights are not those of a '{self.recipe.model}' of this version: "
                "train it again"
            ) from error
        return network.eval()


def save_checkpoint(run: Path, checkpoint: Checkpoint) -> None:
    """Write a run's checkpoint and history, whole or not at all. EdgeError when it cannot."""
    values = {name: getattr(checkpoint, name) for name in Checkpoint.__dataclass_fields__}
    values |= {"format": _FORMAT, "recipe": checkpoint.recipe.as_dict()}
    values |= {"shape": asdict(checkpoint.shape), "fit": checkpoint.fit.value}
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


def load_checkpoint(run: Path) -> Checkpoint:
    """Open a run's folder. CheckpointError when there is none, or it is damaged or foreign."""
    path = run / CHECKPOINT
    if kind(path) is Kind.MISSING:
        raise CheckpointError(f"{run} holds no checkpoint: train one first with 'mnist-edge train'")
    try:
        file = TorchFile(path, _MAX_BYTES)
        if not isinstance(file.values, dict):
            raise ArchiveError("is damaged or not ours")
        if file.values.get("format") != _FORMAT:
            raise CheckpointError(f"{path} was written by another version of mnist-edge")
        return Checkpoint(**read_fields(file))
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
