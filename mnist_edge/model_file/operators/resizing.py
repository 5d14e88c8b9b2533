"""Operators that make images larger or smaller."""

from math import prod

import numpy as np

from mnist_edge.model_file.onnx_schema import RefusedError
from mnist_edge.model_file.operators.base import (
    CURVED,
    Call,
    Outcome,
    axis,
    fits,
    one,
    rule,
    sizes_of,
)


@rule("Pad")
def pad(call: Call) -> Outcome:
    shape = list(call.shape(0))
    old = next((name for name in ("pads", "paddings") if name in call.node.attributes), None)
    pads = call.whole(old, ()) if old else call.numbers(1)
    axes = [axis(some, len(shape)) for some in call.numbers(3)] if call.has(3) else None
    axes = list(range(len(shape))) if axes is None else axes
    fits(len(pads) == 2 * len(axes), call)
    for at, before, behind in zip(axes, pads, pads[len(axes) :], strict=False):
        shape[at] += before + behind
    return one(sizes_of(call, shape), call.dtype(0))


@rule("Resize", "Upsample")
def resize(call: Call) -> Outcome:
    shape = call.shape(0)
    axes = call.whole("axes", range(len(shape)))
    plain = call.text("keep_aspect_ratio_policy", "stretch") == "stretch"
    fits(plain and call.text("coordinate_transformation_mode", "") != "tf_crop_and_resize", call)
    sizes = list(shape)
    if call.node.op == "Resize" and call.has(3):
        wanted = call.numbers(3)
    else:
        at = 1 if call.node.op == "Upsample" or call.opset < 11 else 2
        scales = call.attribute("scales", None)
        if scales is None:
            value = call.given(at).value
            if value is None:
                raise RefusedError("the sizes that Resize makes depend on the picture")
            scales = [float(some) for some in value.reshape(-1)]
        fits(len(scales) == len(axes) and all(0 < some < 1e6 for some in scales), call)
        wanted = [
            int(np.float32(shape[axis(at, len(shape))]) * np.float32(scale))
            for at, scale in zip(axes, scales, strict=True)
        ]
    fits(len(wanted) == len(axes), call)
    for at, size in zip(axes, wanted, strict=True):
        sizes[axis(at, len(shape))] = size
    sizes = list(sizes_of(call, sizes))
    return one(sizes, call.dtype(0), CURVED * (prod(sizes) + prod(shape)), 4 * prod(sizes))


@rule("DepthToSpace", "SpaceToDepth")
def depth(call: Call) -> Outcome:
    fits(len(call.shape(0)) == 4, call)
    (count, channels, height, width), block = call.shape(0), call.attribute("blocksize", 0)
    fits(block > 0, call)
    if call.node.op == "DepthToSpace":
        fits(channels % block**2 == 0, call)
        return one((count, channels // block**2, height * block, width * block), call.dtype(0))
    fits(height % block == width % block == 0, call)
    return one((count, channels * block**2, height // block, width // block), call.dtype(0))
