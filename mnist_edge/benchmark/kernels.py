"""What ONNX Runtime makes of a file on this CPU: the kernels that run, and whether they compute
what the graph says."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.classifier import CHUNK_SIZE, in_chunks
from mnist_edge.errors import EdgeError
from mnist_edge.model_file.reader import AnyModel, ModelFile
from mnist_edge.model_file.session import create_session, session_options
from mnist_edge.types import LogitsFunction

_CONVOLUTIONS = {"Conv": False, "FusedConv": False, "QLinearConv": True, "ConvInteger": True}
_PRODUCTS = {
    "Gemm": False,
    "FusedGemm": False,
    "MatMul": False,
    "FusedMatMul": False,
    "QGemm": True,
    "QLinearMatMul": True,
    "MatMulInteger": True,
}
"""Operator -> whether it computes in int8."""

_QUANTA = 4
_NEAR_TIES = 0.002


@dataclass(frozen=True, slots=True)
class Kernels:
    """The nodes that run once ONNX Runtime has optimized a graph for this CPU.

    `in_float` names the convolutions and matrix products that compute in float.
    """

    nodes: int
    convolutions: int
    int8_convolutions: int
    products: int
    int8_products: int
    in_float: tuple[str, ...]

    @property
    def any_int8(self) -> bool:
        return self.int8_convolutions + self.int8_products > 0


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far a file's optimized run is from its float reference, on `images` images.

    The reference is the same graph with all of ONNX Runtime's optimizations off, in which int8
    weights are multiplied in float and cannot saturate. `quantum` is one step of the logits if
    they were 8 bits wide: their range / 255.
    """

    images: int
    changed: int
    max_logit_difference: float
    quantum: float

    @property
    def limit(self) -> float:
        """The most that another order of the same sums, rounded to 8 bits, explains.

        Shipped files stay within two quanta and change no label; saturation is off by a hundred.
        """
        return _QUANTA * self.quantum

    @property
    def alike(self) -> bool:
        """Whether both compute the same, but for rounding and labels that were near ties."""
        # Written so that a NaN, which compares as false, is not alike.
        return self.max_logit_difference <= self.limit and self.changed <= self.allowed_changes

    @property
    def allowed_changes(self) -> float:
        return _NEAR_TIES * self.images


def deviation(reference: NDArray[np.float32], found: NDArray[np.float32]) -> Deviation:
    """Compare the logits (N, C) of an optimized run with those of the float reference."""
    return Deviation(
        images=len(reference),
        changed=int((reference.argmax(axis=1) != found.argmax(axis=1)).sum()),
        max_logit_difference=float(np.abs(reference - found).max()),
        quantum=float((reference.max() - reference.min()) / 255),
    )


def compare_with_reference(
    reference: LogitsFunction,
    run: LogitsFunction,
    images: NDArray[np.uint8],
    size: int = CHUNK_SIZE,
) -> Deviation:
    """Let a file's float reference and its optimized run answer images, `size` at a time, and
    compare them."""
    return deviation(in_chunks(reference, images, size), in_chunks(run, images, size))


def profile_kernels(model: AnyModel, feed: dict[str, NDArray[Any]]) -> Kernels:
    """The kernels that answer `feed`, one run of the file under ONNX Runtime's profiler."""
    model = ModelFile.of(model)
    with tempfile.TemporaryDirectory() as folder:
        options = session_options(1, optimize=True)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        run = create_session(model, options)
        run.run(None, feed)
        try:
            events = json.loads(Path(run.end_profiling()).read_text())
        except (OSError, ValueError) as error:  # cut off, where the disk is full
            raise EdgeError(
                f"ONNX Runtime cannot write its profile of {model.path} into "
                f"{tempfile.gettempdir()}: free some space there, or name another place in TMPDIR"
            ) from error
    ends = "_kernel_time"
    ran = {
        event["name"].removesuffix(ends): str(event["args"]["op_name"])
        for event in events
        if event.get("cat") == "Node" and event["name"].endswith(ends)
    }
    return _count(ran)


def _count(ran: dict[str, str]) -> Kernels:
    convolutions = [_CONVOLUTIONS[op] for op in ran.values() if op in _CONVOLUTIONS]
    products = [_PRODUCTS[op] for op in ran.values() if op in _PRODUCTS]
    either = _CONVOLUTIONS | _PRODUCTS
    return Kernels(
        nodes=len(ran),
        convolutions=len(convolutions),
        int8_convolutions=sum(convolutions),
        products=len(products),
        int8_products=sum(products),
        in_float=tuple(name for name, op in ran.items() if not either.get(op, True)),
    )
