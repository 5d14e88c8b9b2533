"""How an ONNX classifier takes its images: found out from the file itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.backends import pixel_scaling
from mnist_edge.backends.input_shapes import FREE, Sizes, call_shapes, square_image, stated_images
from mnist_edge.backends.pixel_scaling import PerChannel, Scaling
from mnist_edge.errors import ModelError
from mnist_edge.image_shape import MAX_SIDE, MIN_SIDE, MNIST_SHAPE, ImageShape
from mnist_edge.model_file.contract import INPUT, OUTPUT
from mnist_edge.model_file.graph import describe
from mnist_edge.model_file.reader import AnyModel, ModelFile
from mnist_edge.model_file.resource_bounds import LARGEST_BATCH
from mnist_edge.model_file.session import open_session, run_once
from mnist_edge.model_file.tensors import DOUBLE, FLOAT, FLOAT16, UINT8
from mnist_edge.types import Images

Values = NDArray[Any]
Call = Callable[[Values], Values]
"""One call of a model: an input of the shape that it takes -> its output as it comes."""

_TYPES = {UINT8: "uint8", FLOAT16: "float16", FLOAT: "float32", DOUBLE: "float64"}


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

    Its input is (pixel - mean) × scale, of levels 0..255 that become 255 - pixel first where
    `invert`. `dtype` is numpy's name of its type; `shape` begins with FREE where a call takes as
    many images as there are. `plain` is a file whose output is the answer as it is, float32
    (N, classes), as that of ours. `guess` is None where nothing was guessed. `most` images in a
    call take no more memory than is given (see `ModelFile.bounds`). `image` is the shape of one
    image; of colour, `channels_first` is an order of planes, and `bgr` one of blue, green and red.
    """

    name: str
    dtype: str
    shape: Sizes
    output: str
    classes: int
    plain: bool
    scale: PerChannel = 1.0
    mean: PerChannel = 0.0
    invert: bool = False
    guess: InputGuess | None = None
    most: int = LARGEST_BATCH
    image: ImageShape = MNIST_SHAPE
    channels_first: bool = False
    bgr: bool = False

    @classmethod
    def ours(
        cls, classes: int, most: int = LARGEST_BATCH, image: ImageShape = MNIST_SHAPE
    ) -> "InputFormat":
        """That of every file that honours the contract."""
        shape = (FREE, *image.dims)
        return cls(INPUT, "uint8", shape, OUTPUT, classes, plain=True, most=most, image=image)

    @property
    def scaling(self) -> Scaling:
        return Scaling(self.scale, self.mean)

    @property
    def tied(self) -> bool:
        """Whether it was guessed, and another form would do as well."""
        return self.guess is not None and self.guess.verdict is GuessVerdict.TIED

    @property
    def is_flat(self) -> bool:
        """Whether an image is a row of all its values."""
        return self.image.values in self.shape

    @property
    def form(self) -> str:
        """What becomes of the pixels, in words."""
        text = pixel_scaling.describe(self.scaling)
        text += ", channel by channel" if self.is_flat and self.channels_first else ""
        text += ", in BGR" if self.bgr else ""
        return text + (", inverted" if self.invert else "")

    @property
    def batch(self) -> int | None:
        """Images a call; None where it is as many as there are."""
        return None if self.shape[0] == FREE else prod(self.shape) // self.image.values

    def prepare(self, images: Images) -> Values:
        """Images of its shape, uint8, as the file takes them. Where a call takes a fixed number of
        images that is not N, they stay single ones: `answers` cuts them into calls."""
        pixels: Values = 255 - images if self.invert else images
        if self.bgr:
            pixels = pixels[..., ::-1]
        if self.channels_first:
            pixels = pixels.transpose(0, 3, 1, 2)
        if self.dtype != "uint8":
            pixels = self._scaled(pixels)
        elif self.image.is_color:
            pixels = np.ascontiguousarray(pixels)
        return pixels.reshape(self.shape) if self.batch in (None, len(images)) else pixels

    def _scaled(self, pixels: Values) -> Values:
        wide = np.float64 if self.dtype == "float64" else np.float32
        pixels = pixels.astype(wide, order="C")
        if self.mean != 0:
            pixels -= self._for_channels(self.mean, wide)
        if self.scale != 1:
            pixels *= self._for_channels(self.scale, wide)
        return pixels.astype(self.dtype, copy=False)

    def _for_channels(self, values: PerChannel, wide: type[np.floating[Any]]) -> Values:
        """One number or three, where they meet the channels of prepared pixels."""
        if not isinstance(values, tuple):
            return np.array(values, wide)
        own = np.array(values[::-1] if self.bgr else values, wide)
        return own[:, None, None] if self.channels_first else own

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


