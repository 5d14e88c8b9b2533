"""The same function in a form that int8 kernels run fast and exactly: how the image enters, and
how the last layer reads the last map.

ONNX Runtime's direct int8 convolution wants input channels in fours (mlas/lib/convsym.cpp). A
single grey channel falls back to copying a row of kernel values for each output pixel, which cost
the stem of `edge` five times its arithmetic, a quarter of the whole network at 64 images a call.
Seen as NHWC, though, the image (28, 28, 1) is also (28, 7, 4): the same bytes, four neighbouring
pixels as channels. A convolution that computes the 4 / stride output pixels of such a group at
once, as channels, is the same convolution, and its output is again the same bytes.

The average before the last layer becomes part of that layer. In int8 an average of 16 steps ends
on a tie every 16th time, and which way it is rounded is up to the kernel: answers would depend on
the CPU. As 16 equal weights it is summed in 32 bits, exactly.
"""

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mnist_edge.model_file.contract import INPUT, OUTPUT
from mnist_edge.types import SIDE

Floats = NDArray[np.float32]

GROUP = 4  # pixels that become channels; divides 28, and int8 kernels take channels in fours
_TO_NHWC, _TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


def group_pixels(weights: Floats, stride: int, pad: int) -> tuple[Floats, int, int]:
    """A convolution of one channel, (O, 1, k, k), as one of groups of pixels along a row.

    Returns the weights (GROUP / stride * O, GROUP, k, width), and how many groups of zeros it
    pads to the left and the right. Output channel p * O + o is output pixel p of a group.
    """
    outputs, _, height, kernel = weights.shape
    per_group = GROUP // stride
    first = -pad // GROUP  # the groups that the leftmost and rightmost kernel value fall into
    last = ((per_group - 1) * stride + kernel - 1 - pad) // GROUP
    width = last - first + 1
    result = np.zeros((per_group, outputs, GROUP, height, width), np.float32)
    for pixel in range(per_group):
        for column in range(kernel):
            at = pixel * stride + column - pad
            group = at // GROUP
            result[pixel, :, at - group * GROUP, :, group - first] = weights[:, 0, :, column]
    return result.reshape(per_group * outputs, GROUP, height, width), -first, last


def output_side(kernel: int, stride: int, pad: int) -> int:
    """How many pixels a convolution of an image gives along one side."""
    return (SIDE + 2 * pad - kernel) // stride + 1


def to_int8_layout(model: onnx.ModelProto) -> onnx.ModelProto:
    """One of our fp32 graphs, computing the same, ready to be quantized.

    Convolutions that read the image read it in groups of four pixels; the last layer averages the
    last map itself, and reads it in the order in which it lies in memory.
    """
    shaped = onnx.ModelProto()
    shaped.CopyFrom(model)
    _group_image(shaped.graph)
    _read_last_map_as_nhwc(shaped)
    _drop_unread(shaped.graph)
    onnx.checker.check_model(shaped, full_check=True)
    return shaped


def is_exported_graph(model: onnx.ModelProto) -> bool:
    """Whether a graph begins and ends as `graph.to_onnx` writes it: Cast, Unsqueeze, …, Gemm."""
    first = readers(model.graph, INPUT)
    second = [node for cast in first for node in readers(model.graph, cast.output[0])]
    last = [node.op_type for node in model.graph.node if OUTPUT in node.output]
    kinds = [node.op_type for node in (*first, *second)]
    return kinds == ["Cast", "Unsqueeze"] and last == ["Gemm"]


class _Editor:
    """Nodes and constants that are added to a graph; `finish` puts the nodes in order."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.names = {
            name for node in graph.node for name in (node.name, *node.input, *node.output)
        }

    def name(self, hint: str) -> str:
        count = sum(name.startswith(hint) for name in self.names)
        self.names.add(name := f"{hint}_{count}")
        return name

    def constant(self, values: NDArray[np.generic], hint: str) -> str:
        name = self.name(hint)
        self.graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def reshape(self, x: str, shape: Sequence[int]) -> tuple[list[onnx.NodeProto], str]:
        sizes = self.constant(np.array(shape, np.int64), "shape")
        y = self.name("view")
        return [helper.make_node("Reshape", [x, sizes], [y], name=y)], y

    def transpose(self, x: str, order: Sequence[int]) -> tuple[list[onnx.NodeProto], str]:
        y = self.name("turned")
        return [helper.make_node("Transpose", [x], [y], name=y, perm=order)], y

    def insert(self, at: int, nodes: Sequence[onnx.NodeProto]) -> None:
        for offset, node in enumerate(nodes):
            self.graph.node.insert(at + offset, node)


def readers(graph: onnx.GraphProto, name: str) -> list[onnx.NodeProto]:
    """The nodes that take a tensor."""
    return [node for node in graph.node if name in node.input]


def _group_image(graph: onnx.GraphProto) -> None:
    (cast,) = readers(graph, INPUT)
    (unsqueeze,) = readers(graph, cast.output[0])
    image = unsqueeze.output[0]
    convolutions = readers(graph, image)
    edit = _Editor(graph)
    fits = all(_can_be_grouped(node) for node in convolutions)
    width, channels = (SIDE // GROUP, GROUP) if fits else (SIDE, 1)
    reshape, seen = edit.reshape(cast.output[0], (-1, SIDE, width, channels))
    transpose, seen = edit.transpose(seen, _TO_NCHW)
    at = list(graph.node).index(unsqueeze)
    graph.node.remove(unsqueeze)
    edit.insert(at, reshape + transpose)
    for node in convolutions:
        node.input[0] = seen
        if fits:
            _group(graph, node, edit)


def _can_be_grouped(node: onnx.NodeProto) -> bool:
    if node.op_type != "Conv":
        return False
    values = _conv_attributes(node)
    alike = all(len(set(values[name])) == 1 for name in ("kernel_shape", "strides", "pads"))
    if not alike or set(values["dilations"]) != {1} or GROUP % values["strides"][0]:
        return False
    stride, pad, (kernel, _) = values["strides"][0], values["pads"][0], values["kernel_shape"]
    return output_side(kernel, stride, pad) * stride in range(GROUP, SIDE + 1, GROUP)


def _conv_attributes(node: onnx.NodeProto) -> dict[str, list[int]]:
    """The strides, dilations and pads of a convolution, with the standard's defaults."""
    usual = {"kernel_shape": [], "strides": [1, 1], "dilations": [1, 1], "pads": [0, 0, 0, 0]}
    given = {item.name: list(item.ints) for item in node.attribute if item.name in usual}
    return usual | given


