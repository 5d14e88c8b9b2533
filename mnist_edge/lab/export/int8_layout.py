"""The same function in a form that int8 kernels run fast and exactly: how the image enters (see
`space_to_depth`), and how the last layer reads the last map.

The average before the last layer becomes part of that layer. In int8 an average of 16 steps ends
on a tie every 16th time, and which way it is rounded is up to the kernel: answers would depend on
the CPU. As 16 equal weights it is summed in 32 bits, exactly.
"""

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from mnist_edge.lab.export.graph_editor import TO_NHWC, GraphEditor, readers
from mnist_edge.lab.export.space_to_depth import (
    ChooseSize,
    Floats,
    group_image,
    group_size,
    image_shape,
)
from mnist_edge.model_file.contract import INPUT, OUTPUT


def to_int8_layout(model: onnx.ModelProto, choose_size: ChooseSize = group_size) -> onnx.ModelProto:
    """One of our fp32 graphs, computing the same, ready to be quantized.

    Convolutions that read the image read it in groups of bytes; the last layer averages the last
    map itself, and reads it in the order in which it lies in memory.
    """
    shaped = onnx.ModelProto()
    shaped.CopyFrom(model)
    group_image(shaped.graph, choose_size)
    _read_last_map_as_nhwc(shaped)
    _drop_unread(shaped.graph)
    onnx.checker.check_model(shaped, full_check=True)
    return shaped


def is_exported_graph(model: onnx.ModelProto) -> bool:
    """Whether a graph begins and ends as `graph.to_onnx` writes it: Cast, Unsqueeze (grey) or
    Transpose (RGB), …, Gemm."""
    first = readers(model.graph, INPUT)
    second = [node for cast in first for node in readers(model.graph, cast.output[0])]
    last = [node.op_type for node in model.graph.node if OUTPUT in node.output]
    kinds = [node.op_type for node in (*first, *second)]
    channels_first = "Transpose" if image_shape(model.graph).is_color else "Unsqueeze"
    return kinds == ["Cast", channels_first] and last == ["Gemm"]


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
    edit = GraphEditor(graph)
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
        turn, flatten.input[0] = edit.transpose(flatten.input[0], TO_NHWC)
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
    edit: GraphEditor,
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
    return np.ascontiguousarray(each.transpose(TO_NHWC)).reshape(weights.shape)
