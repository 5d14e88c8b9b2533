"""The folder of exported files: what lies there already, what comes in its place, the manifest."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mnist_edge.classifier import read_card
from mnist_edge.errors import EdgeError, ModelError
from mnist_edge.files import lock_folder, write_together
from mnist_edge.host.machine import this_machine
from mnist_edge.lab.export.candidate import Candidate
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file import card_files
from mnist_edge.model_file.card_files import CardText
from mnist_edge.model_file.contract import Card
from mnist_edge.model_file.manifest import MANIFEST, add_entries


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file that is to be made: its name, its data set, and its accuracy where that is known."""

    name: str
    dataset: str
    accuracy: Accuracy | None = None


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """Where a candidate lies now, and how accurate the file was that it replaced, None without."""

    path: Path
    candidate: Candidate
    replaced: Accuracy | None

    @property
    def card(self) -> Card:
        return self.candidate.card


def publish(
    candidates: Sequence[Candidate], out: Path, card_text: CardText, force: bool = False
) -> list[PublishedFile]:
    """Write candidates and their model cards, which `card_text` makes, into a folder, all or none,
    and enter them in its manifest. What was measured of a file's speed stays there as long as its
    bytes are the same.

    Raises EdgeError, and leaves the folder as it was, where a better or foreign file is in the way
    without `force`, or the manifest cannot be read.
    """
    with lock_folder(out):  # two exports at once would each write the manifest without the other
        entries = {one.name: _manifest_entry(one) for one in candidates}
        manifest, latencies = add_entries(out / MANIFEST, entries)
        contents: dict[Path, bytes | str] = {}
        published = []
        for one in candidates:
            path, card = out / one.name, one.card
            planned = PlannedFile(one.name, card.dataset, card.accuracy)
            published.append(PublishedFile(path, one, check_replaceable(path, planned, force)))
            content, sha256 = one.file.content, one.file.sha256
            facts = card_files.FileFacts(one.name, len(content), sha256, latencies[one.name])
            contents |= {path: content, card_files.card_path(path): card_text(card, facts)}
        write_together(contents | {out / MANIFEST: manifest})
    return published


def check_output(out: Path, stem: str | None, int8: bool, force: bool, fp32: PlannedFile) -> None:
    """EdgeError where a better or foreign file is in the way of an fp32 file that is planned, and
    of its int8 twin where that is wanted, without `force`: to be asked before minutes of work."""
    stem = stem or fp32.name.removesuffix(".onnx")
    planned = [replace(fp32, name=f"{stem}.onnx")]
    if int8:  # how accurate it will be, nobody knows yet
        planned.append(replace(fp32, name=f"{stem}-int8.onnx", accuracy=None))
    for file in planned:
        check_replaceable(out / file.name, file, force)


def check_replaceable(path: Path, planned: PlannedFile, force: bool) -> Accuracy | None:
    """The accuracy of the file that will be replaced, None without one. EdgeError if it, or what
    lies in its model card's place, has to stay."""
    replaced = _accuracy_of_replaced(path, planned, force)
    if not force:
        card_files.check_replaceable(card_files.card_path(path))
    return replaced


def _accuracy_of_replaced(path: Path, planned: PlannedFile, force: bool) -> Accuracy | None:
    if not path.exists():
        return None
    try:
        old = read_card(path)
    except ModelError:
        if force:
            return None
        raise EdgeError(
            f"{path} is in the way and is not ours: use --force, or another --out"
        ) from None
    if force:
        return old.accuracy
    if old.dataset != planned.dataset:
        raise EdgeError(
            f"{path} was made for {old.dataset}, this one is for {planned.dataset}: "
            "use --force to replace it, or another --name or --out"
        )
    if planned.accuracy is not None and old.accuracy.value > planned.accuracy.value:
        raise EdgeError(
            f"{path} is better ({old.accuracy.value:.2%}) than this one "
            f"({planned.accuracy.value:.2%}): use --force to replace it, or another --out"
        )
    return old.accuracy


def _manifest_entry(candidate: Candidate) -> dict[str, Any]:
    """A file's numbers for the manifest."""
    card = candidate.card
    values = {
        "sha256": candidate.file.sha256,
        "bytes": len(candidate.file.content),
        "model": card.model,
        "dataset": card.dataset,
        "shape": asdict(card.shape),
        "fit": card.fit,
        "precision": card.precision,
        "params": card.params,
        "macs": card.macs,
        "accuracy": card.accuracy.as_dict() | {"split": "test"},
        "original_accuracy": card.original_accuracy.value,
        "gate": candidate.gate.as_dict(),
        "temperature": card.temperature,
        "threshold": None if card.threshold is None else asdict(card.threshold),
        "trained": card.trained,
        "source_sha256": card.source_sha256,
        "verified_on": this_machine().cpu,
    }
    if card.calibration is not None:
        values |= {"calibration": card.calibration, "original_sha256": card.original_sha256}
    return values
