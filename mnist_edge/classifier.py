"""An ONNX file opened, checked against the contract, ready to answer."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnist_edge.errors import GoldenError, ModelError
from mnist_edge.image_shape import ImageShape
from mnist_edge.metrics import softmax
from mnist_edge.model_file import golden, model_paths
from mnist_edge.model_file.contract import INPUT, OUTPUT, Card
from mnist_edge.model_file.golden import GoldenCheck
from mnist_edge.model_file.graph import Value, describe
from mnist_edge.model_file.reader import AnyModel, ModelFile
from mnist_edge.model_file.session import open_session, run_once
from mnist_edge.model_file.tensors import FLOAT, UINT8
from mnist_edge.types import Images, LogitsFunction

if TYPE_CHECKING:
    from mnist_edge.preprocess import Source


@dataclass(frozen=True)
class Prediction:
    """What a model answered: `logits` float32 (N, classes), and what follows from them.

    Labels and probabilities are worked out when they are first asked for: together they cost
    about 11 µs, a sixth of the answer of a network as small as `edge`. `classes` are the names of
    the classes, in the order of the logits; `threshold` is the probability from which on an answer
    counts as sure, 0 for a file that states none.
    """

    logits: NDArray[np.float32]
    classes: tuple[str, ...] = ()
    threshold: float = 0.0

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The most probable class of each image, int64 (N,): positions in the classes."""
        labels: NDArray[np.int64] = self.logits.argmax(axis=1)
        return labels

    @property
    def names(self) -> tuple[str, ...]:
        """The name of the most probable class of each image."""
        return tuple(self.classes[label] for label in self.labels)

    @cached_property
    def sure(self) -> NDArray[np.bool_]:
        """Whether each answer's probability reaches the threshold, bool (N,). Where it does not,
        `mnist-edge predict` says `?`."""
        sure: NDArray[np.bool_] = self.probabilities.max(axis=1) >= self.threshold
        return sure

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Calibrated probabilities, float32 (N, classes): the softmax of the logits."""
        return softmax(self.logits)


class Classifier:
    """A model file that answers.

    >>> model = Classifier()                  # edge.onnx; or "edge-int8", or a path
    >>> model.predict(images).names           # images: uint8 (N, 28, 28), as model.shape says
    >>> model.predict(model.read("seven.png")).names[0]

    `path` is a file, or the bare name of one in `exported/` or of one that came with the package
    (see `model_paths.find`). `threads` is how many cores one answer may use; 1 is fastest for small
    networks. `threshold` is the probability from which on an answer is sure, 0 for a file that has
    none. Raises ModelError when the file is missing, unreadable, or does not honour the
    contract.
    """

    def __init__(self, path: AnyModel | None = None, threads: int = 1) -> None:
        known = path if isinstance(path, ModelFile) else model_paths.find(path)
        self.model = ModelFile.of(known)
        self.path = self.model.path
        self.threads = threads
        self.card = _card(self.model)
        self._most = _most_images(self.model, self.shape)
        self._dims = self.shape.dims  # asked for at every answer
        # An application asks now and then, and has other things to do meanwhile.
        self.session = open_session(self.model, threads, spinning=False)
        run_once(self.model, self.session, {INPUT: np.zeros((1, *self.shape.dims), np.uint8)})
        self._run = self.session.run
        self._outputs = [OUTPUT]
        self.threshold = self.card.threshold.value if self.card.threshold else 0.0

    def __reduce__(self) -> tuple[type["Classifier"], tuple[ModelFile, int]]:
        """A pickled one is its file's bytes, opened where it is unpickled: no other ones that
        lie at its place by then."""
        return Classifier, (self.model, self.threads)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the logits."""
        return self.card.classes

    @property
    def shape(self) -> ImageShape:
        """Of the images that it takes."""
        return self.card.shape

    def logits(self, images: Images) -> NDArray[np.float32]:
        """The logits, float32 (N, classes), of images of its `shape`: uint8 (N, H, W), or
        (N, H, W, 3) in RGB. TypeError for others.

        Many images are several calls of ONNX Runtime, none of which takes more than 256 MB.
        """
        if (
            not isinstance(images, np.ndarray)
            or images.dtype != np.uint8
            or images.shape[1:] != self._dims
        ):
            raise TypeError(_about_images(images, self.shape))
        if len(images) > self._most:
            return in_chunks(self.logits, images, self._most)
        answer: NDArray[np.float32] = self._run(self._outputs, {INPUT: images})[0]
        return answer

    def check(self) -> GoldenCheck | None:
        """Whether the file computes here what it computed where it was made, in milliseconds.

        It answers eight inputs that anyone can draw, and compares with the golden answers in its
        metadata; None for a file that has none. GoldenError when one differs.
        """
        if self.card.golden is None:
            return None
        try:
            found = golden.check(self.card.golden, self.logits, self.shape)
        except GoldenError as error:
            raise GoldenError(f"{self.path} cannot be checked: {error}") from error
        if found.passed:
            return found
        maybe = (
            "its int8 sums may saturate on this CPU: use the fp32 file, or export it again"
            if self.card.precision == "int8"
            else "the file is damaged, or this ONNX Runtime computes wrongly on this CPU"
        )
        raise GoldenError(
            f"{self.path} does not compute here what it computed where it was made: {found}; "
            f"{maybe}"
        )

    def read(self, source: "Source") -> Images:
        """A picture as an image that it takes, uint8 (H, W) or (H, W, 3), of its `shape`.

        `source` is the path of a file, an open binary file or a Pillow image, as for
        `read_picture`, and so are the errors. A file that reads digits looks for the digit on it;
        for any other the picture is set upright, and fitted into the shape as in training.
        """
        from mnist_edge.preprocess import read_picture  # Pillow: most callers have no use for it

        return read_picture(source, self.shape, self.card.fit)

    def predict(self, images: Images) -> Prediction:
        """The labels and probabilities of images, as for `logits`, or of a single one, (H, W) or
        (H, W, 3), as `read` gives it: N is 1 then. TypeError for others."""
        single = isinstance(images, np.ndarray) and images.ndim == len(self.shape.dims)
        logits = self.logits(images[np.newaxis] if single else images)
        return Prediction(logits, self.card.classes, self.threshold)