def _group(graph: onnx.GraphProto, node: onnx.NodeProto, edit: _Editor) -> None:
    values = _conv_attributes(node)
    stride, pad = values["strides"][0], values["pads"][0]
    constants = {tensor.name: tensor for tensor in graph.initializer}
    before = numpy_helper.to_array(constants[node.input[1]])
    weights, left, right = group_pixels(before, stride, pad)
    side = output_side(before.shape[2], stride, pad)
    right -= SIDE // GROUP - side * stride // GROUP  # without padding it gives fewer pixels
    node.input[1] = edit.constant(weights, node.input[1])
    if len(node.input) > 2:
        bias = np.tile(numpy_helper.to_array(constants[node.input[2]]), GROUP // stride)
        node.input[2] = edit.constant(bias, node.input[2])
    del node.attribute[:]
    node.attribute.extend(
        [
            helper.make_attribute("kernel_shape", weights.shape[2:]),
            helper.make_attribute("strides", (stride, 1)),
            helper.make_attribute("pads", (pad, left, pad, right)),
        ]
    )
    last = node  # of those that see the groups: its ReLU, where it has one, is fused with it
    after = readers(graph, node.output[0])
    if [reader.op_type for reader in after] == ["Relu"]:
        last = after[0]
    y = last.output[0]
    last.output[0] = edit.name("grouped")
    to_nhwc, seen = edit.transpose(last.output[0], _TO_NHWC)
    ungroup, seen = edit.reshape(seen, (-1, side, side, len(before)))
    to_nchw, seen = edit.transpose(seen, _TO_NCHW)
    to_nchw[0].output[0] = y
    edit.insert(list(graph.node).index(last) + 1, to_nhwc + ungroup + to_nchw)


def _drop_unread(graph: onnx.GraphProto) -> None:
    read = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)


def _read_last_map_as_nhwc(model: onnx.ModelProto) -> None:
    """[AveragePool ->] Reshape -> Gemm becomes Transpose to NHWC -> Reshape -> Gemm."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        info.name: [size.dim_value for size in info.type.tensor_type.shape.dim]
        for info in graph.value_info
    }
    graph = model.graph
    made_by = {name: node for node in graph.node for name in node.output}
    edit = _Editor(graph)
    for last in [node for node in graph.node if node.op_type == "Gemm"]:
        flatten = made_by[last.input[0]]
        if flatten.op_type != "Reshape" or len(shapes[flatten.input[0]]) != 4:
            continue
        pool = made_by.get(flatten.input[0])
        if pool is not None and _averages_a_whole_map(pool, shapes):
            _reorder_dense(graph, last, shapes[pool.input[0]], _with_average, edit)
            flatten.input[0] = pool.input[0]
            graph.node.remove(pool)
        else:
            _reorder_dense(graph, last, shapes[flatten.input[0]], _to_nhwc_order, edit)
        inputs = int(np.prod(shapes[flatten.input[0]][1:]))
        turn, flatten.input[0] = edit.transpose(flatten.input[0], _TO_NHWC)
        flatten.input[1] = edit.constant(np.array([-1, inputs], np.int64), "shape")
        edit.insert(list(graph.node).index(flatten), turn)


def _averages_a_whole_map(node: onnx.NodeProto, shapes: dict[str, list[int]]) -> bool:
    if node.op_type != "AveragePool":
        return False
    values = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    return bool(list(values["kernel_shape"]) == shapes[node.input[0]][2:])


def _reorder_dense(
    graph: onnx.GraphProto,
    last: onnx.NodeProto,
    shape: Sequence[int],
    change: Callable[[Floats, Sequence[int]], Floats],
    edit: _Editor,
) -> None:
    """Let a dense layer read a map of a shape (N, C, H, W) in the order NHWC; `change` gets its
    weights, a row for each class."""
    values = {item.name: helper.get_attribute_value(item) for item in last.attribute}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    weights = numpy_helper.to_array(constants[last.input[1]])
    by_class = bool(values.get("transB"))
    changed = change(weights if by_class else weights.T, shape[1:])
    last.input[1] = edit.constant(changed if by_class else changed.T.copy(), last.input[1])


def _with_average(weights: Floats, shape: Sequence[int]) -> Floats:
    """(classes, C) for the average of a map (C, H, W), as (classes, H * W * C) for the map."""
    _, height, width = shape
    return np.tile(weights / np.float32(height * width), (1, height * width))


def _to_nhwc_order(weights: Floats, shape: Sequence[int]) -> Floats:
    """(classes, C * H * W), as (classes, H * W * C)."""
    each = weights.reshape(len(weights), *shape)
    return np.ascontiguousarray(each.transpose(_TO_NHWC)).reshape(weights.shape)
