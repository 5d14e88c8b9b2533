"""An fp32 graph of ours -> the same network in static int8, as QDQ.

Activations are uint8, weights int8 per output channel, both by ONNX Runtime's own quantizer; the
image's bytes are the first convolution's quantized input as they are (scale 1, zero point 0).

Weights use 7 of their 8 bits. x86 without VNNI multiplies uint8 by int8 with `vpmaddubsw`, which
adds two neighbouring products in 16 bits and saturates: 255 · (|a| + |b|) must not pass 32,767,
which holds for every two weights within ±64, and does not for ±127 (`saturation.widest_pair`).
"""

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData, create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from mnist_edge.errors import EdgeError
from mnist_edge.lab.export.graph import slim
from mnist_edge.lab.export.graph_editor import readers
from mnist_edge.lab.export.int8_layout import to_int8_layout
from mnist_edge.model_file.contract import INPUT, OUTPUT

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
WEIGHTED = ("Conv", "Gemm")  # these round their weights, and can be kept in float
LAYERS = (*WEIGHTED, "Add", "AveragePool", "MaxPool")  # what has an int8 kernel of its own
_MOVES = ("Reshape", "Transpose")  # they move values about, and can move bytes as well
_CHUNK = 64
# With its default of as many bins as quantized bins, ONNX Runtime's entropy has nothing to search
# and gives minmax's ranges. TensorRT, where the method comes from, has 2,048.
_HISTOGRAM = {"num_bins": 2048, "num_quantized_bins": 128}


class Quantizer:
    """One fp32 graph, calibrated once, quantized as often as is wanted.

    `images` are uint8 (N, H, W) or (N, H, W, 3), for calibration only. Raises EdgeError for images
    on which nothing can be calibrated.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        images: NDArray[np.uint8],
        method: str = "minmax",
        weight_bits: int = 7,
        layout: Callable[[onnx.ModelProto], onnx.ModelProto] = to_int8_layout,
    ) -> None:
        _check_images(images)
        self.model = onnx.shape_inference.infer_shapes(layout(model))
        self.weight_bits = weight_bits
        self._ranges = _calibrate(self.model, images, METHODS[method])

    def layers(self, kinds: Sequence[str] = LAYERS) -> list[str]:
        """The names of the layers that int8 computes, in order."""
        return [node.name for node in self.model.graph.node if node.op_type in kinds]

    def quantize(self, keep_float: Sequence[str] = ()) -> onnx.ModelProto:
        """The graph in int8, but for the `WEIGHTED` layers named. EdgeError for any other name."""
        check_layers(self.model, keep_float)
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        in_float = _float_nodes(model.graph, keep_float)
        pixels = _image_tensor(model.graph)
        # The bytes are the quantized input: their scale and zero point are given, not measured.
        as_they_are = [{"scale": np.array(1, np.float32), "zero_point": np.array(0, np.uint8)}]
        with _quiet():
            quantizer = QDQQuantizer(
                model,
                per_channel=True,
                reduce_range=self.weight_bits == 7,
                weight_qType=QuantType.QInt8,
                activation_qType=QuantType.QUInt8,
                tensors_range=self._ranges,
                nodes_to_quantize=[],
                nodes_to_exclude=in_float,
                op_types_to_quantize=[*LAYERS, "Relu", *_MOVES],
                extra_options={"TensorQuantOverrides": {pixels: as_they_are}},
            )
            quantizer.quantize_model()
            quantizer.model.topological_sort()
        quantized: onnx.ModelProto = quantizer.model.model
        _feed_uint8(quantized.graph, pixels)
        _move_quantized(quantized.graph)
        _float_logits(quantized.graph)
        _share_constants(quantized.graph)
        slim(quantized, keep_names=LAYERS)
        quantized.ir_version = self.model.ir_version
        onnx.checker.check_model(quantized, full_check=True)
        return quantized


def check_layers(model: onnx.ModelProto, names: Sequence[str]) -> None:
    """EdgeError for a name that no `WEIGHTED` layer of a graph has."""
    known = [node.name for node in model.graph.node if node.op_type in WEIGHTED]
    for name in names:
        if name not in known:
            raise EdgeError(
                f"there is no layer '{name}' to keep in float: choose from {', '.join(known)}"
            )


def _check_images(images: NDArray[np.uint8]) -> None:
    if images.size == 0 or (images == images[:1, :1, :1]).all():
        raise EdgeError(
            f"the calibration images are all of one {'grey' if images.ndim == 3 else 'colour'}: "
            "they show no range of values. "
            "Calibrate on more images of the training split (--calibration-images)"
        )


class _CalibrationImages(CalibrationDataReader):  # type: ignore[misc]
    """Images in chunks: entropy and percentile would keep every activation of a larger feed."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        chunks = (images[at : at + _CHUNK] for at in range(0, len(images), _CHUNK))
        self._feeds = ({INPUT: chunk} for chunk in chunks)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._feeds, None)


