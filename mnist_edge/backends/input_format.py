"""How an ONNX classifier takes its images: found out from the file itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.errors import ModelError
from mnist_edge.model_file.contract import INPUT, OUTPUT
from mnist_edge.model_file.graph import Shape, describe
from mnist_edge.model_file.reader import AnyModel, ModelFile
from mnist_edge.model_file.resource_bounds import LARGEST_BATCH
from mnist_edge.model_file.session import open_session, run_once
from mnist_edge.model_file.tensors import DOUBLE, FLOAT, FLOAT16, UINT8
from mnist_edge.types import SIDE, Images

Values = NDArray[Any]
Call = Callable[[Values], Values]
"""One call of a model: an input of the shape that it takes -> its output as it comes."""

FREE = -1
"""A number of images that is whatever comes."""

RAW_PIXELS = (1.0, 0.0)
USUAL_SCALINGS = {
    RAW_PIXELS: "0..255 as they are",
    (1 / 255, 0.0): "as 0..1",
    (1 / (255 * 0.3081), 255 * 0.1307): "less MNIST's mean 0.1307, over its deviation 0.3081",
    (1 / 127.5, 127.5): "as -1..1",
    (1 / 255, 127.5): "as -0.5..0.5",
}
"""Scale and mean of what trainers usually do to pixels, the plainest first, and its name."""

_TYPES = {UINT8: "uint8", FLOAT16: "float16", FLOAT: "float32", DOUBLE: "float64"}
_PIXELS = SIDE * SIDE
_IMAGE = ((SIDE, SIDE), (_PIXELS,))
_MOST_DIMENSIONS = 6


class GuessBasis(StrEnum):
    """What forms were compared by."""

    LOG_LOSS = "log-loss"
    ACCURACY = "accuracy"
    MIXED = "log-loss of pairs of images laid over each other"


class GuessVerdict(StrEnum):
    """How far to believe a guess. TIED: the best two are closer than the margin. POOR: even the
    best form reads fewer than half of the examples right."""

    APART = "told apart"
    TIED = "cannot be told apart"
    POOR = "none fits"


@dataclass(frozen=True, slots=True)
class InputGuess:
    """What a guess rests on: of so many labelled `examples`, the share that it reads right, in
    0..1, and its mean log-loss in nats; the same of the next best form, `rival`, in words."""

    examples: int
    basis: GuessBasis
    accuracy: float
    loss: float
    rival: str
    rival_accuracy: float
    rival_loss: float
    verdict: GuessVerdict


@dataclass(frozen=True, slots=True)
class InputFormat:
    """What an ONNX classifier takes and gives.

    Its input is (pixel - mean) × scale, of grey levels 0..255 that become 255 - pixel first where
    `invert`. `dtype` is numpy's name of its type; `shape` begins with FREE where a call takes as
    many images as there are. `plain` is a file whose output is the answer as it is, float32
    (N, classes), as that of ours. `guess` is None where nothing was guessed. `most` images in a
    call take no more memory than is given (see `ModelFile.bounds`).
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    output: str
    classes: int
    plain: bool
    scale: float = 1.0
    mean: float = 0.0
    invert: bool = False
    guess: InputGuess | None = None
    most: int = LARGEST_BATCH

    @classmethod
    def ours(cls, classes: int, most: int = LARGEST_BATCH) -> "InputFormat":
        """That of every file that honours the contract."""
        return cls(INPUT, "uint8", (FREE, SIDE, SIDE), OUTPUT, classes, plain=True, most=most)

    @property
    def tied(self) -> bool:
        """Whether it was guessed, and another form would do as well."""
        return self.guess is not None and self.guess.verdict is GuessVerdict.TIED

    @property
    def form(self) -> str:
        """What becomes of the pixels, in words."""
        names = [
            name
            for form, name in USUAL_SCALINGS.items()
            if np.allclose(form, (self.scale, self.mean), 1e-5)
        ]
        told = names[0] if names else f"(pixel - {self.mean:g}) × {self.scale:g}"
        return told + (", inverted" if self.invert else "")

    @property
    def batch(self) -> int | None:
        """Images a call; None where it is as many as there are."""
        return None if self.shape[0] == FREE else prod(self.shape) // _PIXELS

    def prepare(self, images: Images) -> Values:
        """Images uint8 (N, 28, 28) as the file takes them. Where a call takes a fixed number of
        images that is not N, they stay (N, 28, 28): `answers` cuts them into calls."""
        pixels: Values = 255 - images if self.invert else images
        if self.dtype != "uint8":
            wide = np.float64 if self.dtype == "float64" else np.float32
            pixels = pixels.astype(wide)
            if self.mean:
                pixels -= wide(self.mean)
            if self.scale != 1:
                pixels *= wide(self.scale)
            pixels = pixels.astype(self.dtype, copy=False)
        return pixels.reshape(self.shape) if self.batch in (None, len(images)) else pixels

    def answers(self, call: Call, prepared: Values) -> NDArray[np.float32]:
        """The answers, float32 (N, classes), to what `prepare` gave, from as many calls as that
        takes. The last call is filled up where it has to be, and cut off again."""
        batch = self.batch
        if batch is None or prepared.shape == self.shape:
            return self._rows(call(prepared))
        parts = []
        for at in range(0, len(prepared), batch):
            some = prepared[at : at + batch]
            missing = batch - len(some)
            if missing:
                some = np.concatenate([some, np.repeat(some[:1], missing, axis=0)])
            parts.append(self._rows(call(some.reshape(self.shape))))
        return np.concatenate(parts)[: len(prepared)]

    def _rows(self, output: Values) -> NDArray[np.float32]:
        return output.astype(np.float32, copy=False).reshape(-1, self.classes)


