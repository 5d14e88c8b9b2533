"""Operators whose outputs are as large as their inputs, or smaller: element by element, along an
axis, or over a whole image."""

from math import prod

from mnist_edge.model_file.onnx_schema import RefusedError
from mnist_edge.model_file.operators.base import (
    CURVED,
    MICROSOFT,
    Call,
    Outcome,
    Sizes,
    axis,
    broadcast,
    fits,
    one,
    rule,
)
from mnist_edge.model_file.tensors import BOOL, FLOAT, INT64


@rule("Abs", "BitwiseNot", "Ceil", "Clip", "Floor", "LeakyRelu", "Neg", "Not", "Relu", "Round")
@rule("Sign", "ThresholdedRelu", "HardSigmoid", "HardSwish", "PRelu", "Shrink")
@rule("Softsign", "Reciprocal", "Sqrt")
def flat(call: Call) -> Outcome:
    return one(call.shape(0), call.dtype(0))


@rule("Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Celu", "Cos", "Cosh", "Elu", "Erf", "Exp")
@rule("Gelu", "Log", "Mish", "Selu", "Sigmoid", "Sin", "Sinh", "Softplus", "Swish", "Tan", "Tanh")
@rule("Softmax", "LogSoftmax", "Hardmax", "LRN", "LpNormalization", "MeanVarianceNormalization")
@rule("InstanceNormalization", "GroupNormalization", "RMSNormalization", "RotaryEmbedding")
@rule("Gelu", "FastGelu", "BiasGelu", "QuickGelu", "BiasSoftmax", domain=MICROSOFT)
def curved(call: Call) -> Outcome:
    shape = call.shape(0)
    # Some are made of several simpler ones.
    work = CURVED * prod(shape)
    return one(shape, call.dtype(0), work, 2 * call.given(0).memory)


@rule("Add", "Sub", "Mul", "Div", "Mod", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor")
@rule("Sum", "Max", "Min", "Mean")
def together(call: Call) -> Outcome:
    return one(_together(call), call.dtype(0))


@rule("Pow")
def power(call: Call) -> Outcome:
    shape = _together(call)
    return one(shape, call.dtype(0), CURVED * prod(shape))


@rule("And", "Or", "Xor", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
def compared(call: Call) -> Outcome:
    return one(_together(call), BOOL)


def _together(call: Call) -> Sizes:
    return broadcast(*(call.shape(at) for at in range(len(call.inputs))))


@rule("IsNaN", "IsInf")
def asked(call: Call) -> Outcome:
    return one(call.shape(0), BOOL)


@rule("Dropout")
def dropout(call: Call) -> Outcome:
    """Which leaves all as it is, unless a file asks for chance."""
    training = call.has(2) and (call.given(2).value is None or bool(call.numbers(2)[0]))
    if training:
        raise RefusedError("its answers depend on chance: Dropout is on")
    return Outcome([(call.shape(0), call.dtype(0)), (call.shape(0), BOOL)])


@rule("BatchNormalization")
def batch_normalization(call: Call) -> Outcome:
    if call.attribute("training_mode", 0):
        raise RefusedError("its answers depend on the other images: BatchNormalization learns")
    own, other = (call.shape(0), call.dtype(0)), (call.shape(1), call.dtype(1))
    return Outcome([own, *[other] * 4])


@rule("LayerNormalization", "SimplifiedLayerNormalization")
def layer_normalization(call: Call) -> Outcome:
    shape = call.shape(0)
    at = axis(call.attribute("axis", -1), len(shape))
    over = (*shape[:at], *[1] * (len(shape) - at))
    outputs = [(shape, call.dtype(0)), (over, FLOAT), (over, FLOAT)]
    return Outcome(outputs, CURVED * prod(shape), call.given(0).memory)


@rule("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def skip_layer_normalization(call: Call) -> Outcome:
    own = (call.shape(0), call.dtype(0))
    return Outcome([own, own, own, own], CURVED * prod(call.shape(0)))


@rule("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean")
@rule("ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare")
def reduced(call: Call) -> Outcome:
    return one(without_axes(call), call.dtype(0), CURVED * call.given(0).size)


def without_axes(call: Call) -> Sizes:
    shape = call.shape(0)
    axes = call.axes(1, len(shape))
    if not axes and call.attribute("noop_with_empty_axes", 0):
        return shape
    gone = axes or range(len(shape))
    if call.attribute("keepdims", 1):
        return tuple(1 if at in gone else size for at, size in enumerate(shape))
    return tuple(size for at, size in enumerate(shape) if at not in gone)


@rule("ArgMax", "ArgMin")
def largest(call: Call) -> Outcome:
    shape = list(call.shape(0))
    at = axis(call.attribute("axis", 0), len(shape))
    shape[at : at + 1] = [1] if call.attribute("keepdims", 1) else []
    return one(shape, INT64)


@rule("TopK")
def top(call: Call) -> Outcome:
    shape = call.shape(0)
    at = axis(call.attribute("axis", -1), len(shape))
    (count,) = [call.attribute("k", 0)] if "k" in call.node.attributes else call.numbers(1)
    fits(0 <= count <= shape[at], call)
    found = (*shape[:at], count, *shape[at + 1 :])
    outputs = [(found, call.dtype(0)), (found, INT64)]
    return Outcome(outputs, 2 * CURVED * prod(shape), 2 * call.given(0).memory)
