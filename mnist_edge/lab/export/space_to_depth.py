"""An image enters an int8 network in groups of its bytes.

ONNX Runtime's direct int8 convolution wants input channels in fours (mlas/lib/convsym.cpp). One
grey channel, or three in RGB, fall back to copying a row of kernel values for each output pixel,
which cost the stem of `edge` five times its arithmetic, a quarter of the whole network at 64 images
a call. Seen as NHWC, though, the image (28, 28, 1) is also (28, 7, 4), and (32, 32, 3) is also
(32, 24, 4) or (32, 8, 12): the same bytes, neighbours in a row as channels. A convolution that
computes as many output pixels at once, as channels, as make a whole number of groups, is the same
convolution, and its output is again the same bytes.

How long a whole network takes, against its image's own channels: `benchmarks.int8_image_layout`
with ONNX Runtime 1.32 on one thread of an AMD EPYC with VNNI, interleaved, trainings beside it.

|                             | images a call | 4 bytes | 6 bytes | 12 bytes | a zero channel |
|-----------------------------|---------------|---------|---------|----------|----------------|
| `edge`, 28×28 grey          | 1             | 0.87    |         |          |                |
|                             | 64            | 0.70    |         |          |                |
| `resnet8`, 32×32 colour     | 1             | 0.85    | 0.95    | 0.88     | 0.99           |
|                             | 64            | 0.88    | 0.96    | 0.91     | 1.01           |
| `resnet8`, 96×96 colour     | 1             | 0.80    | 0.94    | 0.82     | 1.01           |
|                             | 64            | 0.86    | 0.94    | 0.87     | 1.01           |
| `edge`, 32×32 colour        | 1             | 0.88    | 1.04    | 0.87     | 1.36           |
|                             | 64            | 0.79    | 1.03    | 0.75     | 1.61           |
| `edge`, 96×96 colour        | 1             | 0.78    | 1.03    | 0.74     | 1.50           |
|                             | 64            | 0.84    | 1.09    | 0.77     | 1.54           |

A stem of stride 1 (`resnet8`) computes 2.2 times as many products in groups of 4 bytes, 4 times as
many in groups of 12. One of stride 2 (`edge`) computes the same in both, and longer groups are
fewer. 30×30 pixels, whose rows are no groups of 4 bytes, win nothing by groups of 6 either
(0.96 and 1.00): such images keep their own channels.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mnist_edge.image_shape import ImageShape
from mnist_edge.lab.export.graph_editor import TO_NCHW, TO_NHWC, GraphEditor, readers
from mnist_edge.model_file.contract import INPUT

Floats = NDArray[np.float32]

GROUP = 4  # int8 kernels take channels in fours


@dataclass(frozen=True, slots=True)
class Grouping:
    """How a convolution of groups of bytes goes along a row: it computes so many `pixels` at once,
    as channels, moves by `stride` groups, and pads `left` groups of zeros before the first."""

    pixels: int
    stride: int
    left: int


ChooseSize = Callable[[ImageShape, int], int | None]
"""How many bytes of an image of a shape a convolution of a stride shall read as channels; None for
the image's own channels."""


def group_size(shape: ImageShape, stride: int) -> int:
    """The fastest (see above): four pixels, or four bytes for a convolution that gives every
    pixel."""
    return GROUP if stride == 1 else GROUP * shape.channels


