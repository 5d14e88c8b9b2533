"""A model file, read once: what is looked at, hashed and run is the same bytes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mnist_edge.errors import ModelError
from mnist_edge.model_file import validate
from mnist_edge.model_file.graph import Graph
from mnist_edge.model_file.onnx_schema import RefusedError
from mnist_edge.model_file.operators.base import Sizes
from mnist_edge.model_file.resource_bounds import Bounds, bounds


@dataclass(frozen=True)
class ModelFile:
    """The bytes that lay at `path` when it was read, with the weights of a file beside it in them,
    and what they say.

    Nothing may run that has not had its `bounds`. `graph` is looked through when it is first asked
    for. A pickled one brings its bytes along.
    """

    path: Path
    content: bytes = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> "ModelFile":
        """ModelError when it is missing, no ONNX file, or refused (see `validate`)."""
        found = cls(path, validate.with_external_data(validate.read(path), path))
        _ = found.graph
        return found

    @classmethod
    def of(cls, model: "AnyModel") -> "ModelFile":
        """What has been read already, or is read now."""
        return model if isinstance(model, ModelFile) else cls.read(Path(model))

    @cached_property
    def graph(self) -> Graph:
        """ModelError for what is no ONNX file, or one that is refused."""
        return validate.check(self.content, self.path)

    def bounds(self, sizes: Mapping[str, Sizes], free: bool) -> Bounds:
        """What an answer costs, to inputs of these sizes by name; where `free`, the first is the
        number of images, which is 1 there. ModelError where that passes what is given, or does not
        follow from the file."""
        try:
            return bounds(self.graph, sizes, free)
        except RefusedError as error:
            raise ModelError(f"{self.path} is refused: {error}") from None

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "content": self.content}


AnyModel = ModelFile | Path | str
"""A model file, or where it lies."""
