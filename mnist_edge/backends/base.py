"""What every contender is: a model in a runtime, behind one protocol."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mnist_edge.classifier import CHUNK
from mnist_edge.fingerprint import Fingerprint
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file.reader import ModelFile

Images = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model that a contender runs, the same in every runtime.

    `name` is the file's; `family` is the SHA-256 of the checkpoint that it comes from (of the file
    itself where it is not ours), so that an original, its fp32 and its int8 file have one family.
    `recorded` is the accuracy that a file of ours says of itself, and `names` are those of its
    classes, in the order of its logits, `fingerprint` that of its data; a foreign file says
    nothing. `batch` is the only number of images that a call takes, None where it takes any.
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


class Runs(Enum):
    """What of its model a contender runs."""

    FILE = "the file as it ships, in ONNX Runtime"
    CONVERTED = "the file, as another runtime converts it"
    ORIGINAL = "the network that was trained, as its own framework runs it"
    COMPILED = "the network that was trained, compiled"

    @property
    def file(self) -> bool:
        """Whether it is the file, in whatever runtime."""
        return self in (Runs.FILE, Runs.CONVERTED)


class Runner(Protocol):
    """A model that is loaded and answers: `run(prepare(images))` is one answer.

    `prepare` brings images, uint8 (N, 28, 28), into the form that the model takes; it is timed by
    itself. `run` gives the logits, float32 (N, classes), and is what the stopwatch times.
    """

    def prepare(self, images: Images) -> Any: ...

    def run(self, prepared: Any) -> NDArray[np.float32]: ...


class Contender(Protocol):
    """`load` opens the model afresh, on `threads` threads. A contender can be pickled, so that a
    fresh process can load it too."""

    @property
    def subject(self) -> ModelInfo: ...

    @property
    def runtime(self) -> str: ...

    @property
    def runs(self) -> Runs: ...

    @property
    def path(self) -> Path: ...

    def load(self, threads: int) -> Runner: ...


class Backend(Protocol):
    """A runtime's class, as `catalogue.BACKENDS` names it. Where it `runs` a file, its sources are
    contenders in ONNX Runtime; else they are the PyTorch originals of files."""

    @property
    def runs(self) -> Runs: ...

    def unavailable_reason(self) -> str | None:
        """Why it cannot run here, such as an extra that is not installed; None where it can."""

    def takes(self, source: Any) -> bool:
        """Whether it is meant for such a source; what is not is left out without a word."""

    def of(self, source: Any) -> Contender:
        """The same model in this runtime. ModelError when it cannot run it, or then computes
        something else (see `OnnxRuntime.check`)."""


@runtime_checkable
class CanSleep(Protocol):
    """A contender whose several threads can sleep while they wait, in place of spinning, as suits
    answers that are asked for now and then."""

    def load_asleep(self, threads: int) -> Runner: ...


@runtime_checkable
class OfModelFile(Protocol):
    """A contender that runs an ONNX file, of which `most_images` in a call take no more memory
    than is given."""

    @property
    def model(self) -> ModelFile: ...

    @property
    def most_images(self) -> int: ...


def chunk(contender: Contender) -> int:
    """How many images are scored in a call."""
    return min(CHUNK, contender.most_images) if isinstance(contender, OfModelFile) else CHUNK


def answer(runner: Runner, images: Images) -> NDArray[np.float32]:
    """The logits, float32 (N, classes), of images uint8 (N, 28, 28)."""
    return runner.run(runner.prepare(images))