def _about_images(images: object, shape: ImageShape) -> str:
    """Why these are no images of a shape, and how to make some of them."""
    wanted = f"images must be a NumPy array uint8 {shape.array}"
    if not isinstance(images, np.ndarray):
        return f"{wanted}, not {type(images).__name__}: np.stack makes one of several images"
    told = f"{wanted}, not {images.dtype} {images.shape}"
    size = (shape.height, shape.width)
    if images.shape == shape.dims:
        return f"{told}: images[np.newaxis] is a batch of one"
    if images.shape[1:] == (1, *size) and not shape.is_color:
        return f"{told}: images[:, 0] is without the channel"
    if images.shape[1:] == (3, *size) and shape.is_color:
        return f"{told}: images.transpose(0, 2, 3, 1) has the channels last"
    if images.shape[1:] != shape.dims:
        return f"{told}: Classifier.read makes one such image of any picture"
    if images.dtype.kind == "f":
        return f"{told}: pixels in 0..1 become (images * 255).round().astype(np.uint8)"
    return f"{told}: images.astype(np.uint8), where its values are pixels 0..255"


CHUNK_SIZE = 500
"""Images that are scored in a call."""


def in_chunks(call: LogitsFunction, images: Images, size: int = CHUNK_SIZE) -> NDArray[np.float32]:
    """The logits (N, classes) of any number of images, asked for `size` at a time: memory stays
    small, and the values in the caches."""
    return np.concatenate([call(images[at : at + size]) for at in range(0, len(images), size)])


def logits_function(model: ModelFile, optimize: bool = True) -> LogitsFunction:
    """What answers as a Classifier does, for a file that has no card yet; `optimize=False` runs the
    graph as written. ModelError when it will not open."""
    most = _most_images(model, _input_shape(model))
    session = open_session(model, optimize=optimize, spinning=False)

    def call(images: Images) -> NDArray[np.float32]:
        answer: NDArray[np.float32] = session.run([OUTPUT], {INPUT: images})[0]
        return answer

    return lambda images: in_chunks(call, images, most)


def read_card(model: AnyModel) -> Card:
    """What a file says of itself, once it has been opened and has answered a blank image.

    ModelError as for a Classifier.
    """
    return Classifier(model).card


def _most_images(model: ModelFile, shape: ImageShape) -> int:
    """How many images a call may take."""
    return model.bounds({INPUT: (1, *shape.dims)}, free=True).most_images


def _input_shape(model: ModelFile) -> ImageShape:
    """The shape of the images that a graph takes. ModelError for a graph that takes others than
    the contract knows."""
    signatures = [_signature(value) for value in model.graph.inputs]
    if len(signatures) == 1:
        name, dtype, sizes = signatures[0]
        if (name, dtype) == (INPUT, UINT8) and sizes and sizes[0] is None:
            with suppress(ValueError):
                return ImageShape.from_dims(sizes[1:])
    raise ModelError(
        f"{model.path} is not a file of mnist-edge: its input is {describe(model.graph.inputs)}, "
        f"not {INPUT} uint8 (N, H, W) or (N, H, W, 3)"
    )


def _card(model: ModelFile) -> Card:
    """ModelError for a file that does not honour the contract."""
    path, graph, shape = model.path, model.graph, _input_shape(model)
    try:
        card = Card.from_metadata(graph.metadata)
    except ModelError as error:
        raise ModelError(f"{path} is not a file of mnist-edge: {error}") from error
    if card.shape != shape:
        raise ModelError(
            f"{path} is not a file of mnist-edge: it takes images of {shape}, and its metadata "
            f"say {card.shape}"
        )
    count = len(card.classes)
    if [_signature(value) for value in graph.outputs] != [(OUTPUT, FLOAT, (None, count))]:
        raise ModelError(
            f"{path} is not a file of mnist-edge: its output is {describe(graph.outputs)}, "
            f"not {OUTPUT} float32 (N, {count})"
        )
    return card


def _signature(value: Value) -> tuple[str, int | None, tuple[int | None, ...] | None]:
    """Name, type and shape, with None for a free dimension."""
    sizes = value.shape
    free = None if sizes is None else tuple(x if isinstance(x, int) else None for x in sizes)
    return value.name, value.dtype, free
