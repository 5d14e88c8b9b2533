"""What can be timed: one small class per runtime, behind one protocol."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mnist_edge.classifier import Classifier
from mnist_edge.contract import Card
from mnist_edge.files import sha256

Answer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Images uint8 (N, 28, 28) -> logits float32 (N, classes): what the stopwatch times."""


class Contender(Protocol):
    """A model in a runtime. `load` opens it afresh, on `threads` threads, ready to answer."""

    @property
    def name(self) -> str: ...

    @property
    def runtime(self) -> str: ...

    @property
    def path(self) -> Path: ...

    @property
    def card(self) -> Card: ...

    def load(self, threads: int) -> Answer: ...


@dataclass(frozen=True, slots=True)
class OnnxRuntime:
    """An exported file in ONNX Runtime, as `Classifier` opens it."""

    path: Path
    card: Card
    runtime: str = "onnxruntime"

    @classmethod
    def open(cls, path: Path) -> "OnnxRuntime":
        """ModelError when the file does not honour the contract."""
        return cls(path, Classifier(path).card)

    @property
    def name(self) -> str:
        return self.path.name

    def load(self, threads: int) -> Answer:
        return Classifier(self.path, threads).logits


@dataclass(frozen=True, slots=True)
class PyTorch:
    """The original that a file was exported from, in PyTorch eager; needs the extra `[train]`."""

    path: Path  # of the checkpoint
    card: Card  # of the exported file
    runtime: str = "pytorch"

    @property
    def name(self) -> str:
        return self.card.model

    def load(self, threads: int) -> Answer:
        import torch

        from mnist_edge.lab import checkpoint

        torch.set_num_threads(threads)
        network = checkpoint.load(self.path.parent).original()
        network.temperature.fill_(self.card.temperature)

        def answer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            with torch.inference_mode():
                logits: NDArray[np.float32] = network(torch.from_numpy(images)).numpy()
            return logits

        return answer


def original_of(file: OnnxRuntime, runs: Path) -> PyTorch | None:
    """The PyTorch original of an exported file: the run whose checkpoint has the hash it names.

    None where the run, or torch, is not here.
    """
    for path in sorted(runs.glob("*/checkpoint.pt")):
        if sha256(path) == file.card.checkpoint_sha256:
            return PyTorch(path, file.card) if _has_torch() else None
    return None


def _has_torch() -> bool:
    """Asked for last: importing it takes seconds."""
    try:
        import torch  # noqa: F401
    except ImportError:
        return False
    return True
