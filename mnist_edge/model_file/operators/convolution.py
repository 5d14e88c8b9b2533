"""Convolutions and pooling: a window that goes over an image."""

from collections.abc import Sequence
from math import prod

from mnist_edge.model_file.operators.base import (
    CURVED,
    MICROSOFT,
    POINTWISE,
    Call,
    Outcome,
    Sizes,
    fits,
    one,
    padding,
    product_work,
    rule,
)
from mnist_edge.model_file.tensors import FLOAT, INT32, INT64


@rule("Conv")
@rule("FusedConv", domain=MICROSOFT)
def convolution(call: Call) -> Outcome:
    return _convolved(call, call.shape(1), call.dtype(0))


@rule("ConvInteger")
def integer_convolution(call: Call) -> Outcome:
    return _convolved(call, call.shape(1), INT32)


@rule("QLinearConv")
@rule("QLinearConv", domain=MICROSOFT)
def quantized_convolution(call: Call) -> Outcome:
    return _convolved(call, call.shape(3), call.dtype(7))


def _convolved(call: Call, kernel: Sizes, dtype: int) -> Outcome:
    """`kernel` is (M, C / groups, *window)."""
    shape, groups = _channels_first(call), call.attribute("group", 1)
    fits(len(shape) == len(kernel) >= 3 and groups > 0 and min(kernel) > 0, call)
    fits(shape[1] == kernel[1] * groups and kernel[0] % groups == 0, call)
    image = _windows(call, shape[2:], kernel[2:])
    found = (shape[0], kernel[0], *image)
    products = prod(found) * prod(kernel[1:])
    # The pixels under each window side by side, for one image, with a pointer to each.
    scratch = 8 * prod(image) * prod(kernel[1:]) if prod(kernel[2:]) > 1 else 0
    work = product_work(products, call.dtype(0)) + POINTWISE * prod(found)
    outcome = one(_back(call, found), dtype, work, scratch)
    outcome.kept = padding(kernel[0], prod(kernel[1:]))
    return outcome


@rule("ConvTranspose")
def transposed_convolution(call: Call) -> Outcome:
    shape, kernel, groups = call.shape(0), call.shape(1), call.attribute("group", 1)
    fits(len(shape) == len(kernel) >= 3 and groups > 0 and min(kernel) > 0, call)
    fits(shape[1] == kernel[0], call)
    rank = len(shape) - 2
    strides, dilations, pads = _how(call, rank)
    more = call.whole("output_padding", [0] * rank)
    wanted = call.whole("output_shape", ())
    fits(len(more) == rank and len(wanted) in (0, rank), call)
    same = call.text("auto_pad", "NOTSET").startswith("SAME")
    image = []
    for at in range(rank):
        window = (kernel[2 + at] - 1) * dilations[at] + 1
        size = strides[at] * (shape[2 + at] - 1) + more[at] + window - pads[at] - pads[rank + at]
        size = shape[2 + at] * strides[at] if same else size
        image.append(wanted[at] if wanted else size)
    fits(min(image) > 0, call)
    products = prod(shape) * kernel[1] * prod(kernel[2:])
    found = (shape[0], kernel[1] * groups, *image)
    scratch = 4 * prod(shape[2:]) * kernel[1] * prod(kernel[2:])
    work = product_work(products, call.dtype(0)) + POINTWISE * (prod(found) + scratch)
    return one(found, call.dtype(0), work, scratch)


@rule("MaxPool", "AveragePool", "LpPool")
@rule("NhwcMaxPool", "QLinearAveragePool", domain=MICROSOFT)
def pooling(call: Call) -> Outcome:
    shape, kernel = _channels_first(call), call.whole("kernel_shape", ())
    fits(len(shape) == len(kernel) + 2 >= 3 and min(kernel) > 0, call)
    found = (*shape[:2], *_windows(call, shape[2:], kernel))
    each = CURVED if call.node.op == "LpPool" else POINTWISE
    outputs = [(_back(call, found), call.dtype(0))]
    if call.node.op == "MaxPool":
        outputs.append((found, INT64))
    scratch = 8 * prod(found[2:]) * prod(kernel) if call.dtype(0) != FLOAT else 0
    return Outcome(outputs, each * prod(found) * prod(kernel), scratch)


@rule("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
@rule("QLinearGlobalAveragePool", domain=MICROSOFT)
def global_pooling(call: Call) -> Outcome:
    shape = _channels_first(call)
    fits(len(shape) >= 3, call)
    found = (*shape[:2], *[1] * (len(shape) - 2))
    return one(_back(call, found), call.dtype(0), CURVED * prod(shape))


@rule("MaxUnpool")
def unpooling(call: Call) -> Outcome:
    shape, kernel = call.shape(0), call.whole("kernel_shape", ())
    fits(len(shape) == len(kernel) + 2, call)
    strides, _, pads = _how(call, len(kernel))
    if call.has(2):
        return one(call.numbers(2), call.dtype(0))
    image = [
        (size - 1) * strides[at] + kernel[at] - pads[at] - pads[len(kernel) + at]
        for at, size in enumerate(shape[2:])
    ]
    fits(min(image) > 0, call)
    return one((*shape[:2], *image), call.dtype(0))


def _how(call: Call, rank: int) -> tuple[list[int], list[int], list[int]]:
    """Strides, dilations and pads."""
    strides = call.whole("strides", [1] * rank)
    dilations = call.whole("dilations", [1] * rank)
    pads = call.whole("pads", [0] * 2 * rank)
    fits(len(strides) == len(dilations) == rank and len(pads) == 2 * rank, call)
    fits(min(strides) > 0 and min(dilations) > 0 and min(pads) >= 0, call)
    return strides, dilations, pads


def _windows(call: Call, image: Sequence[int], kernel: Sequence[int]) -> list[int]:
    """How many places a window has along each side of an image."""
    strides, dilations, pads = _how(call, len(image))
    automatic = call.text("auto_pad", "NOTSET")
    found = []
    for at, size in enumerate(image):
        window = (kernel[at] - 1) * dilations[at] + 1
        if automatic.startswith("SAME"):
            found.append(-(-size // strides[at]))
            continue
        ends = 0 if automatic == "VALID" else pads[at] + pads[len(image) + at]
        room = size + ends - window
        fits(room >= 0, call)
        count = room // strides[at] + 1
        if call.attribute("ceil_mode", 0):
            count = -(-room // strides[at]) + 1
            # The last window begins within the image, or its margin before it.
            begin = 0 if automatic == "VALID" else pads[at]
            count -= (count - 1) * strides[at] >= size + begin
        found.append(count)
    return found


def _channels_first(call: Call) -> Sizes:
    """(N, C, *image), however it lies."""
    shape = call.shape(0)
    return (shape[0], shape[-1], *shape[1:-1]) if _channels_last(call) else shape


def _back(call: Call, found: Sizes) -> Sizes:
    return (found[0], *found[2:], found[1]) if _channels_last(call) else found


def _channels_last(call: Call) -> bool:
    nhwc = call.node.op.startswith("Nhwc") or bool(call.attribute("channels_last", 0))
    if nhwc and call.node.domain == MICROSOFT:
        fits(len(call.shape(0)) >= 3, call)
        return True
    return False
