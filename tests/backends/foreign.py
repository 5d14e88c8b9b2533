"""ONNX classifiers of other makes, written by hand, and images that they can tell apart.

An image of class c is of one grey, 25 c + 10 or so. The classifier is the nearest of ten such
greys, *after* the preparation that it was made for: prepared in another way, images are misread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mnist_edge.backends import Examples
from mnist_edge.datasets import Split

Shape = Sequence[int | str]
PIXELS = 28 * 28
TYPES = {
    "uint8": TensorProto.UINT8,
    "float16": TensorProto.FLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
}


def greys(count: int = 60, seed: int = 0) -> Split:
    """Images of one grey each with a little noise, labels in turn."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 10
    noise = random.integers(-6, 7, (count, 28, 28))
    return Split((25 * labels[:, None, None] + 10 + noise).astype(np.uint8), labels)


def examples(count: int = 60) -> Examples:
    return Examples.of(greys(count), 10)


@dataclass(frozen=True)
class Preparation:
    """The preparation that a classifier was made for, written out once more."""

    scale: float = 1.0
    mean: float = 0.0
    invert: bool = False

    def of(self, pixels: NDArray[Any]) -> NDArray[np.float64]:
        values = pixels.astype(np.float64)
        return ((255 - values if self.invert else values) - self.mean) * self.scale


def _weights(made_for: Preparation) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """|x - t|² = |x|² - 2 x·t + |t|²: the nearest template has the largest x·t - |t|² / 2."""
    templates = np.repeat(made_for.of(25 * np.arange(10) + 10)[:, None], PIXELS, axis=1)
    return templates.T / PIXELS, -(templates**2).sum(axis=1) / 2 / PIXELS


def expected(images: NDArray[np.uint8], made_for: Preparation) -> NDArray[np.float64]:
    """The answers, (N, 10), worked out without ONNX."""
    weights, bias = _weights(made_for)
    return made_for.of(images).reshape(len(images), PIXELS) @ weights + bias


def write(
    path: Path,
    shape: Shape | None = ("N", 1, 28, 28),
    dtype: str = "float32",
    made_for: Preparation = Preparation(),
    *,
    output: Shape = ("N", 10),
    output_dtype: str = "float32",
    inner: Sequence[int] = (-1, PIXELS),
    metadata: dict[str, str] | None = None,
) -> Path:
    """A classifier whose input has this shape and type. `inner` is how it flattens its input."""
    weights, bias = _weights(made_for)
    answer = [size if isinstance(size, int) else -1 for size in output]
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["in"], ["cast"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", ["cast", "inner"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["sum"]),
            helper.make_node("Reshape", ["sum", "outer"], ["shaped"]),
            helper.make_node("Cast", ["shaped"], ["out"], to=TYPES[output_dtype]),
            helper.make_node("ArgMax", ["sum"], ["label"], axis=1),
        ],
        "foreign",
        [helper.make_tensor_value_info("in", TYPES[dtype], shape)],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, None),
            helper.make_tensor_value_info("out", TYPES[output_dtype], output),
        ],
        [
            numpy_helper.from_array(np.array(inner), "inner"),
            numpy_helper.from_array(np.array(answer), "outer"),
            numpy_helper.from_array(weights.astype(np.float32), "weights"),
            numpy_helper.from_array(bias.astype(np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path
