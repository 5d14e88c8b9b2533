"""Operators of quantized networks, beside their convolutions and products."""

from math import prod

from mnist_edge.model_file.operators.base import (
    CURVED,
    MICROSOFT,
    Call,
    Outcome,
    broadcast,
    fits,
    one,
    rule,
)
from mnist_edge.model_file.operators.data_movement import joined
from mnist_edge.model_file.operators.elementwise import without_axes
from mnist_edge.model_file.tensors import FLOAT, UINT8


@rule("QuantizeLinear")
@rule("QuantizeLinear", domain=MICROSOFT)
def quantize(call: Call) -> Outcome:
    stated = call.attribute("output_dtype", 0) or UINT8
    return one(call.shape(0), call.dtype(2) if call.has(2) else stated)


@rule("DequantizeLinear")
@rule("DequantizeLinear", domain=MICROSOFT)
def dequantize(call: Call) -> Outcome:
    return one(call.shape(0), call.dtype(1))


@rule("DynamicQuantizeLinear")
def quantize_by_range(call: Call) -> Outcome:
    return Outcome([(call.shape(0), UINT8), ((), FLOAT), ((), UINT8)])


@rule("QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax", domain=MICROSOFT)
def by_element(call: Call) -> Outcome:
    return one(call.shape(0), call.dtype(0), CURVED * prod(call.shape(0)))


@rule("QLinearAdd", "QLinearMul", domain=MICROSOFT)
def two(call: Call) -> Outcome:
    return one(broadcast(call.shape(0), call.shape(3)), call.dtype(0))


@rule("QLinearWhere", domain=MICROSOFT)
def where(call: Call) -> Outcome:
    return one(broadcast(call.shape(0), call.shape(1), call.shape(4)), call.dtype(1))


@rule("QLinearConcat", domain=MICROSOFT)
def concat(call: Call) -> Outcome:
    """The output's scale and zero point, and then each input with its own."""
    fits(len(call.inputs) >= 5, call)
    shapes = [call.shape(at) for at in range(2, len(call.inputs), 3)]
    return joined(call, shapes, call.dtype(1))


@rule("QLinearReduceMean", domain=MICROSOFT)
def mean(call: Call) -> Outcome:
    fits("axes" in call.node.attributes, call)
    return one(without_axes(call), call.dtype(0), CURVED * prod(call.shape(0)))
