"""ncnn, through its converter pnnx: fp32 files of ours. Extra `[ncnn]`."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mnist_edge.backends.base import FileContender
from mnist_edge.errors import ModelError
from mnist_edge.image_shape import ImageShape
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.model_file.resource_bounds import LARGEST_BATCH
from mnist_edge.types import Images

_MISSING = "ncnn and pnnx are not installed: pip install 'mnist-edge[ncnn]'"
_CAST = "Tensor.to"


@dataclass(frozen=True, slots=True)
class Ncnn(FileContender):
    """A file converted for ncnn: `graph` is its .param, `weights` its .bin. All its half-precision
    options are off: same weights, same arithmetic."""

    graph: str = field(repr=False)
    weights: bytes = field(repr=False)
    runtime: ClassVar[str] = "ncnn"

    @staticmethod
    def unavailable_reason() -> str | None:
        """Why ncnn cannot run here; None where it can."""
        try:
            import ncnn  # noqa: F401
        except (ImportError, OSError):
            return _MISSING
        return None if _find_pnnx() else _MISSING

    @staticmethod
    def accepts(file: FileContender) -> bool:
        return file.info.ours and file.info.precision == "fp32"

    @classmethod
    def of(cls, file: FileContender) -> Self:
        """ModelError when pnnx cannot convert it."""
        return cls(file.model, file.info, file.input_format, *_convert(file.model, file.info.shape))

    @property
    def most_images(self) -> int:
        return LARGEST_BATCH  # it takes them one by one

    def load(self, threads: int) -> "NcnnRunner":
        """ModelError when ncnn does not know all layers."""
        import ncnn

        net = ncnn.Net()
        net.opt.num_threads = threads
        for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
            setattr(net.opt, f"use_{name}", False)
        with tempfile.TemporaryDirectory() as folder:
            graph, weights = Path(folder, "net.param"), Path(folder, "net.bin")
            graph.write_text(self.graph)
            weights.write_bytes(self.weights)
            if net.load_param(str(graph)) or net.load_model(str(weights)):
                raise ModelError(f"{self.path.name} cannot be opened by ncnn")
        return NcnnRunner(net)


class NcnnRunner:
    """A loaded net; see `base.Runner`. It knows no batches: images go through one by one."""

    def __init__(self, net: Any) -> None:
        import ncnn

        self._mat = ncnn.Mat
        self._extractor = net.create_extractor
        self._input, self._output = net.input_indexes()[0], net.output_indexes()[0]
        self._net = net

    def prepare(self, images: Images) -> list[Any]:
        """Cloned, because ncnn would neither keep the array alive nor work on it in place."""
        return [self._mat(image).clone() for image in images.astype(np.float32)]

    def run(self, prepared: list[Any]) -> NDArray[np.float32]:
        return np.concatenate([self._one(image) for image in prepared]).reshape(len(prepared), -1)

    def _one(self, image: Any) -> NDArray[np.float32]:
        extractor = self._extractor()
        extractor.input(self._input, image)
        return np.array(extractor.extract(self._output)[1])


def _find_pnnx() -> Path | None:
    """The converter, a program in a package that would import torch if it were imported."""
    try:
        found = find_spec("pnnx")
    except (ImportError, ValueError):
        return None
    if found is None or found.origin is None:
        return None
    return Path(found.origin).with_name("pnnx.exe" if sys.platform == "win32" else "pnnx")


def _convert(model: ModelFile, shape: ImageShape) -> tuple[str, bytes]:
    """A file as ncnn's .param and .bin, with its weights in fp32 and the cast at its beginning
    left away."""
    sizes = ",".join(map(str, (1, *shape.dims)))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "net.onnx")
        copy.write_bytes(model.content)
        command = [str(_find_pnnx()), "net.onnx", f"inputshape=[{sizes}]u8", "fp16=0"]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        graph, weights = Path(folder, "net.ncnn.param"), Path(folder, "net.ncnn.bin")
        if done.returncode or not graph.is_file() or not weights.is_file():
            raise ModelError(f"{model.path.name} cannot be converted for ncnn: pnnx gives up on it")
        return _without_cast(graph.read_text()), weights.read_bytes()


def _without_cast(graph: str) -> str:
    """ncnn has no layer that casts pixels to float: it takes floats."""
    magic, counts, given, *layers = graph.splitlines()
    casts = [line.split() for line in layers if line.startswith(_CAST)]
    if len(casts) != 1:
        raise ModelError("an exported file has one cast, and pnnx found another number")
    read, written = casts[0][4:6]
    layers = [line for line in layers if not line.startswith(_CAST)]
    counts = " ".join(str(int(count) - 1) for count in counts.split())
    given = given.removesuffix(read) + written
    return "\n".join([magic, counts, given, *layers, ""])
