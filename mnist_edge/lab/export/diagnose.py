"""Which layer of an int8 network loses how much, and what leaving it in float would gain."""

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mnist_edge import metrics
from mnist_edge.lab.export.graph_editor import readers
from mnist_edge.lab.export.qdq import WEIGHTED, Quantizer
from mnist_edge.model_file.contract import INPUT, OUTPUT
from mnist_edge.model_file.session import open_session

_CHUNK = 250


@dataclass(frozen=True, slots=True)
class LayerNoise:
    """One layer in int8 against fp32, signal to quantization noise in decibels.

    `weights_db` is of its weights alone, None where it has none; `output_db` of what it gives in
    the running int8 network, with the noise of all layers before it. `mean_shift` is the mean
    |Δ probability| of the network when this layer alone stays in float, None where it has no
    weights: such a layer computes with what its neighbours rounded.
    """

    name: str
    what: str
    weights_db: float | None
    output_db: float
    mean_shift: float | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All layers in order; `mean_shift` is that of the network all in int8, on `images` images."""

    layers: tuple[LayerNoise, ...]
    mean_shift: float
    images: int

    def gain(self, layer: LayerNoise) -> float | None:
        """The part of the network's mean |Δ probability| that leaving a layer in float takes away.

        Negative where it adds to it: the noises of two layers may cancel.
        """
        if layer.mean_shift is None:
            return None
        return 1 - layer.mean_shift / self.mean_shift if self.mean_shift else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the gain is a fraction of the mean |Δ probability|."""
        return {
            "mean_probability_difference": self.mean_shift,
            "images": self.images,
            "layers": [asdict(layer) | {"gain": self.gain(layer)} for layer in self.layers],
        }


def diagnose_layers(
    quantizer: Quantizer,
    images: NDArray[np.uint8],
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> Diagnosis:
    """Measure every layer on images uint8 (N, H, W) or (N, H, W, 3) that neither trained nor test.

    `watch` is told how many layers are done, and how many there are.
    """
    names = quantizer.layers()
    fp32, int8 = quantizer.model, quantizer.quantize()
    expected, given = _outputs(fp32, names, images), _outputs(int8, names, images)
    before = expected[_last(fp32)]
    found = []
    for done, name in enumerate(names):
        watch(done, len(names))
        weighted = name in quantizer.layers(WEIGHTED)
        without = _logits(quantizer.quantize([name]), images) if weighted else None
        found.append(
            LayerNoise(
                name=name,
                what=_describe(fp32, name),
                weights_db=sqnr_db(*(_weights(x, name) for x in (fp32, int8)))
                if weighted
                else None,
                output_db=sqnr_db(expected[name], given[name]),
                mean_shift=None if without is None else metrics.shift(before, without).mean,
            )
        )
    watch(len(names), len(names))
    whole = metrics.shift(before, _logits(int8, images))
    return Diagnosis(tuple(found), whole.mean, len(images))


def sqnr_db(signal: NDArray[np.float32], quantized: NDArray[np.float32]) -> float:
    """10 log10 of a signal's power over its quantization noise's; inf where there is no noise."""
    noise = float(((signal - quantized).astype(np.float64) ** 2).sum())
    power = float((signal.astype(np.float64) ** 2).sum())
    if noise == 0:
        return float("inf")
    return 10 * float(np.log10(power / noise)) if power else float("-inf")


def _last(model: onnx.ModelProto) -> str:
    (node,) = (node for node in model.graph.node if OUTPUT in node.output)
    return str(node.name)


def _node(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    nodes: dict[str, onnx.NodeProto] = {node.name: node for node in model.graph.node}
    return nodes[name]


def _outputs(
    model: onnx.ModelProto, names: list[str], images: NDArray[np.uint8]
) -> dict[str, NDArray[np.float32]]:
    """What every layer gives for the images, each float32 (N, …), in the graph run as written.

    A layer's ReLU counts as part of it, and so does its rounding in int8.
    """
    values = {name: _Value.of(model, name) for name in names}
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    for value in values.values():
        if value.tensor != OUTPUT:
            kind = TensorProto.UINT8 if value.scale else TensorProto.FLOAT
            watched.graph.output.append(helper.make_tensor_value_info(value.tensor, kind, None))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "watched.onnx"
        onnx.save(watched, path)
        session = open_session(path, optimize=False)
    tensors = [value.tensor for value in values.values()]
    parts = [
        session.run(tensors, {INPUT: images[at : at + _CHUNK]})
        for at in range(0, len(images), _CHUNK)
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return {
        name: value.in_float(column)
        for (name, value), column in zip(values.items(), columns, strict=True)
    }


@dataclass(frozen=True, slots=True)
class _Value:
    """Where a layer's value lies in a graph, and its scale and zero point where it is bytes."""

    tensor: str
    scale: float = 0.0
    zero: int = 0

    @classmethod
    def of(cls, model: onnx.ModelProto, name: str) -> "_Value":
        tensor = str(_node(model, name).output[0])
        after = {node.op_type: node for node in readers(model.graph, tensor)}
        if set(after) == {"Relu"}:
            tensor = str(after["Relu"].output[0])
            after = {node.op_type: node for node in readers(model.graph, tensor)}
        if set(after) != {"QuantizeLinear"}:
            return cls(tensor)
        quantize = after["QuantizeLinear"]
        scale, zero = (_constant(model, constant).item() for constant in quantize.input[1:3])
        return cls(str(quantize.output[0]), scale, zero)

    def in_float(self, values: NDArray[Any]) -> NDArray[np.float32]:
        floats: NDArray[np.float32] = values.astype(np.float32)
        return (floats - self.zero) * np.float32(self.scale) if self.scale else floats


def _logits(model: onnx.ModelProto, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return _outputs(model, [_last(model)], images)[_last(model)]


def _weights(model: onnx.ModelProto, name: str) -> NDArray[np.float32]:
    """A layer's weights in float32, dequantized where they are int8."""
    tensor = _node(model, name).input[1]
    for node in model.graph.node:
        if tensor in node.output and node.op_type == "DequantizeLinear":
            values, scale = (_constant(model, constant) for constant in node.input[:2])
            axis = next((item.i for item in node.attribute if item.name == "axis"), 0)
            shape = [1] * values.ndim
            shape[axis] = -1
            floats: NDArray[np.float32] = values.astype(np.float32) * scale.reshape(shape)
            return floats
    return _constant(model, tensor).astype(np.float32)


def _constant(model: onnx.ModelProto, name: str) -> NDArray[Any]:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    values: NDArray[Any] = numpy_helper.to_array(tensor)
    return values


def _describe(model: onnx.ModelProto, name: str) -> str:
    """A layer's shape: 16→32 channels, 3×3. (The first ones count groups of bytes.)"""
    if _node(model, name).op_type not in WEIGHTED:
        return ""
    shape = _weights(model, name).shape
    if len(shape) == 2:
        return f"{shape[1]}→{shape[0]}"
    return f"{shape[1]}→{shape[0]}, {shape[2]}×{shape[3]}"
