"""What every contender is: a model in a runtime, behind one protocol."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mnist_edge.backends.input_format import InputFormat
from mnist_edge.backends.model_info import ModelInfo
from mnist_edge.classifier import CHUNK_SIZE
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.types import Images


class ContenderKind(Enum):
    """What of its model a contender runs."""

    FILE = "the file as it ships, in ONNX Runtime"
    CONVERTED = "the file, as another runtime converts it"
    ORIGINAL = "the network that was trained, as its own framework runs it"
    COMPILED = "the network that was trained, compiled"

    @property
    def is_file(self) -> bool:
        """Whether it is the file, in whatever runtime."""
        return self in (ContenderKind.FILE, ContenderKind.CONVERTED)


class Runner(Protocol):
    """A model that is loaded and answers: `run(prepare(images))` is one answer.

    `prepare` brings images of the model's shape, uint8 (N, H, W) or (N, H, W, 3), into the form
    that it takes; it is timed by itself. `run` gives the logits, float32 (N, classes), and is what
    the stopwatch times.
    """

    def prepare(self, images: Images) -> Any: ...

    def run(self, prepared: Any) -> NDArray[np.float32]: ...


class Contender(Protocol):
    """`load` opens the model afresh, on `threads` threads. A contender can be pickled, so that a
    fresh process can load it too."""

    @property
    def info(self) -> ModelInfo: ...

    @property
    def runtime(self) -> str: ...

    @property
    def kind(self) -> ContenderKind: ...

    @property
    def path(self) -> Path: ...

    def load(self, threads: int) -> Runner: ...


class Backend(Protocol):
    """A runtime's class, as `catalogue.BACKENDS` names it. Where it `runs` a file, its sources are
    contenders in ONNX Runtime; else they are the PyTorch originals of files."""

    @property
    def kind(self) -> ContenderKind: ...

    def unavailable_reason(self) -> str | None:
        """Why it cannot run here, such as an extra that is not installed; None where it can."""

    def accepts(self, source: Any) -> bool:
        """Whether it is meant for such a source; what is not is left out without a word."""

    def of(self, source: Any) -> Contender:
        """The same model in this runtime. ModelError when it cannot run it."""


@dataclass(frozen=True, slots=True)
class FileContender:
    """An ONNX file in a runtime: what the classes of those runtimes inherit, and add their
    `runtime`, `unavailable_reason` and `load` to (see Backend and Contender)."""

    model: ModelFile
    info: ModelInfo
    input_format: InputFormat = field(repr=False)
    kind: ClassVar[ContenderKind] = ContenderKind.CONVERTED

    @staticmethod
    def accepts(file: "FileContender") -> bool:
        return True

    @classmethod
    def of(cls, file: "FileContender") -> Self:
        return cls(file.model, file.info, file.input_format)

    @property
    def path(self) -> Path:
        return self.model.path

    @property
    def most_images(self) -> int:
        """So many in a call take no more memory than is given."""
        return self.input_format.most


def full_name(contender: Contender) -> str:
    """As errors call it: the file, or the model, and its runtime."""
    return f"{contender.info.name} in {contender.runtime}"


def chunk_size(contender: Contender) -> int:
    """How many images are scored in a call."""
    most = contender.most_images if isinstance(contender, FileContender) else CHUNK_SIZE
    return min(CHUNK_SIZE, most)


def answer(runner: Runner, images: Images) -> NDArray[np.float32]:
    """The logits, float32 (N, classes), of images of the model's shape, uint8."""
    return runner.run(runner.prepare(images))
