"""The contract of an exported file: its input, its output, and what its metadata says.

`Card` is the metadata as a value: written by the lab, read by the edge.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from mnist_edge.dataset_names import fit_of_version_1
from mnist_edge.errors import ModelError
from mnist_edge.fingerprint import Fingerprint
from mnist_edge.image_shape import MNIST_SHAPE, Fit, ImageShape
from mnist_edge.metrics import Accuracy, Threshold
from mnist_edge.model_file.golden import Golden
from mnist_edge.model_file.older_names import rename_fields
from mnist_edge.rejection import Rejection

INPUT, OUTPUT = "image", "logits"
PREFIX = "mnist_edge."
VERSION = 2
"""The newest version of the contract; a file states the lowest that expresses it. Version 2 added
images of other shapes than 28×28 grey, and how pictures are fitted into them."""
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
    all. `rejection` counts what the threshold does to images of no class, None where the data set
    had none. `shape` is that of the images, and `fit` how pictures become such images: neither is
    written into a file of version 1.
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
    shape: ImageShape = MNIST_SHAPE
    fit: Fit = Fit.DIGIT
    rejection: Rejection | None = None

    @property
    def version(self) -> int:
        """The lowest version of the contract that says all of this."""
        old = self.shape == MNIST_SHAPE and self.fit == fit_of_version_1(self.dataset)
        return 1 if old else VERSION

    @property
    def reads_digits(self) -> bool:
        """Whether its classes are digits, and may be called so."""
        return set(self.classes) <= set("0123456789")

    @property
    def checkpoint_sha256(self) -> str:
        """The SHA-256 of the PyTorch checkpoint that the file comes from, directly or not."""
        return self.original_sha256 or self.source_sha256

    def to_metadata(self) -> dict[str, str]:
        """The card as ONNX `metadata_props`: every key under the prefix, every value text."""
        values = {
            key: entry.encode(value)
            for key, entry in _ENTRIES.items()
            if (value := getattr(self, key)) is not None and entry.since <= self.version
        }
        # A folder's name need not be text. In JSON, such an escape is read as what it stands for.
        return {
            PREFIX + key: value.encode(errors="backslashreplace").decode()
            for key, value in values.items()
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> "Card":
        """Read a card. ModelError names the first entry that is missing or unreadable."""
        key, values = "", dict[str, Any]()
        try:
            for key, entry in _ENTRIES.items():
                if PREFIX + key in metadata:
                    values[key] = entry.decode(metadata[PREFIX + key])
                elif not entry.optional:
                    raise ModelError(f"its metadata lacks {PREFIX}{key}")
            if "fit" not in values:
                values["fit"] = fit_of_version_1(values["dataset"])
            del values["version"]  # it follows from the rest
            card, key = cls(**values), "fit"
            if card.fit is Fit.DIGIT and card.shape != MNIST_SHAPE:
                raise ValueError("only images of MNIST's shape have its form")
            key = "confusion"
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


def _encode(value: Any) -> str:
    """A text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=asdict)


def _encode_accuracy(accuracy: Accuracy) -> str:
    return json.dumps({"value": accuracy.value, **asdict(accuracy), "split": "test"})


def _decode_version(text: str) -> int:
    if not 1 <= (version := int(text)) <= VERSION:
        raise ModelError(
            f"it follows version {version} of the contract, of which {VERSION} is the newest known "
            "here: install a newer mnist-edge, or export it again"
        )
    return version


def _decode_text(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise ValueError("a text that nobody reads")
    return text


def _decode_classes(text: str) -> tuple[str, ...]:
    names = tuple(str(name) for name in json.loads(text))
    if len(names) > MOST_CLASSES or any(len(name) > LONGEST_CLASS for name in names):
        raise ValueError("too many classes, or names that nobody reads")
    return names


def _decode_dict(text: str) -> dict[str, Any]:
    return dict(json.loads(text))


def _decode_trained(text: str) -> dict[str, Any]:
    trained = _decode_dict(text)
    if "recipe" in trained:
        trained["recipe"] = rename_fields(trained["recipe"])
    return trained


def _decode_accuracy(text: str) -> Accuracy:
    values = json.loads(text)
    return Accuracy(int(values["correct"]), int(values["total"]))


def _decode_threshold(text: str) -> Threshold:
    values = _decode_dict(text)
    value = float(values.pop("value"))
    return Threshold(value, **{name: int(count) for name, count in values.items()})


def _decode_rejection(text: str) -> Rejection:
    return Rejection(**{name: int(count) for name, count in _decode_dict(text).items()})


def _decode_confusion(text: str) -> Counts:
    rows = tuple(tuple(row) for row in json.loads(text))
    for row in rows:
        # JSON's true is an int to Python.
        if len(row) != len(rows) or not all(type(count) is int and count >= 0 for count in row):
            raise ValueError("a confusion matrix is square, and counts")
    return rows


@dataclass(frozen=True, slots=True)
class _Entry:
    """How a value is read from a text, with an error where that is none of its kind, and how it
    becomes one; `since` is the version of the contract that brought it."""

    decode: Callable[[str], Any]
    encode: Callable[[Any], str] = _encode
    optional: bool = False
    since: int = 1


_ACCURACY = _Entry(_decode_accuracy, _encode_accuracy)
_ENTRIES = {
    "version": _Entry(_decode_version),
    "model": _Entry(_decode_text),
    "classes": _Entry(_decode_classes, partial(json.dumps, ensure_ascii=False)),
    "dataset": _Entry(_decode_text),
    "precision": _Entry(_decode_text),
    "params": _Entry(int),
    "macs": _Entry(int),
    "accuracy": _ACCURACY,
    "original_accuracy": _ACCURACY,
    "temperature": _Entry(float),
    "trained": _Entry(_decode_trained),
    "source_sha256": _Entry(_decode_text),
    "calibration": _Entry(_decode_dict, optional=True),
    "original_sha256": _Entry(_decode_text, optional=True),
    "golden": _Entry(Golden.from_json, Golden.to_json, optional=True),
    "threshold": _Entry(_decode_threshold, optional=True),
    "confusion": _Entry(
        _decode_confusion, partial(json.dumps, separators=(",", ":")), optional=True
    ),
    "licence": _Entry(_decode_text, optional=True),
    "fingerprint": _Entry(lambda text: Fingerprint.from_dict(json.loads(text)), optional=True),
    "shape": _Entry(lambda text: ImageShape(**json.loads(text)), optional=True, since=2),
    "rejection": _Entry(_decode_rejection, optional=True),
    "fit": _Entry(Fit, optional=True, since=2),
}
"""Every entry by its key, which is the field's name, in the order of a file."""
