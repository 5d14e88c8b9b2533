"""The few numbers that sizes are made of, worked out as ONNX Runtime does: Shape, Gather, Concat
and what exporters write between them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.model_file.operators.base import Call
from mnist_edge.model_file.tensors import NUMPY, Tensor

Values = NDArray[Any]
MOST_NUMBERS = 256
"""Numbers of one tensor that are worked out."""


def fold(call: Call, shape: tuple[int, ...], dtype: int) -> Values | None:
    """The numbers of an operator's first output, of this shape and type; None where they depend on
    the picture, are many, or are made by an operator that no size is made with."""
    if call.node.domain:
        return None
    if call.node.op in ("Shape", "Size"):
        own = call.shape(0)[call.attribute("start", 0) : call.attribute("end", None)]
        sizes = call.given(0).size if call.node.op == "Size" else own
        return np.array(sizes, np.int64)
    make = _MADE.get(call.node.op)
    kind = NUMPY.get(dtype)
    if make is None or kind is None or int(np.prod(shape, dtype=object)) > MOST_NUMBERS:
        return None
    given = [None if one is None else one.value for one in call.inputs]
    if any(one is not None and one.value is None for one in call.inputs):
        return None
    try:
        with np.errstate(all="raise"):
            found = make(call, given, shape)
            made = np.asarray(found)
    except (ArithmeticError, IndexError, ValueError, TypeError):
        return None  # as ONNX Runtime computes it, if at all, it is nothing to rely on
    if found is None:
        return None
    if made.dtype.kind == "f" and not np.isfinite(made).all():
        return None
    return made.astype(kind, copy=False).reshape(shape)


def _constant(call: Call, given: list[Any], shape: tuple[int, ...]) -> Any:
    (value,) = call.node.attributes.values()
    return value.values() if isinstance(value, Tensor) else value


def _filled(call: Call, given: list[Any], shape: tuple[int, ...]) -> Any:
    value = call.attribute("value", None)
    numbers = value.values() if isinstance(value, Tensor) else np.zeros(1)
    return None if numbers is None else np.full(shape, numbers.item())


def _divided(call: Call, given: list[Any], shape: tuple[int, ...]) -> Any:
    """C cuts quotients off; Python rounds them down."""
    left, right = given
    if left.dtype.kind == "f":
        return left / right
    quotient = np.abs(left) // np.abs(right)
    return np.where((left < 0) != (right < 0), -quotient, quotient)


def _cast(call: Call, given: list[Any], shape: tuple[int, ...]) -> Any:
    kind = np.dtype(NUMPY[call.attribute("to", 1)])
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        if not ((given[0] >= limits.min) & (given[0] <= limits.max)).all():
            raise ValueError("out of range")
    return given[0].astype(kind)


def _sliced(call: Call, given: list[Any], shape: tuple[int, ...]) -> Any:
    found = given[0]
    starts, ends, axes, steps = call.slice_arguments()
    for start, end, at, step in zip(starts, ends, axes, steps, strict=True):
        stop = None if step < 0 and end < -found.shape[at] else end
        found = found[(slice(None),) * (at % found.ndim) + (slice(start, stop, step),)]
    return found


def _reduced(how: Callable[..., Any]) -> Callable[..., Any]:
    def make(call: Call, given: list[Any], shape: tuple[int, ...]) -> Any:
        axes = call.axes(1, given[0].ndim)
        return how(given[0], axis=tuple(axes) if axes else None).reshape(shape)

    return make


def _of_all(how: Callable[..., Any]) -> Callable[..., Any]:
    def make(call: Call, given: list[Any], shape: tuple[int, ...]) -> Any:
        found = given[0]
        for one in given[1:]:
            found = how(found, one)
        return found

    return make


def _plain(how: Callable[..., Any]) -> Callable[..., Any]:
    return lambda call, given, shape: how(*given)


_MADE: dict[str, Callable[..., Any]] = {
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Div": _divided,
    "Cast": _cast,
    "Slice": _sliced,
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "ReduceMin": _reduced(np.min),
    "ReduceMax": _reduced(np.max),
    "Add": _plain(np.add),
    "Sub": _plain(np.subtract),
    "Mul": _plain(np.multiply),
    "Mod": lambda call, given, shape: (np.fmod if call.attribute("fmod", 0) else np.mod)(*given),
    "Neg": _plain(np.negative),
    "Abs": _plain(np.abs),
    "Floor": _plain(np.floor),
    "Ceil": _plain(np.ceil),
    "Sqrt": _plain(np.sqrt),
    "Not": _plain(np.logical_not),
    "And": _plain(np.logical_and),
    "Or": _plain(np.logical_or),
    "Equal": _plain(np.equal),
    "Greater": _plain(np.greater),
    "GreaterOrEqual": _plain(np.greater_equal),
    "Less": _plain(np.less),
    "LessOrEqual": _plain(np.less_equal),
    "Where": _plain(np.where),
    "Min": _of_all(np.minimum),
    "Max": _of_all(np.maximum),
    "Concat": lambda call, given, shape: np.concatenate(given, axis=call.attribute("axis", 1)),
    "Gather": lambda call, given, shape: given[0].take(given[1], axis=call.attribute("axis", 0)),
    "Transpose": lambda call, given, shape: given[0].transpose(call.attribute("perm", None)),
    "Range": lambda call, given, shape: (
        given[0].reshape(()) + np.arange(shape[0]) * given[2].reshape(())
    ),
    "Expand": lambda call, given, shape: np.broadcast_to(given[0], shape),
    "Tile": lambda call, given, shape: np.tile(given[0], tuple(call.numbers(1))),
    **{
        name: lambda call, given, shape: given[0]
        for name in ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten")
    },
}
"""By operator: its numbers from those of its inputs. What it raises makes them unknown."""
