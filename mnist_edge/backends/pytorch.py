"""PyTorch: the network that a file was exported from, eager and compiled. Extra `[train]`."""

import logging
import shutil
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mnist_edge.backends.base import ContenderKind
from mnist_edge.backends.model_info import ModelInfo
from mnist_edge.errors import ModelError
from mnist_edge.files import sha256
from mnist_edge.host import machine
from mnist_edge.model_file.contract import Card
from mnist_edge.types import Images

if TYPE_CHECKING:
    from torch import Tensor

    from mnist_edge.lab.training.models import Network

    Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class PyTorch:
    """The original of a file, eager. `temperature` is what the file divides its logits by."""

    path: Path  # of the checkpoint
    info: ModelInfo
    temperature: float
    runtime: ClassVar[str] = "pytorch"
    kind: ClassVar[ContenderKind] = ContenderKind.ORIGINAL

    @staticmethod
    def unavailable_reason() -> str | None:
        """Why PyTorch cannot run here; None where it can. Importing it takes seconds."""
        try:
            import torch  # noqa: F401
        except (ImportError, OSError):
            return "torch is not installed: pip install 'mnist-edge[train]'"
        return None

    @staticmethod
    def accepts(original: "PyTorch") -> bool:
        return True

    @classmethod
    def of(cls, original: "PyTorch") -> Self:
        return cls(original.path, original.info, original.temperature)

    def load(self, threads: int) -> "Eager":
        """PyTorch's threads are the whole process's: it has as many as were last asked for."""
        return Eager(self._network(threads))

    def _network(self, threads: int) -> "Network":
        import torch

        from mnist_edge.lab.training import checkpoint

        torch.set_num_threads(threads)
        network = checkpoint.load_checkpoint(self.path.parent).trained_network()
        network.temperature.fill_(self.temperature)
        return network


@dataclass(frozen=True, slots=True)
class TorchCompile(PyTorch):
    """The original of a file through torch.compile, once for each batch size, with fixed shapes.

    Each compilation takes seconds, where PyTorch's cache is cold half a minute. `backend` is one
    of PyTorch's compilers; inductor is the one that people mean.
    """

    runtime: ClassVar[str] = "torch-compile"
    kind: ClassVar[ContenderKind] = ContenderKind.COMPILED
    backend: str = "inductor"

    @staticmethod
    def unavailable_reason() -> str | None:
        """Why torch.compile cannot run here; None where it can."""
        if reason := PyTorch.unavailable_reason():
            return reason
        compiler = machine.cpp_compiler()
        if shutil.which(compiler) is None:
            return f"torch-compile needs a C++ compiler, and there is no {compiler}: install one"
        if not Path(sysconfig.get_path("include"), "Python.h").is_file():
            return "torch-compile needs Python's headers, and there is no Python.h: install them"
        return None

    def load(self, threads: int) -> "Compiled":
        """Ready to answer one image; other batch sizes are compiled when they first come.
        ModelError when this machine cannot compile it."""
        # Where CUDA was once installed, it remarks that there is no GPU.
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        runner = Compiled(self._network(threads), self.backend)
        try:
            runner.run(runner.prepare(np.zeros((1, *self.info.shape.dims), np.uint8)))
        except Exception as error:  # whatever a compiler may say
            reason = " ".join(str(error).strip().splitlines()[:2])[:200]  # who raised, and what
            raise ModelError(
                f"torch.compile fails on {self.info.name}: {reason}. "
                "It needs a C++ compiler and Python's headers"
            ) from error
        return runner


class Eager:
    """A network as PyTorch runs it, without gradients; see `base.Runner`."""

    def __init__(self, network: "Network") -> None:
        import torch

        self._network, self._mode = network, torch.inference_mode
        self.prepare: Callable[[Images], Tensor] = torch.from_numpy

    def run(self, prepared: "Tensor") -> NDArray[np.float32]:
        with self._mode():
            logits: NDArray[np.float32] = self._network(prepared).numpy()
        return logits


class Compiled(Eager):
    """A network compiled for each batch size that it meets; see `base.Runner`."""

    def __init__(self, network: "Network", backend: str) -> None:
        super().__init__(network)
        self._backend = backend
        self._sizes: dict[int, Forward] = {}

    def run(self, prepared: "Tensor") -> NDArray[np.float32]:
        forward = self._sizes.get(len(prepared)) or self._compile(len(prepared))
        with self._mode():
            logits: NDArray[np.float32] = forward(prepared).numpy()
        return logits

    def _compile(self, size: int) -> "Forward":
        import torch

        network = self._network

        def forward(images: "Tensor") -> "Tensor":
            logits: Tensor = network(images)
            return logits

        # PyTorch keeps what it compiled with the code object, looks through all that is there at
        # each call, and stops compiling at 8: so each network and size has code of its own.
        own = FunctionType(
            forward.__code__.replace(), forward.__globals__, closure=forward.__closure__
        )
        compiled: Forward = torch.compile(own, dynamic=False, fullgraph=True, backend=self._backend)
        self._sizes[size] = compiled
        return compiled


def find_original(card: Card, runs: Path) -> PyTorch | None:
    """The original of an exported file: the run whose checkpoint has the hash that it names.

    None where the run is not here, or its folder may not be looked into.
    """
    try:
        paths = sorted(runs.glob("*/checkpoint.pt"))
    except OSError:
        return None
    for path in paths:
        if sha256(path) == card.checkpoint_sha256:
            return PyTorch(path, ModelInfo.of_original(card), card.temperature)
    return None
