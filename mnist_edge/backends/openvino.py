"""OpenVINO: any ONNX file, ours or of others. Extra `[openvino]`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mnist_edge.backends.base import FileContender
from mnist_edge.backends.input_format import Call, InputFormat, Values
from mnist_edge.errors import ModelError
from mnist_edge.model_file.reader import ModelFile


@dataclass(frozen=True, slots=True)
class OpenVino(FileContender):
    """An ONNX file in OpenVINO on the CPU, tuned for latency and computing in fp32 where the file
    does: on some CPUs its default is bf16, which is another network."""

    runtime: ClassVar[str] = "openvino"

    @staticmethod
    def unavailable_reason() -> str | None:
        """Why OpenVINO cannot run here; None where it can."""
        try:
            _import_openvino()
        except (ImportError, OSError):
            return "openvino is not installed: pip install 'mnist-edge[openvino]'"
        return None

    def load(self, threads: int) -> "OpenVinoRunner":
        """Ready to answer one image; other batch sizes are compiled when they first come.
        ModelError for a graph that it cannot run."""
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        runner = OpenVinoRunner(_core(), self.model, options, self.input_format)
        runner.run(runner.prepare(np.zeros((1, *self.info.shape.dims), np.uint8)))
        return runner


class OpenVinoRunner:
    """A model with a request for each batch size that it meets; see `base.Runner`.

    With fixed shapes it is a quarter faster than with free ones. The fastest way in and out is
    through the request's own memory, and a copy of the answer, which the next call overwrites.
    """

    def __init__(
        self, core: Any, model: ModelFile, options: dict[str, Any], input_format: InputFormat
    ) -> None:
        self.prepare = input_format.prepare
        self._core, self._path, self._options = core, model.path, options
        with _one_line_errors(model.path):
            self._model = core.read_model(model.content, b"")
        self._intake, self._plain = input_format, input_format.plain
        self._sizes: dict[int, Call] = {}

    def run(self, prepared: Values) -> NDArray[np.float32]:
        if self._plain:
            answer: NDArray[np.float32] = self._call(prepared)
            return answer
        return self._intake.answers(self._call, prepared)

    def _call(self, values: Values) -> Values:
        size = len(values)
        return (self._sizes.get(size) or self._compile(size, values.shape))(values)

    def _compile(self, size: int, shape: tuple[int, ...]) -> Call:
        model = self._model.clone()
        with _one_line_errors(self._path):
            model.reshape(list(shape))
            request = self._core.compile_model(model, "CPU", self._options).create_infer_request()
        into: Values = request.get_tensor(self._intake.name).data
        out: Values = request.get_tensor(self._intake.output).data
        infer = request.infer

        def call(values: Values) -> Values:
            into[:] = values
            infer(share_outputs=True)
            return out.copy()

        self._sizes[size] = call
        return call


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    """What OpenVINO has against a file, in one line: the last of many is the nearest to it."""
    try:
        yield
    except RuntimeError as error:
        reason = [line.strip() for line in str(error).splitlines() if line.strip()][-1][:200]
        raise ModelError(f"{path.name} cannot be run by OpenVINO: {reason}") from error


@cache
def _core() -> Any:
    """One for the whole process: where one is destroyed, the stack that signals are handled on
    points to freed memory, and the next Ctrl-C is a segmentation fault (openvino 2026.4)."""
    return _import_openvino().Core()


def _import_openvino() -> Any:
    """The package, which tells Google Analytics that it was imported, unless that part of it is
    missing, for which it is prepared: here it always is. An edge tool stays silent."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino
