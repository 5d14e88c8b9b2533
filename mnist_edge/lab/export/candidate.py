"""An ONNX file in memory, before it lies anywhere: its bytes, its graph, its card, its gate."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from mnist_edge.classifier import Classifier
from mnist_edge.datasets import Dataset
from mnist_edge.lab.export.gate import Gate, measure
from mnist_edge.model_file.contract import Card
from mnist_edge.model_file.reader import ModelFile


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A file of ours with its graph and its card.

    `logits` (N, C) are its answers to the test split, None where it was not asked yet.
    """

    file: ModelFile
    model: onnx.ModelProto = field(repr=False, compare=False)
    card: Card
    logits: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.file.path.name

    @property
    def opset(self) -> int:
        return int(self.model.opset_import[0].version)


@dataclass(frozen=True, slots=True)
class Candidate(OnnxModel):
    """A file that is to be published where it passes its gate, and what the gate found."""

    gate: Gate = field(kw_only=True)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the file's numbers, and what its gate found."""
        card = self.card
        values: dict[str, Any] = {
            "file": self.name,
            "sha256": self.file.sha256,
            "bytes": len(self.file.content),
            "precision": card.precision,
            "dataset": card.dataset,
            "shape": asdict(card.shape),
            "fit": card.fit,
            "opset": self.opset,
            "temperature": card.temperature,
            "threshold": None if card.threshold is None else asdict(card.threshold),
            "rejection": None if card.rejection is None else asdict(card.rejection),
            "accuracy": card.accuracy.as_dict(),
            "original_accuracy": card.original_accuracy.as_dict(),
            **self.gate.as_dict(),
        }
        if card.calibration is not None:
            values["calibration"] = card.calibration
        return values


def measure_candidate(
    name: str,
    model: onnx.ModelProto,
    card: Card,
    data: Dataset,
    original: NDArray[np.float32] | None,
    fp32: NDArray[np.float32] | None = None,
) -> Candidate:
    """Let a graph answer, say in its card what was found, and put both into a file's bytes.

    `original` are the logits of the test split that the PyTorch network gave, `fp32` those of the
    file that an int8 one was made from. GateError where an answer depends on other things than its
    image; what else the gate found is to be checked afterwards.
    """
    graph = without_metadata(model)
    gate, answers = measure(ModelFile(Path(name), graph), data, original, fp32)
    card = replace(
        card,
        accuracy=gate.verification.exported,
        golden=answers.golden,
        threshold=answers.threshold,
        confusion=answers.confusion,
        rejection=answers.rejection,
    )
    file = ModelFile(Path(name), with_metadata(graph, card))
    Classifier(file)  # it opens, and honours the contract
    return Candidate(file, model, card, answers.logits, gate=gate)


def without_metadata(model: onnx.ModelProto) -> bytes:
    """A graph's bytes alone."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    return bytes(copy.SerializeToString(deterministic=True))


def with_metadata(graph: bytes, card: Card) -> bytes:
    """A file's bytes: a graph's with its card as the metadata.

    What is appended to a protobuf message is merged into it, so the graph need not be written anew.
    """
    metadata = onnx.ModelProto()
    onnx.helper.set_model_props(metadata, card.to_metadata())
    return graph + bytes(metadata.SerializeToString(deterministic=True))
