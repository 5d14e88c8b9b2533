"""What the page is told of a model, and of where its answers come from: site.json."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnist_edge.contract import Card
from mnist_edge.datasets import FOLDER
from mnist_edge.files import sha256

FILE = "site.json"
VERSION = 1


def site(engine: dict[str, Any], models: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The page's own description: which engine answers, and for which models."""
    return {"mnist_edge": VERSION, "engine": engine, "models": list(models)}


def model(path: Path, card: Card) -> dict[str, Any]:
    """A file's facts. `form` is how a drawing is prepared for it: "drawn", as MNIST's digits are,
    or "letterbox", the whole canvas, for images of a folder."""
    return {
        "name": path.stem,
        "file": path.name,
        "model": card.model,
        "precision": card.precision,
        "classes": list(card.classes),
        "dataset": FOLDER.rstrip(":") if card.dataset.startswith(FOLDER) else card.dataset,
        "form": "letterbox" if card.dataset.startswith(FOLDER) else "drawn",
        "threshold": card.threshold.value if card.threshold else None,
        "accuracy": {"correct": card.accuracy.correct, "total": card.accuracy.total},
        "size_bytes": path.stat().st_size,
        "sha256": sha256(path),
    }