def read(model: AnyModel, classes: Callable[[], int] | None = None) -> InputFormat:
    """What a file takes and gives, the pixels as they are.

    It takes a single input of 28×28 or 784 values, for one image or for several. The answer is
    the first output of two or more floats for each image; where there are several such, the first
    of as many as there are `classes`, which is asked for only then: others are features.
    ModelError says what the file has instead, and of a file that takes too much memory or time.
    """
    found = _read(ModelFile.of(model))
    if len(found) > 1 and classes:
        wanted = classes()
        found = [one for one in found if one.classes == wanted] or found
    return found[0]


def _read(model: ModelFile) -> list[InputFormat]:
    """An input format for each output that may be the answer."""
    path, inputs, outputs = model.path, model.graph.inputs, model.graph.outputs
    shapes = _shapes(inputs[0].shape) if len(inputs) == 1 and inputs[0].shape else []
    if not shapes or inputs[0].dtype not in _TYPES:
        raise ModelError(
            f"{path} takes {describe(inputs)}: what can be measured takes one input of 28×28 or "
            "784 values for each image, float or uint8"
        )
    input_format = InputFormat(inputs[0].name, _TYPES[inputs[0].dtype], (), "", 0, plain=False)
    tries = [replace(input_format, shape=shape) for shape in shapes]
    # Some files say that any number of images will do, and only one does.
    tries += [replace(one, shape=(1, *one.shape[1:])) for one in tries if one.batch is None]
    failed = ModelError(
        f"{path} gives {describe(outputs)}, and nothing of two or more floats for each image"
    )
    for tried in tries:
        try:
            if found := _probe(model, tried):
                return found
        except ModelError as error:
            failed = error
    raise failed


def _probe(model: ModelFile, input_format: InputFormat) -> list[InputFormat]:
    """The input format with each output that may answer, found by asking."""
    found: list[InputFormat] = []
    free = input_format.batch is None
    sizes = (1, *input_format.shape[1:]) if free else input_format.shape
    bounds = model.bounds({input_format.name: sizes}, free)
    most = bounds.most_images if free else LARGEST_BATCH  # cut into calls of its own
    images = np.zeros((input_format.batch or 2, SIDE, SIDE), np.uint8)
    feed = {input_format.name: input_format.prepare(images)}
    answers = run_once(model, open_session(model), feed)
    for item, values in zip(model.graph.outputs, answers, strict=True):
        if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
            continue
        classes, rest = divmod(values.size, len(images))
        if classes >= 2 and not rest and values.shape[0] in (len(images), values.size):
            plain = values.dtype == np.float32 and values.shape == (len(images), classes)
            plain = plain and free
            one = replace(input_format, output=item.name, classes=classes, plain=plain, most=most)
            found.append(one)
    return found


def _shapes(shape: Shape) -> list[tuple[int, ...]]:
    """The shapes that a call may have, FREE first where it is; none when it holds no images of
    ours. Sizes that are free further back are filled in as an image needs them, the channel first
    and then last."""
    first = [shape[0] if isinstance(shape[0], int) else FREE]
    choices = [[size] if isinstance(size, int) else [1, SIDE, _PIXELS] for size in shape[1:]]
    if len(shape) > _MOST_DIMENSIONS:
        return []
    found = [(*first, *rest) for rest in product(*choices)]
    fitting = [one for one in found if _holds_images(one) and not _parts_rows_from_columns(one)]
    return sorted(fitting, key=lambda one: one.count(_PIXELS))  # a picture rather than a row


def _parts_rows_from_columns(sizes: tuple[int, ...]) -> bool:
    """Whether something stands between an image's rows and columns."""
    sides = [at for at, size in enumerate(sizes) if size == SIDE]
    return len(sides) > 1 and sides[-1] - sides[-2] > 1


def _holds_images(sizes: tuple[int, ...]) -> bool:
    alone = tuple(size for size in sizes if size != 1) in _IMAGE
    return alone or (tuple(size for size in sizes[1:] if size != 1) in _IMAGE and bool(sizes[0]))
