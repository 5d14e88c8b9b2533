"""ONNX Runtime: files of ours, and any other ONNX classifier of small images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mnist_edge.backends.base import Contender, ContenderKind, FileContender, answer
from mnist_edge.backends.input_format import InputFormat, Values
from mnist_edge.backends.model_info import ModelInfo
from mnist_edge.backends.timing_images import sample_images
from mnist_edge.classifier import read_card
from mnist_edge.errors import ModelError
from mnist_edge.model_file.contract import INPUT, Card
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.model_file.session import open_session
from mnist_edge.types import Images

_APART = 1e-3
_ROUNDED_APART = 0.1  # int8 graphs are rounded by each runtime in its own way
"""How far another runtime's logits may be from ONNX Runtime's, as a part of their range."""


@dataclass(frozen=True, slots=True)
class OnnxRuntime(FileContender):
    """A file in ONNX Runtime, with the session that `Classifier` opens, and its bare `run` timed:
    other runtimes are timed without a Classifier around them too. Several threads spin here, as
    those of the others do; a Classifier's sleep, and so do those of a paced run."""

    runtime: ClassVar[str] = "onnxruntime"
    kind: ClassVar[ContenderKind] = ContenderKind.FILE

    @classmethod
    def open(cls, path: Path) -> "OnnxRuntime":
        """A file of ours. ModelError when it does not honour the contract."""
        model = ModelFile.read(path)
        return cls.ours(model, read_card(model))

    @classmethod
    def ours(cls, model: ModelFile, card: Card) -> "OnnxRuntime":
        """A file of ours whose card has been read."""
        most = model.bounds({INPUT: (1, *card.shape.dims)}, free=True).most_images
        info = ModelInfo.of_file(model.path.name, card)
        return cls(model, info, InputFormat.ours(len(card.classes), most, card.shape))

    @staticmethod
    def unavailable_reason() -> None:
        """It is always here."""

    def load(self, threads: int, optimize: bool = True) -> "OnnxRuntimeRunner":
        """`optimize=False` runs the graph as written: the float reference of an int8 file."""
        return OnnxRuntimeRunner(open_session(self.model, threads, optimize), self.input_format)

    def load_asleep(self, threads: int) -> "OnnxRuntimeRunner":
        return OnnxRuntimeRunner(
            open_session(self.model, threads, spinning=False), self.input_format
        )

    def feed(self, images: Images) -> dict[str, Values]:
        """What one call of `session.run` takes: the images, repeated where it takes a fixed
        number of them."""
        form = self.input_format
        images = np.resize(images, (form.batch or len(images), *form.image.dims))
        return {form.name: form.prepare(images)}

    def check(self, other: Contender) -> None:
        """ModelError when another runtime makes something else of this file: converters and
        optimizers have faults."""
        images = sample_images(10, self.info.shape)
        expected, found = answer(self.load(1), images), answer(other.load(1), images)
        exact = self.info.precision == "fp32" and self.input_format.dtype != "float16"
        allowed = (_APART if exact else _ROUNDED_APART) * np.ptp(expected)
        if found.shape != expected.shape or not np.abs(found - expected).max() <= allowed:
            raise ModelError(
                f"{self.path.name} computes something else in {other.runtime}: left out"
            )


class OnnxRuntimeRunner:
    """An open session; see `base.Runner`."""

    def __init__(self, session: ort.InferenceSession, input_format: InputFormat) -> None:
        self.prepare = input_format.prepare
        self._run = session.run
        self._intake, self._plain = input_format, input_format.plain
        self._input, self._outputs = input_format.name, [input_format.output]

    def run(self, prepared: Values) -> NDArray[np.float32]:
        if self._plain:
            answer: NDArray[np.float32] = self._run(self._outputs, {self._input: prepared})[0]
            return answer
        return self._intake.answers(self._call, prepared)

    def _call(self, values: Values) -> Any:
        return self._run(self._outputs, {self._input: values})[0]