def group_pixels(weights: Floats, stride: int, pad: int, size: int) -> tuple[Floats, Grouping]:
    """A convolution of an image, (O, C, k, k), as one of groups of `size` bytes along a row.

    Returns the weights (pixels * O, size, k, width), of which output channel p * O + o is output
    pixel p of those that are computed at once.
    """
    outputs, channels, height, kernel = weights.shape
    pixels = math.lcm(size, stride * channels) // (stride * channels)
    first = -pad * channels // size  # the groups that the first and the last byte read lie in
    last = (((pixels - 1) * stride + kernel - pad) * channels - 1) // size
    result = np.zeros((pixels, outputs, size, height, last - first + 1), np.float32)
    for pixel, column, channel in np.ndindex(pixels, kernel, channels):
        group, at = divmod((pixel * stride + column - pad) * channels + channel, size)
        result[pixel, :, at, :, group - first] = weights[:, channel, :, column]
    along = Grouping(pixels, pixels * stride * channels // size, -first)
    return result.reshape(pixels * outputs, *result.shape[2:]), along


def output_side(side: int, kernel: int, stride: int, pad: int) -> int:
    """How many pixels a convolution of an image gives along a side."""
    return (side + 2 * pad - kernel) // stride + 1


def image_shape(graph: onnx.GraphProto) -> ImageShape:
    """Of the images that one of our graphs takes."""
    (image,) = graph.input
    return ImageShape.from_dims(tuple(d.dim_value for d in image.type.tensor_type.shape.dim[1:]))


def group_image(graph: onnx.GraphProto, choose_size: ChooseSize = group_size) -> None:
    """Let the convolutions that read the image read it in groups of bytes, where its rows and
    theirs are whole groups."""
    shape = image_shape(graph)
    (cast,) = readers(graph, INPUT)
    (channels_first,) = readers(graph, cast.output[0])
    convolutions = readers(graph, channels_first.output[0])
    size = choose_size(shape, _conv_attributes(convolutions[0])["strides"][0])
    if size and not all(_can_be_grouped(node, shape, size) for node in convolutions):
        size = None
    if shape.is_color and not size:
        return  # its channels are moved to the front already
    edit = GraphEditor(graph)
    channels = size or 1
    dims = (-1, shape.height, shape.width * shape.channels // channels, channels)
    reshape, seen = edit.reshape(cast.output[0], dims)
    transpose, seen = edit.transpose(seen, TO_NCHW)
    at = list(graph.node).index(channels_first)
    graph.node.remove(channels_first)
    edit.insert(at, reshape + transpose)
    for node in convolutions:
        node.input[0] = seen
        if size:
            _group(graph, node, shape, size, edit)


def _can_be_grouped(node: onnx.NodeProto, shape: ImageShape, size: int) -> bool:
    """Whether the rows of the image, and those that a convolution makes of it, are whole groups."""
    if node.op_type != "Conv":
        return False
    values = _conv_attributes(node)
    alike = all(len(set(values[name])) == 1 for name in ("kernel_shape", "strides", "pads"))
    if not alike or set(values["dilations"]) != {1}:
        return False
    stride, pad, (kernel, _) = values["strides"][0], values["pads"][0], values["kernel_shape"]
    pixels = math.lcm(size, stride * shape.channels) // (stride * shape.channels)
    width = output_side(shape.width, kernel, stride, pad)
    return shape.width * shape.channels % size == 0 and width % pixels == 0


def _conv_attributes(node: onnx.NodeProto) -> dict[str, list[int]]:
    """The strides, dilations and pads of a convolution, with the standard's defaults."""
    usual = {"kernel_shape": [], "strides": [1, 1], "dilations": [1, 1], "pads": [0, 0, 0, 0]}
    given = {item.name: list(item.ints) for item in node.attribute if item.name in usual}
    return usual | given


def _group(
    graph: onnx.GraphProto, node: onnx.NodeProto, shape: ImageShape, size: int, edit: GraphEditor
) -> None:
    values = _conv_attributes(node)
    stride, pad = values["strides"][0], values["pads"][0]
    constants = {tensor.name: tensor for tensor in graph.initializer}
    before = numpy_helper.to_array(constants[node.input[1]])
    weights, along = group_pixels(before, stride, pad, size)
    height, width = (
        output_side(side, before.shape[2], stride, pad) for side in (shape.height, shape.width)
    )
    read = (width // along.pixels - 1) * along.stride + weights.shape[3]  # groups of a row
    right = max(0, read - along.left - shape.width * shape.channels // size)
    node.input[1] = edit.constant(weights, node.input[1])
    if len(node.input) > 2:
        bias = np.tile(numpy_helper.to_array(constants[node.input[2]]), along.pixels)
        node.input[2] = edit.constant(bias, node.input[2])
    del node.attribute[:]
    node.attribute.extend(
        [
            helper.make_attribute("kernel_shape", weights.shape[2:]),
            helper.make_attribute("strides", (stride, along.stride)),
            helper.make_attribute("pads", (pad, along.left, pad, right)),
        ]
    )
    _ungroup(graph, node, (height, width, len(before)), edit)


def _ungroup(
    graph: onnx.GraphProto, node: onnx.NodeProto, dims: Sequence[int], edit: GraphEditor
) -> None:
    """Let what a convolution gives in groups be read as (N, C, H, W) again; `dims` are (H, W, C).
    A ReLU, where there is one, sees the groups: it is fused with the convolution."""
    last = node
    after = readers(graph, node.output[0])
    if [reader.op_type for reader in after] == ["Relu"]:
        last = after[0]
    y = last.output[0]
    last.output[0] = edit.name("grouped")
    to_nhwc, seen = edit.transpose(last.output[0], TO_NHWC)
    ungroup, seen = edit.reshape(seen, (-1, *dims))
    to_nchw, seen = edit.transpose(seen, TO_NCHW)
    to_nchw[0].output[0] = y
    edit.insert(list(graph.node).index(last) + 1, to_nhwc + ungroup + to_nchw)
