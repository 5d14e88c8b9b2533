"""What a contender runs: a file of ours, the network it was exported from, or a file of others."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from mnist_edge.fingerprint import Fingerprint
from mnist_edge.image_shape import MNIST_SHAPE, Fit, ImageShape
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file.contract import Card
from mnist_edge.model_file.reader import AnyModel, ModelFile

_QUANTIZED = ("QuantizeLinear", "QLinear", "ConvInteger", "MatMulInteger", "QGemm")


class ImagesKey(NamedTuple):
    """Which images a model answers: those of a data set, in the shape that it takes, fitted into it
    in its way."""

    dataset: str
    shape: ImageShape = MNIST_SHAPE
    fit: Fit = Fit.DIGIT


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model that a contender runs, the same in every runtime.

    `name` is the file's; `family` is the SHA-256 of the checkpoint that it comes from (of the file
    itself where it is not ours), so that an original, its fp32 and its int8 file have one family.
    `recorded` is the accuracy that a file of ours says of itself, and `names` are those of its
    classes, in the order of its logits, `fingerprint` that of its data; a foreign file says
    nothing. `shape` is that of the images that it takes, and `fit` how pictures become such images.
    `batch` is the only number of images that a call takes, None where it takes any.
    """

    name: str
    model: str
    family: str
    precision: str
    dataset: str
    classes: int
    recorded: Accuracy | None
    ours: bool = True
    batch: int | None = None
    names: tuple[str, ...] | None = None
    fingerprint: Fingerprint | None = None
    shape: ImageShape = MNIST_SHAPE
    fit: Fit = Fit.DIGIT

    @property
    def images(self) -> ImagesKey:
        """What it is scored on."""
        return ImagesKey(self.dataset, self.shape, self.fit)

    @classmethod
    def of_file(cls, name: str, card: Card) -> "ModelInfo":
        """An exported file."""
        return cls(
            name=name,
            model=card.model,
            family=card.checkpoint_sha256,
            precision=card.precision,
            dataset=card.dataset,
            classes=len(card.classes),
            recorded=card.accuracy,
            names=card.classes,
            fingerprint=card.fingerprint,
            shape=card.shape,
            fit=card.fit,
        )

    @classmethod
    def of_original(cls, card: Card) -> "ModelInfo":
        """The network that a file was exported from."""
        file = cls.of_file(card.model, card)
        return replace(file, precision="fp32", recorded=card.original_accuracy)

    @classmethod
    def of_foreign(
        cls,
        model: AnyModel,
        dataset: str,
        classes: int,
        batch: int | None = None,
        shape: ImageShape = MNIST_SHAPE,
        fit: Fit = Fit.DIGIT,
    ) -> "ModelInfo":
        """A file that says nothing of itself; it is scored on `dataset`."""
        model = ModelFile.of(model)
        operators = " ".join(node.op for node in model.graph.nodes)
        return cls(
            name=model.path.name,
            model=model.path.stem,
            family=model.sha256,
            precision="int8" if any(name in operators for name in _QUANTIZED) else "fp32",
            dataset=dataset,
            classes=classes,
            recorded=None,
            ours=False,
            batch=batch,
            shape=shape,
            fit=fit,
        )
