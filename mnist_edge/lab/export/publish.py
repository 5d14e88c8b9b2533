"""The folder of exported files: what lies there already, what comes in its place, the manifest."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from mnist_edge.classifier import Classifier, read_card
from mnist_edge.datasets import Dataset
from mnist_edge.errors import EdgeError, ModelError
from mnist_edge.files import lock_folder, write_together
from mnist_edge.host.machine import this_machine
from mnist_edge.lab.export.gate import Gate, Verification, measure
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file import card_files
from mnist_edge.model_file.card_files import CardText
from mnist_edge.model_file.contract import Card
from mnist_edge.model_file.manifest import MANIFEST, add_entries
from mnist_edge.model_file.reader import ModelFile


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that lies nowhere yet, what its gate found, and its answers to the test split."""

    name: str
    content: bytes
    card: Card
    opset: int
    gate: Gate
    logits: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        name: str,
        model: onnx.ModelProto,
        card: Card,
        data: Dataset,
        original: NDArray[np.float32] | None,
        fp32: NDArray[np.float32] | None = None,
    ) -> "Draft":
        """Measure a graph, say what was found in its card, and put both into a file's bytes.

        `original` are the logits of the test split that the PyTorch network gave, `fp32` those of
        the file that an int8 one was made from.
        """
        graph = serialized(model)
        gate, answers = measure(ModelFile(Path(name), graph), data, original, fp32)
        card = replace(
            card,
            accuracy=gate.verification.exported,
            golden=answers.golden,
            threshold=answers.threshold,
            confusion=answers.confusion,
        )
        content = with_card(graph, card)
        Classifier(ModelFile(Path(name), content))  # it opens, and honours the contract
        return cls(name, content, card, model.opset_import[0].version, gate, answers.logits)

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


def serialized(model: onnx.ModelProto) -> bytes:
    """A graph's bytes, without metadata."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    return bytes(copy.SerializeToString(deterministic=True))


def with_card(graph: bytes, card: Card) -> bytes:
    """A file's bytes: a graph's with its card as the metadata.

    What is appended to a protobuf message is merged into it, so the graph need not be written anew.
    """
    metadata = onnx.ModelProto()
    onnx.helper.set_model_props(metadata, card.to_metadata())
    return graph + bytes(metadata.SerializeToString(deterministic=True))


def place(
    drafts: Sequence[Draft], out: Path, card_text: CardText, force: bool = False
) -> list[Exported]:
    """Write drafts and their model cards, which `card_text` makes, into a folder, all or none, and
    enter them in its manifest. What was measured of a file's speed stays there as long as its bytes
    are the same.

    Raises EdgeError, and leaves the folder as it was, where a better or foreign file is in the way
    without `force`, or the manifest cannot be read.
    """
    with lock_folder(out):  # two exports at once would each write the manifest without the other
        return _place(drafts, out, card_text, force)


def check_way(out: Path, stem: str | None, int8: bool, force: bool, coming: Coming) -> None:
    """EdgeError where a better or foreign file is in the way of one that is to be made, and of its
    int8 twin where that is wanted, without `force`: to be asked before minutes of work."""
    stem = stem or coming.name.removesuffix(".onnx")
    files = [replace(coming, name=f"{stem}.onnx")]
    if int8:  # how accurate it will be, nobody knows yet
        files.append(replace(coming, name=f"{stem}-int8.onnx", accuracy=None))
    for file in files:
        _check_in_the_way(out / file.name, file, force)
        if not force:
            card_files.check_replaceable(card_files.card_path(out / file.name))


def _place(drafts: Sequence[Draft], out: Path, card_text: CardText, force: bool) -> list[Exported]:
    manifest, timed = add_entries(out / MANIFEST, {draft.name: _entry(draft) for draft in drafts})
    replaced = [_check_in_the_way(out / draft.name, draft.coming, force) for draft in drafts]
    contents: dict[Path, bytes | str] = {}
    for draft in drafts:
        path = out / draft.name
        if not force:
            card_files.check_replaceable(card_files.card_path(path))
        facts = card_files.FileFacts(
            draft.name, len(draft.content), draft.sha256, timed[draft.name]
        )
        contents[path] = draft.content
        contents[card_files.card_path(path)] = card_text(draft.card, facts)
    write_together(contents | {out / MANIFEST: manifest})
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
