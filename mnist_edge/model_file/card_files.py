"""Where a file's model card lies, whether it is ours, and what its metadata cannot say."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mnist_edge.errors import EdgeError
from mnist_edge.model_file.contract import Card
from mnist_edge.model_file.manifest import RecordedLatency

MARK = "<!-- mnist-edge made this card of its file's metadata, and will make it again: do not edit"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file's metadata cannot say: its name, its size and the SHA-256 of its bytes.

    `latency` is what `mnist-edge bench --record` measured of it, None where nobody did.
    """

    name: str
    size_bytes: int
    sha256: str
    latency: RecordedLatency | None = None


def card_path(file: Path) -> Path:
    """Where a file's card lies: edge.md beside edge.onnx."""
    return file.with_suffix(".md")


CardText = Callable[[Card, FileFacts], str]
"""Makes a model card of a file's metadata and facts."""


def check_replaceable(path: Path) -> None:
    """EdgeError where something lies in a card's place that is no card of ours."""
    try:
        ours = not path.exists() or path.read_bytes().startswith(MARK.encode())
    except OSError:
        ours = False
    if not ours:
        raise EdgeError(
            f"{path} is in the way of the model card and is not ours: "
            "move it away, or choose another folder"
        )