def _calibrate(
    model: onnx.ModelProto, images: NDArray[np.uint8], method: CalibrationMethod
) -> TensorsData:
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "fp32.onnx"
        onnx.save(model, path)
        calibrator = create_calibrator(
            path,
            augmented_model_path=str(Path(folder) / "observed.onnx"),
            calibrate_method=method,
            extra_options=_HISTOGRAM if method == CalibrationMethod.Entropy else {},
        )
        calibrator.collect_data(_CalibrationImages(images))
        return calibrator.compute_data()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantizer's remarks on its own insides are nothing that a user can act on.

    It makes some of them by printing, between what a script reads.
    """
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(before)


def _float_nodes(graph: onnx.GraphProto, layers: Sequence[str]) -> list[str]:
    """Layers that stay in float, and what stays with them: moves, sums, and their ReLUs.

    Between a DequantizeLinear and a QuantizeLinear, with or without a ReLU, ONNX Runtime quantizes
    a float layer when it opens the file (its optimizer WeightBiasQuantization), and to 8 bits at
    that. It does not look behind a sum, or a ReLU that is spelt Max(x, 0).
    """
    kept, names = [node for node in graph.node if node.name in layers], set(layers)
    zero = "zero_of_relu"
    graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), zero))
    while kept:
        for after in readers(graph, kept.pop().output[0]):
            if after.op_type == "Relu":
                after.op_type = "Max"
                after.input.append(zero)
                names.add(after.name)
            elif after.op_type in ("Add", *_MOVES) and after.name not in names:
                names.add(after.name)
                kept.append(after)
    return sorted(names)


def _image_tensor(graph: onnx.GraphProto) -> str:
    """The float image as the first layers read it: behind the Cast and the moves."""
    (node,) = readers(graph, INPUT)
    while len(after := readers(graph, node.output[0])) == 1 and after[0].op_type in _MOVES:
        node = after[0]
    return str(node.output[0])


def _feed_uint8(graph: onnx.GraphProto, pixels: str) -> None:
    """Let the image's bytes be the quantized input: no Cast and no QuantizeLinear before it."""
    (cast,) = readers(graph, INPUT)
    graph.node.remove(cast)
    for node in readers(graph, cast.output[0]):
        node.input[0] = INPUT
    for node in [node for node in readers(graph, pixels) if node.op_type == "QuantizeLinear"]:
        _bypass(graph, node, pixels)
    in_float = [node for node in readers(graph, pixels) if node.op_type != "DequantizeLinear"]
    if in_float:  # layers that were asked to stay so
        as_float = f"{pixels}_float"
        for node in in_float:
            node.input[0] = as_float
        at = min(list(graph.node).index(node) for node in in_float)
        graph.node.insert(at, helper.make_node("Cast", [pixels], [as_float], to=TensorProto.FLOAT))


def _bypass(graph: onnx.GraphProto, node: onnx.NodeProto, instead: str) -> None:
    graph.node.remove(node)
    for reader in readers(graph, node.output[0]):
        for position, name in enumerate(reader.input):
            if name == node.output[0]:
                reader.input[position] = instead


def _move_quantized(graph: onnx.GraphProto) -> None:
    """DequantizeLinear -> Reshape or Transpose -> QuantizeLinear, on one scale: move the bytes."""
    made_by = {name: node for node in graph.node for name in node.output}
    for node in [node for node in graph.node if node.op_type in _MOVES]:
        before, after = made_by.get(node.input[0]), readers(graph, node.output[0])
        if before is None or before.op_type != "DequantizeLinear":
            continue
        if [reader.op_type for reader in after] == ["QuantizeLinear"]:
            node.input[0] = before.input[0]
            _bypass(graph, after[0], node.output[0])
            if not readers(graph, before.output[0]):
                graph.node.remove(before)


def _float_logits(graph: onnx.GraphProto) -> None:
    """The last layer's int32 sums become float logits at once: 8 bits would be a tenth apart."""
    made_by = {name: node for node in graph.node for name in node.output}
    dequantize = made_by[OUTPUT]
    if dequantize.op_type != "DequantizeLinear":
        return  # the last layer stayed in float
    quantize = made_by[dequantize.input[0]]
    last = made_by[quantize.input[0]]
    graph.node.remove(dequantize)
    graph.node.remove(quantize)
    last.output[0] = OUTPUT


def _share_constants(graph: onnx.GraphProto) -> None:
    """One of each: zero points and shapes repeat from layer to layer."""
    kept: dict[tuple[Any, ...], str] = {}
    names: dict[str, str] = {}
    read = {name for node in graph.node for name in node.input}
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        key = (tensor.data_type, values.shape, values.tobytes())
        names[tensor.name] = kept.setdefault(key, tensor.name)
        if names[tensor.name] != tensor.name or tensor.name not in read:
            graph.initializer.remove(tensor)
    for node in graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = names.get(name, name)
