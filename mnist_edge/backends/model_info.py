"""What a contender runs: a file of ours, the network it was exported from, or a file of others."""

from dataclasses import dataclass, replace

from mnist_edge.fingerprint import Fingerprint
from mnist_edge.image_shape import ImageOptions
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file.contract import Card
from mnist_edge.model_file.reader import AnyModel, ModelFile

_AS_IT_IS = ImageOptions()
_QUANTIZED = ("QuantizeLinear", "QLinear", "ConvInteger", "MatMulInteger", "QGemm")


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model that a contender runs, the same in every runtime.

    `name` is the file's; `family` is the SHA-256 of the checkpoint that it comes from (of the file
    itself where it is not ours), so that an original, its fp32 and its int8 file have one family.
    `recorded` is the accuracy that a file of ours says of itself, and `names` are those of its
    classes, in the order of its logits, `fingerprint` that of its data; a foreign file says
    nothing. `batch` is the only number of images that a call takes, None where it takes any.
    `options` are those with which its data set is to be loaded.
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
    options: ImageOptions = _AS_IT_IS

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
            options=ImageOptions.of(card.shape, card.fit),
        )

    @classmethod
    def of_original(cls, card: Card) -> "ModelInfo":
        """The network that a file was exported from."""
        file = cls.of_file(card.model, card)
        return replace(file, precision="fp32", recorded=card.original_accuracy)

    @classmethod
    def of_foreign(
        cls, model: AnyModel, dataset: str, classes: int, batch: int | None = None
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
        )
