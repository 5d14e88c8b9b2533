"""What contenders run: a file of ours, the network it was exported from, or a file of others."""

from pathlib import Path

from mnist_edge.backends.base import ModelInfo
from mnist_edge.model_file.contract import Card
from mnist_edge.model_file.reader import AnyModel, ModelFile

_QUANTIZED = ("QuantizeLinear", "QLinear", "ConvInteger", "MatMulInteger", "QGemm")


def of_file(path: Path, card: Card) -> ModelInfo:
    """An exported file."""
    return ModelInfo(
        name=path.name,
        model=card.model,
        family=card.checkpoint_sha256,
        precision=card.precision,
        dataset=card.dataset,
        classes=len(card.classes),
        recorded=card.accuracy,
        names=card.classes,
        fingerprint=card.fingerprint,
    )


def of_original(card: Card) -> ModelInfo:
    """The network that a file was exported from."""
    return ModelInfo(
        name=card.model,
        model=card.model,
        family=card.checkpoint_sha256,
        precision="fp32",
        dataset=card.dataset,
        classes=len(card.classes),
        recorded=card.original_accuracy,
        names=card.classes,
        fingerprint=card.fingerprint,
    )


def of_foreign(model: AnyModel, dataset: str, classes: int, batch: int | None = None) -> ModelInfo:
    """A file that says nothing of itself; it is scored on `dataset`."""
    model = ModelFile.of(model)
    operators = " ".join(node.op for node in model.graph.nodes)
    return ModelInfo(
        name=model.path.name,
        model=model.path.stem,
        family=model.sha256,
        precision="int8" if any(name in operators for name in _QUANTIZED) else "fp32",
        dataset=dataset,
        classes=classes,
        recorded=None,
        ours=False,
        batch=batch,
    )
