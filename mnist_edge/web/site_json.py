"""The files of the page, and what it is told of models and of what answers: site.json."""

from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from mnist_edge.dataset_names import is_folder_dataset
from mnist_edge.escaping import printable
from mnist_edge.model_file.contract import Card

FILE = "site.json"
VERSION = 2


def page_files() -> dict[str, bytes]:
    """The page's own files, by name."""
    folder = resources.files(__package__) / "page"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def describe_site(engine: dict[str, Any], models: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The page's own description: which engine answers, and for which models."""
    return {"mnist_edge": VERSION, "engine": engine, "models": list(models)}


def describe_model(path: Path, card: Card) -> dict[str, Any]:
    """A file's facts. `shape` and `fit` are what its images are, and how pictures become them;
    where it `reads_digits`, the page may say so."""
    of_folder = is_folder_dataset(card.dataset)
    return {
        "name": printable(path.stem),
        "file": path.name,
        "model": printable(card.model),
        "precision": printable(card.precision),
        "classes": [printable(name) for name in card.classes],
        "dataset": "folder" if of_folder else printable(card.dataset),
        "reads_digits": card.reads_digits,
        "shape": asdict(card.shape),
        "fit": card.fit,
        "threshold": card.threshold.value if card.threshold else None,
        "accuracy": {"correct": card.accuracy.correct, "total": card.accuracy.total},
        "size_bytes": path.stat().st_size,
    }


def is_readable(version: object) -> bool:
    """Whether a description of a version is one that lists its files as this one does."""
    return type(version) is int and 1 <= version <= VERSION