def read(
    model: AnyModel,
    classes: Callable[[], int] | None = None,
    image: ImageShape = MNIST_SHAPE,
) -> InputFormat:
    """What a file takes and gives where it is given images of this shape, the pixels as they are.

    It takes a single input of such images, or of rows of their values, for one image or for
    several. The answer is the first output of two or more floats for each image; where there are
    several such, the first of as many as there are `classes`, which is asked for only then: others
    are features. ModelError says what the file has instead, and of a file that takes too much
    memory or time.
    """
    found = _read(ModelFile.of(model), image)
    if len(found) > 1 and classes:
        wanted = classes()
        found = [one for one in found if one.classes == wanted] or found
    return found[0]


def stated_image(model: AnyModel) -> ImageShape | None:
    """The only shape of images that a file can be meant for by its input; None where it takes
    several, or none."""
    inputs = ModelFile.of(model).graph.inputs
    found = stated_images(inputs[0].shape) if len(inputs) == 1 and inputs[0].shape else []
    return found[0] if len(found) == 1 else None


def row_image(model: AnyModel) -> ImageShape | None:
    """The square image whose values are a row of a file's input; None where it takes none."""
    inputs = ModelFile.of(model).graph.inputs
    return square_image(inputs[0].shape) if len(inputs) == 1 and inputs[0].shape else None


def _read(model: ModelFile, image: ImageShape) -> list[InputFormat]:
    """An input format for each output that may be the answer."""
    path, inputs, outputs = model.path, model.graph.inputs, model.graph.outputs
    shapes = call_shapes(inputs[0].shape, image) if len(inputs) == 1 and inputs[0].shape else []
    if not shapes or inputs[0].dtype not in _TYPES:
        raise ModelError(_about_input(model, image))
    dtype = _TYPES[inputs[0].dtype]
    tries = [
        InputFormat(
            inputs[0].name,
            dtype,
            shape,
            output="",
            classes=0,
            plain=False,
            image=image,
            channels_first=image.is_color and channels_first,
        )
        for shape, channels_first in shapes
    ]
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


def describe_misfit(path: Path, takes: ImageShape, dataset: str, has: ImageShape) -> str:
    """Why a file cannot be measured on a set, and what to do."""
    return (
        f"{path} takes images of {takes}, and {dataset} has {has}: name the set that it was "
        "trained on with --dataset"
    )


def _about_input(model: ModelFile, image: ImageShape) -> str:
    """Why a file cannot be given images of this shape."""
    return (
        f"{model.path} takes {describe(model.graph.inputs)}: what can be measured takes one input, "
        f"float or uint8, of {image} images or of {image.values:,} values for each (another "
        f"--dataset may have others: {MIN_SIDE} to {MAX_SIDE} pixels a side, grey or RGB)"
    )


def _probe(model: ModelFile, input_format: InputFormat) -> list[InputFormat]:
    """The input format with each output that may answer, found by asking."""
    found: list[InputFormat] = []
    free = input_format.batch is None
    sizes = (1, *input_format.shape[1:]) if free else input_format.shape
    bounds = model.bounds({input_format.name: sizes}, free)
    most = bounds.most_images if free else LARGEST_BATCH  # cut into calls of its own
    images = np.zeros((input_format.batch or 2, *input_format.image.dims), np.uint8)
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
