"""What a rule is: of an operator's inputs, as far as they are known before anything runs, how large
its outputs are and what it costs to compute them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.model_file.graph import Node
from mnist_edge.model_file.onnx_schema import RefusedError
from mnist_edge.model_file.tensors import BITS, FLOAT, FLOAT16, STRING

Sizes = tuple[int, ...]
ONNX, ML, MICROSOFT = "", "ai.onnx.ml", "com.microsoft"

LONGEST_TEXT = 1000  # bytes; names of classes
_TEXT_BYTES = LONGEST_TEXT + 32  # with the object around it
_BLOCK = 16  # channels; ONNX Runtime lays images out in blocks of 8 or 16 of them
POINTWISE, CURVED, PRODUCT = 4.0, 16.0, 1.0
"""Work for an element that is copied or added, one with a function such as exp, one product of
floats. One is about what a core does in 0.03 to 0.3 ns."""

_SLOW_PRODUCT = 8.0  # of types without kernels of their own


@dataclass(slots=True)
class Known:
    """What is known of a tensor: its sizes and type; its numbers where they are few and follow from
    the file and the sizes alone; `constant` where ONNX Runtime may compute it while it opens."""

    shape: Sizes
    dtype: int
    value: NDArray[Any] | None = None
    constant: bool = False

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def memory(self) -> int:
        """Bytes, in the layout that takes most of them."""
        if self.dtype == STRING:
            return self.size * _TEXT_BYTES
        if self.dtype == FLOAT16:  # which is computed in float32
            return self.size * 6
        if self.dtype == FLOAT and len(self.shape) == 4:
            count, channels, *image = self.shape
            return 4 * count * -(-channels // _BLOCK) * _BLOCK * prod(image)
        return -(-self.size * BITS.get(self.dtype, 64) // 8)


@dataclass(slots=True)
class Outcome:
    """Sizes and type of each output; `work` as POINTWISE counts it, None for POINTWISE of all
    elements; `scratch` bytes that are needed meanwhile, `kept` bytes that stay: weights in a layout
    of ONNX Runtime's own, beyond their size."""

    outputs: Sequence[tuple[Sizes, int]]
    work: float | None = None
    scratch: int = 0
    kept: int = 0


@dataclass(slots=True)
class Call:
    """A node with what is known of its inputs."""

    node: Node
    inputs: Sequence[Known | None]
    opset: int

    def has(self, at: int) -> bool:
        return at < len(self.inputs) and self.inputs[at] is not None

    def given(self, at: int) -> Known:
        found = self.inputs[at] if at < len(self.inputs) else None
        if found is None:
            raise RefusedError(f"{self.node.op} lacks an input")
        return found

    def shape(self, at: int) -> Sizes:
        return self.given(at).shape

    def dtype(self, at: int) -> int:
        return self.given(at).dtype

    def attribute(self, name: str, default: Any) -> Any:
        return self.node.attributes.get(name, default)

    def text(self, name: str, default: str) -> str:
        found = self.node.attributes.get(name)
        return default if found is None else bytes(found).decode(errors="replace")

    def whole(self, name: str, default: Sequence[int]) -> list[int]:
        return [int(one) for one in self.node.attributes.get(name, default)]

    def numbers(self, at: int) -> list[int]:
        """The whole numbers that an input is. RefusedError where they depend on the picture."""
        value = self.given(at).value
        if value is None:
            raise RefusedError(f"the sizes that {self.node.op} makes depend on the picture")
        return [int(one) for one in value.reshape(-1)]

    def slice_arguments(self) -> tuple[list[int], list[int], list[int], list[int]]:
        """Starts, ends, axes and steps of a Slice: attributes until opset 9, then inputs."""
        if "starts" in self.node.attributes:
            starts, ends = self.whole("starts", ()), self.whole("ends", ())
            axes, steps = self.whole("axes", range(len(starts))), [1] * len(starts)
        else:
            starts, ends = self.numbers(1), self.numbers(2)
            axes = self.numbers(3) if self.has(3) else list(range(len(starts)))
            steps = self.numbers(4) if self.has(4) else [1] * len(starts)
        return starts, ends, axes, steps

    def axes(self, at: int, rank: int) -> list[int] | None:
        """Axes from 0, which older files have as an attribute and newer ones as an input."""
        if "axes" in self.node.attributes:
            return [axis(one, rank) for one in self.whole("axes", ())]
        return [axis(one, rank) for one in self.numbers(at)] if self.has(at) else None

    @property
    def elements(self) -> int:
        return sum(one.size for one in self.inputs if one is not None)


Rule = Callable[[Call], Outcome]
RULES: dict[tuple[str, str], Rule] = {}
"""By domain and name: the operators that a file may have."""


def rule(*names: str, domain: str = ONNX) -> Callable[[Rule], Rule]:
    """Register a rule for operators."""

    def register(found: Rule) -> Rule:
        RULES.update({(domain, name): found for name in names})
        return found

    return register


def one(shape: Sequence[int], dtype: int, work: float | None = None, scratch: int = 0) -> Outcome:
    """An outcome with a single output."""
    return Outcome([(tuple(shape), dtype)], work, scratch)


def fits(condition: bool, call: Call) -> None:
    """RefusedError where an operator's inputs do not go together."""
    if not condition:
        sizes = " and ".join(str(list(one.shape)) for one in call.inputs[:3] if one is not None)
        raise RefusedError(f"{call.node.op} cannot take inputs of sizes {sizes}")


def axis(given: int, rank: int) -> int:
    """An axis from 0. RefusedError for one that is not there."""
    if not -rank <= given < max(rank, 1):
        raise RefusedError(f"an operator works along axis {given} of {rank}")
    return given + rank if given < 0 else given


def broadcast(*shapes: Sizes) -> Sizes:
    """NumPy's. RefusedError for sizes that do not go together."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        shown = " and ".join(str(list(one)) for one in shapes)
        raise RefusedError(f"sizes {shown} do not go together") from None


def padding(rows: int, each: int) -> int:
    """Bytes that weights for so many outputs, `each` floats, take more in blocks of outputs."""
    return 4 * each * (-rows % _BLOCK)


def product_work(count: float, dtype: int) -> float:
    """The work of so many products."""
    return count * (PRODUCT if dtype in (FLOAT, FLOAT16, 2, 3) else _SLOW_PRODUCT)


def sizes_of(call: Call, sizes: Sequence[int]) -> Sizes:
    """Sizes, none of which is below zero."""
    fits(min(sizes, default=0) >= 0, call)
    return tuple(sizes)
