"""What is looked at in an ONNX file before ONNX Runtime reads it.

A file may name other files of this machine as its weights (CVE-2022-25882, CVE-2024-27318), ask
for operators of strangers, or be a few bytes that become gigabytes. None of that is a small image
classifier, and none of it gets past here.
"""

from dataclasses import dataclass
from pathlib import Path

from mnist_edge.errors import ModelError
from mnist_edge.opening.wire import Value, fields

LARGEST_FILE = 128 << 20
_MOST_FIELDS = 250_000  # resnet56 has 6,000; each becomes an object of some hundred bytes
_DEEPEST = 50  # graphs in graphs; protocol buffers' own limit is 100 messages
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")  # what ONNX Runtime itself brings

# onnx.proto: which fields of a message are messages in their turn. What is missing here is a text
# or a number, or holds nothing that could grow.
_MESSAGES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "text", 14: "text", 20: "training", 25: "function", 26: "devices"},
    "graph": {
        1: "node",
        5: "tensor",
        11: "value",
        12: "value",
        13: "value",
        14: "annotation",
        15: "sparse tensor",
        16: "text",
    },
    "node": {5: "attribute", 9: "text", 10: "devices"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        14: "type",
        15: "type",
        22: "sparse tensor",
        23: "sparse tensor",
    },
    "tensor": {13: "external data", 16: "text"},
    "value": {2: "type", 4: "text"},
    "type": {1: "tensor type", 4: "sequence", 5: "map", 8: "tensor type", 9: "sequence"},
    "tensor type": {2: "shape"},
    "sequence": {1: "type"},
    "map": {2: "type"},
    "shape": {1: "text"},
    "annotation": {2: "text"},
}
_REFUSED = {
    "devices": "it is cut up for several devices",
    "function": "it brings functions of its own: inline them with onnx.inliner",
    "training": "it holds instructions for training",
    "sparse tensor": "it holds sparse tensors, which may be any size when they are unpacked",
    "external data": "its weights lie in other files: save it as one file",
}
_DOMAIN, _DATA_LOCATION = 7, 14


def read(path: Path) -> bytes:
    """A model file's bytes, looked through. ModelError when it is missing, or refused."""
    if not path.is_file():
        raise ModelError(f"there is no model file {path}")
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) > LARGEST_FILE:
        raise ModelError(
            f"{path} is larger than {LARGEST_FILE >> 20} MB: this tool is for small classifiers"
        )
    screen(content, path)
    return content


def screen(content: bytes, path: Path) -> None:
    """ModelError, naming `path`, for what is no ONNX file, or one that is refused."""
    try:
        found = _Screen()
        found.message("model", memoryview(content))
    except _RefusedError as error:
        raise ModelError(f"{path} is refused: {error}") from None
    except ValueError as error:
        raise ModelError(f"{path} is not an ONNX file, or a damaged one: {error}") from None
    if not found.has_graph:
        raise ModelError(f"{path} is not an ONNX file, or a damaged one: it holds no graph")


class _RefusedError(Exception):
    """Why a file is not opened."""


@dataclass(slots=True)
class _Screen:
    seen: int = 0
    has_graph: bool = False

    def message(self, kind: str, content: memoryview, depth: int = 0) -> None:
        if kind in _REFUSED:
            raise _RefusedError(_REFUSED[kind])
        if depth > _DEEPEST:
            raise _RefusedError(f"its messages lie more than {_DEEPEST} deep in each other")
        inner = _MESSAGES.get(kind, {})
        self.has_graph |= kind == "graph"
        for number, value in fields(content):
            self.seen += 1
            if self.seen > _MOST_FIELDS:
                raise _RefusedError(f"it has more than {_MOST_FIELDS:,} parts")
            self._check(kind, number, value)
            if number in inner:
                if not isinstance(value, memoryview):
                    raise ValueError(f"a {inner[number]} is a number")
                self.message(inner[number], value, depth + 1)

    def _check(self, kind: str, number: int, value: Value) -> None:
        if (kind, number) == ("node", _DOMAIN) and (domain := _text(value)) not in _DOMAINS:
            raise _RefusedError(f"it needs operators of '{domain}', which ONNX Runtime lacks")
        if (kind, number) == ("tensor", _DATA_LOCATION) and value:
            raise _RefusedError(_REFUSED["external data"])


def _text(value: Value) -> str:
    """A text as it may be shown. ValueError for a number."""
    if isinstance(value, int):
        raise ValueError("a text is a number")
    shown = bytes(value[:100]).decode("utf-8", "replace")
    return shown if shown.isprintable() else ascii(shown)
