"""The folder of exported files: what lies there already, what comes in its place, the manifest."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from mnist_edge.classifier import read_card
from mnist_edge.contract import Card
from mnist_edge.errors import EdgeError, ModelError
from mnist_edge.files import alone_in, write_together
from mnist_edge.lab.verify import Gate, Verification
from mnist_edge.machine import this_machine
from mnist_edge.manifest import MANIFEST, latency, read_manifest, with_latency, written
from mnist_edge.metrics import Accuracy
from mnist_edge.report import card as cards


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that lies nowhere yet, what its gate found, and its answers to the test split."""

    name: str
    content: bytes
    card: Card
    opset: int
    gate: Gate
    logits: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def coming(self) -> "Coming":
        return Coming(self.name, self.card.dataset, self.card.accuracy)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the file's numbers, and what its gate found."""
        card = self.card
        found: dict[str, Any] = {
            "file": self.name,
            "sha256": self.sha256,
            "bytes": len(self.content),
            "precision": card.precision,
            "dataset": card.dataset,
            "opset": self.opset,
            "temperature": card.temperature,
            "threshold": None if card.threshold is None else asdict(card.threshold),
            "accuracy": card.accuracy.as_dict(),
            "original_accuracy": card.original_accuracy.as_dict(),
            **self.gate.as_dict(),
        }
        if card.calibration is not None:
            found["calibration"] = card.calibration
        return found


@dataclass(frozen=True, slots=True)
class Coming:
    """A file that is to be made: its name, its data set, and its accuracy where that is known."""

    name: str
    dataset: str
    accuracy: Accuracy | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote: the file, its card, how it was checked, and what it replaced."""

    path: Path
    card: Card
    opset: int
    gate: Gate
    replaced: Accuracy | None

    @property
    def verification(self) -> Verification:
        return self.gate.verification


def described(model: onnx.ModelProto, card: Card) -> bytes:
    """A file's bytes: the graph with its card in the metadata."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    onnx.helper.set_model_props(copy, card.to_metadata())
    return bytes(copy.SerializeToString(deterministic=True))


def place(drafts: Sequence[Draft], out: Path, force: bool = False) -> list[Exported]:
    """Write drafts and their model cards into a folder, all or none, and enter them in its
    manifest. What was measured of a file's speed stays there as long as its bytes are the same.

    Raises EdgeError, and leaves the folder as it was, where a better or foreign file is in the way
    without `force`, or the manifest cannot be read.
    """
    with alone_in(out):  # two exports at once would each write the manifest without the other
        return _place(drafts, out, force)


def check_way(coming: Coming, out: Path, force: bool) -> None:
    """EdgeError where a better or foreign file is in the way of one that is to be made, without
    `force`: to be asked before it is made, which may take minutes."""
    _check_in_the_way(out / coming.name, coming, force)
    if not force:
        cards.check_in_the_way(cards.beside(out / coming.name))


def _place(drafts: Sequence[Draft], out: Path, force: bool) -> list[Exported]:
    manifest = read_manifest(out / MANIFEST)
    replaced = [_check_in_the_way(out / draft.name, draft.coming, force) for draft in drafts]
    contents: dict[Path, bytes | str] = {}
    for draft in drafts:
        path = out / draft.name
        timed = latency(manifest, draft.name, draft.sha256)
        manifest[draft.name] = _entry(draft)
        if timed:
            manifest = with_latency(manifest, draft.name, timed)
        if not force:
            cards.check_in_the_way(cards.beside(path))
        facts = cards.Facts(draft.name, len(draft.content), draft.sha256, timed)
        contents[path] = draft.content
        contents[cards.beside(path)] = cards.render(draft.card, facts)
    write_together(contents | {out / MANIFEST: written(manifest)})
    return [
        Exported(out / draft.name, draft.card, draft.opset, draft.gate, before)
        for draft, before in zip(drafts, replaced, strict=True)
    ]


def _check_in_the_way(target: Path, coming: Coming, force: bool) -> Accuracy | None:
    """The accuracy of the file that will be replaced, None without one. EdgeError if it stays."""
    if not target.exists():
        return None
    try:
        old = read_card(target)
    except ModelError:
        if force:
            return None
        raise EdgeError(
            f"{target} is in the way and is not ours: use --force, or another --out"
        ) from None
    if force:
        return old.accuracy
    if old.dataset != coming.dataset:
        raise EdgeError(
            f"{target} was made for {old.dataset}, this one is for {coming.dataset}: "
            "use --force to replace it, or another --name or --out"
        )
    if coming.accuracy is not None and old.accuracy.value > coming.accuracy.value:
        raise EdgeError(
            f"{target} is better ({old.accuracy.value:.2%}) than this one "
            f"({coming.accuracy.value:.2%}): use --force to replace it, or another --out"
        )
    return old.accuracy


def _entry(draft: Draft) -> dict[str, Any]:
    """A file's numbers for the manifest."""
    card = draft.card
    values = {
        "sha256": draft.sha256,
        "bytes": len(draft.content),
        "model": card.model,
        "dataset": card.dataset,
        "precision": card.precision,
        "params": card.params,
        "macs": card.macs,
        "accuracy": card.accuracy.as_dict() | {"split": "test"},
        "original_accuracy": card.original_accuracy.value,
        "gate": draft.gate.as_dict(),
        "temperature": card.temperature,
        "threshold": None if card.threshold is None else asdict(card.threshold),
        "trained": card.trained,
        "source_sha256": card.source_sha256,
        "verified_on": this_machine().cpu,
    }
    if card.calibration is not None:
        values |= {"calibration": card.calibration, "original_sha256": card.original_sha256}
    return values
