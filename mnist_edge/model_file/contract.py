"""The contract of an exported file: its input, its output, and what its metadata says.

`Card` is the metadata as a value: written by the lab, read by the edge.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mnist_edge.errors import ModelError
from mnist_edge.fingerprint import Fingerprint
from mnist_edge.metrics import Accuracy, Threshold
from mnist_edge.model_file.golden import Golden
from mnist_edge.model_file.older_names import rename_fields

INPUT, OUTPUT = "image", "logits"
SIDE = 28
PREFIX = "mnist_edge."
VERSION = 1
MOST_CLASSES, LONGEST_CLASS = 10_000, 200
"""How many classes a file may have, and how many letters the name of one."""

_LONGEST_TEXT = 4096  # letters: the longest path of a data set's folder
LICENCE = "MIT"
"""Of this package, and of the files that it exports from public data sets (SPDX)."""

Counts = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Card:
    """What an exported file says of itself.

    `accuracy` was measured on the file, `original_accuracy` on the PyTorch network that it was
    made from, both on the test split of `dataset`. `temperature` has been applied to the logits
    already. `source_sha256` is of the checkpoint (fp32) or of the fp32 file (int8).
    `calibration` and `original_sha256` are an int8 file's alone: how it was quantized, and the
    checkpoint at the beginning of the chain. `golden` are answers that it gave where it was made;
    files from before there were any have none. `threshold` is where its answers are sure, fitted
    on the validation split: None in older files, and where no probability made them sure.
    `confusion` counts the file's answers to the test split, a row for each label, a column for
    each answer: None in older files, and where there are very many classes. `licence` is an SPDX
    expression, None where nobody stated one: in older files, and for a folder's own images.
    `fingerprint` is that of the data set: None in older files, and where the set's name says it
    all.
    """

    model: str
    classes: tuple[str, ...]
    dataset: str
    precision: str
    params: int
    macs: int
    accuracy: Accuracy
    original_accuracy: Accuracy
    temperature: float
    trained: dict[str, Any] = field(repr=False)
    source_sha256: str
    calibration: dict[str, Any] | None = field(default=None, repr=False)
    original_sha256: str | None = None
    golden: Golden | None = field(default=None, repr=False)
    threshold: Threshold | None = None
    confusion: Counts | None = field(default=None, repr=False)
    licence: str | None = None
    fingerprint: Fingerprint | None = field(default=None, repr=False)
    version: int = VERSION

    @property
    def checkpoint_sha256(self) -> str:
        """The SHA-256 of the PyTorch checkpoint that the file comes from, directly or not."""
        return self.original_sha256 or self.source_sha256

    def to_metadata(self) -> dict[str, str]:
        """The card as ONNX `metadata_props`: every key under the prefix, every value text."""
        values: dict[str, str] = {
            "version": str(self.version),
            "model": self.model,
            "classes": json.dumps(self.classes, ensure_ascii=False),
            "dataset": self.dataset,
            "precision": self.precision,
            "params": str(self.params),
            "macs": str(self.macs),
            "accuracy": json.dumps(_accuracy_to_json(self.accuracy)),
            "original_accuracy": json.dumps(_accuracy_to_json(self.original_accuracy)),
            "temperature": repr(self.temperature),
            "trained": json.dumps(self.trained),
            "source_sha256": self.source_sha256,
        }
        if self.calibration is not None:
            values["calibration"] = json.dumps(self.calibration)
        if self.original_sha256 is not None:
            values["original_sha256"] = self.original_sha256
        if self.golden is not None:
            values["golden"] = self.golden.to_json()
        if self.threshold is not None:
            values["threshold"] = json.dumps(asdict(self.threshold))
        if self.confusion is not None:
            values["confusion"] = json.dumps(self.confusion, separators=(",", ":"))
        if self.licence is not None:
            values["licence"] = self.licence
        if self.fingerprint is not None:
            values["fingerprint"] = json.dumps(self.fingerprint.as_dict())
        # A folder's name need not be text. In JSON, such an escape is read as what it stands for.
        return {
            PREFIX + key: value.encode(errors="backslashreplace").decode()
            for key, value in values.items()
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> "Card":
        """Read a card. ModelError names the first entry that is missing or unreadable."""

        def read(key: str) -> str:
            if PREFIX + key not in metadata:
                raise ModelError(f"its metadata lacks {PREFIX}{key}")
            return metadata[PREFIX + key]

        key = "version"
        try:
            if (version := int(read(key))) != VERSION:
                raise ModelError(
                    f"it follows version {version} of the contract, this is {VERSION}: "
                    "install a fitting mnist-edge, or export it again"
                )
            values: dict[str, Any] = {}
            for key, parse in _PARSERS.items():
                if PREFIX + key in metadata or key not in _OPTIONAL:
                    values[key] = parse(read(key))
            card, key = cls(**values), "confusion"
            card._check_confusion()
            return card
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ModelError(f"its metadata {PREFIX}{key} cannot be read") from error

    def _check_confusion(self) -> None:
        """ValueError where the counts are of other classes or answers than the accuracy."""
        if self.confusion is None:
            return
        right = sum(row[at] for at, row in enumerate(self.confusion))
        counted = len(self.confusion), right, sum(map(sum, self.confusion))
        if counted != (len(self.classes), self.accuracy.correct, self.accuracy.total):
            raise ValueError("these counts do not add up to the accuracy")


def _accuracy_to_json(accuracy: Accuracy) -> dict[str, Any]:
    return {
        "value": accuracy.value,
        "correct": accuracy.correct,
        "total": accuracy.total,
        "split": "test",
    }


def _trained_from_json(text: str) -> dict[str, Any]:
    trained = dict(json.loads(text))
    if "recipe" in trained:
        trained["recipe"] = rename_fields(trained["recipe"])
    return trained


def _accuracy_from_json(text: str) -> Accuracy:
    values = json.loads(text)
    return Accuracy(int(values["correct"]), int(values["total"]))


def _threshold_from_json(text: str) -> Threshold:
    values = dict(json.loads(text))
    value = float(values.pop("value"))
    return Threshold(value, **{name: int(count) for name, count in values.items()})


def _confusion_from_json(text: str) -> Counts:
    rows = tuple(tuple(row) for row in json.loads(text))
    for row in rows:
        # JSON's true is an int to Python.
        if len(row) != len(rows) or not all(type(count) is int and count >= 0 for count in row):
            raise ValueError("a confusion matrix is square, and counts")
    return rows


def _classes_from_json(text: str) -> tuple[str, ...]:
    names = tuple(str(name) for name in json.loads(text))
    if len(names) > MOST_CLASSES or any(len(name) > LONGEST_CLASS for name in names):
        raise ValueError("too many classes, or names that nobody reads")
    return names


def _text(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise ValueError("a text that nobody reads")
    return text


_PARSERS: dict[str, Any] = {
    "model": _text,
    "classes": _classes_from_json,
    "dataset": _text,
    "precision": _text,
    "params": int,
    "macs": int,
    "accuracy": _accuracy_from_json,
    "original_accuracy": _accuracy_from_json,
    "temperature": float,
    "trained": _trained_from_json,
    "source_sha256": _text,
    "calibration": lambda text: dict(json.loads(text)),
    "original_sha256": _text,
    "golden": Golden.from_json,
    "threshold": _threshold_from_json,
    "confusion": _confusion_from_json,
    "licence": _text,
    "fingerprint": lambda text: Fingerprint.from_dict(json.loads(text)),
}
_OPTIONAL = (
    *("calibration", "original_sha256", "golden", "threshold", "confusion", "licence"),
    "fingerprint",
)
