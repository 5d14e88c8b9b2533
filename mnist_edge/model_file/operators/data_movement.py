"""Operators that move numbers about: their sizes often follow from numbers in the graph."""

from collections.abc import Sequence
from math import ceil, prod

from mnist_edge.model_file.onnx_schema import RefusedError
from mnist_edge.model_file.operators.base import (
    Call,
    Outcome,
    Sizes,
    axis,
    broadcast,
    fits,
    one,
    rule,
    sizes_of,
)
from mnist_edge.model_file.tensors import FLOAT, INT64, STRING, Tensor


@rule("Identity", "Trilu", "ReverseSequence", "CumSum")
@rule("ScatterND", "ScatterElements", "Scatter")
def same(call: Call) -> Outcome:
    return one(call.shape(0), call.dtype(0))


@rule("Reshape")
def reshape(call: Call) -> Outcome:
    wanted = call.whole("shape", ()) if "shape" in call.node.attributes else call.numbers(1)
    before, copies = call.shape(0), not call.attribute("allowzero", 0)
    sizes = list(wanted)
    for at, size in enumerate(wanted):
        if size == 0 and copies:
            fits(at < len(before), call)
            sizes[at] = before[at]
    known = prod(size for size in sizes if size != -1)
    if -1 in sizes:
        fits(sizes.count(-1) == 1 and known > 0 and prod(before) % known == 0, call)
        sizes[sizes.index(-1)] = prod(before) // known
    fits(prod(sizes) == prod(before) and min(sizes, default=0) >= 0, call)
    return one(sizes, call.dtype(0))


@rule("Flatten")
def flatten(call: Call) -> Outcome:
    shape = call.shape(0)
    at = call.attribute("axis", 1)
    at = at + len(shape) if at < 0 else at
    fits(0 <= at <= len(shape), call)
    return one((prod(shape[:at]), prod(shape[at:])), call.dtype(0))


@rule("Squeeze")
def squeeze(call: Call) -> Outcome:
    shape = call.shape(0)
    axes = call.axes(1, len(shape))
    gone = [at for at, size in enumerate(shape) if size == 1] if axes is None else axes
    fits(all(shape[at] == 1 for at in gone), call)
    return one([size for at, size in enumerate(shape) if at not in gone], call.dtype(0))


@rule("Unsqueeze")
def unsqueeze(call: Call) -> Outcome:
    shape = list(call.shape(0))
    given = call.whole("axes", ()) if "axes" in call.node.attributes else call.numbers(1)
    rank = len(shape) + len(given)
    fits(rank <= 32, call)
    for at in sorted({axis(some, rank) for some in given}):
        shape.insert(at, 1)
    fits(len(shape) == rank, call)
    return one(shape, call.dtype(0))


@rule("Transpose")
def transpose(call: Call) -> Outcome:
    shape = call.shape(0)
    order = call.whole("perm", range(len(shape))[::-1])
    fits(sorted(order) == list(range(len(shape))), call)
    return one([shape[at] for at in order], call.dtype(0))


@rule("Concat")
def concat(call: Call) -> Outcome:
    return joined(call, [call.shape(at) for at in range(len(call.inputs))], call.dtype(0))


def joined(call: Call, shapes: Sequence[Sizes], dtype: int) -> Outcome:
    first = shapes[0]
    at = axis(call.attribute("axis", 1), len(first))
    fits(all(len(some) == len(first) for some in shapes), call)
    found = (*first[:at], sum(some[at] for some in shapes), *first[at + 1 :])
    fits(all((*some[:at], found[at], *some[at + 1 :]) == found for some in shapes), call)
    return one(found, dtype)


@rule("Split")
def split(call: Call) -> Outcome:
    shape, count = call.shape(0), len(call.node.outputs)
    at = axis(call.attribute("axis", 0), len(shape))
    if "split" in call.node.attributes:
        parts = call.whole("split", ())
    elif call.has(1):
        parts = call.numbers(1)
    else:
        each = -(-shape[at] // max(count, 1))
        parts = [max(0, min(each, shape[at] - each * done)) for done in range(count)]
    fits(sum(parts) == shape[at] and min(parts, default=0) >= 0 and len(parts) == count, call)
    return Outcome([((*shape[:at], part, *shape[at + 1 :]), call.dtype(0)) for part in parts])


@rule("Slice")
def slices(call: Call) -> Outcome:
    shape = list(call.shape(0))
    starts, ends, axes, steps = call.slice_arguments()
    fits(len(starts) == len(ends) == len(axes) == len(steps) and 0 not in steps, call)
    for start, end, given, step in zip(starts, ends, axes, steps, strict=True):
        at = axis(given, len(shape))
        shape[at] = len(range(*slice(start, _end(end, shape[at], step), step).indices(shape[at])))
    return one(shape, call.dtype(0))


def _end(end: int, size: int, step: int) -> int | None:
    """ONNX counts an end of -size - 1 and less as before the first, as slice() does None."""
    return None if step < 0 and end < -size else end


@rule("Gather")
def gather(call: Call) -> Outcome:
    shape = call.shape(0)
    at = axis(call.attribute("axis", 0), len(shape))
    return one((*shape[:at], *call.shape(1), *shape[at + 1 :]), call.dtype(0))


@rule("GatherElements")
def gather_elements(call: Call) -> Outcome:
    return one(call.shape(1), call.dtype(0))


@rule("GatherND")
def gather_nd(call: Call) -> Outcome:
    shape, indices, batch = call.shape(0), call.shape(1), call.attribute("batch_dims", 0)
    fits(len(indices) > 0 and batch >= 0 and batch + indices[-1] <= len(shape), call)
    return one((*indices[:-1], *shape[batch + indices[-1] :]), call.dtype(0))


@rule("Expand")
def expand(call: Call) -> Outcome:
    return one(broadcast(call.shape(0), sizes_of(call, call.numbers(1))), call.dtype(0))


@rule("Tile")
def tile(call: Call) -> Outcome:
    shape, times = call.shape(0), sizes_of(call, call.numbers(1))
    fits(len(times) == len(shape), call)
    return one([size * each for size, each in zip(shape, times, strict=True)], call.dtype(0))


@rule("Shape")
def shape_of(call: Call) -> Outcome:
    begin, end = call.attribute("start", 0), call.attribute("end", None)
    return one((len(call.shape(0)[begin:end]),), INT64, 0)


@rule("Size")
def size_of(call: Call) -> Outcome:
    return one((), INT64, 0)


@rule("Constant")
def constant(call: Call) -> Outcome:
    for name, value in call.node.attributes.items():
        if isinstance(value, Tensor):
            return one(value.shape, value.dtype)
        if name in ("value_float", "value_int"):
            return one((), FLOAT if name == "value_float" else INT64)
        if name in ("value_floats", "value_ints"):
            return one((len(value),), FLOAT if name == "value_floats" else INT64)
        if name in ("value_string", "value_strings"):
            return one((len(value),) if name == "value_strings" else (), STRING)
    raise RefusedError("a Constant has no value")


@rule("ConstantOfShape")
def constant_of_shape(call: Call) -> Outcome:
    value = call.attribute("value", None)
    dtype = value.dtype if isinstance(value, Tensor) else FLOAT
    return one(sizes_of(call, call.numbers(0)), dtype)


@rule("Range")
def numbers_between(call: Call) -> Outcome:
    values = [call.given(at).value for at in range(3)]
    if any(value is None or value.size != 1 for value in values):
        raise RefusedError("the sizes that Range makes depend on the picture")
    begin, end, step = (float(value.item()) for value in values if value is not None)
    fits(step != 0 and abs(end - begin) / abs(step) < 1e9, call)
    return one((max(0, ceil((end - begin) / step)),), call.dtype(0))


@rule("OneHot")
def one_hot(call: Call) -> Outcome:
    shape, depths = list(call.shape(0)), call.numbers(1)
    fits(len(depths) == 1 and depths[0] > 0, call)
    shape.insert(axis(call.attribute("axis", -1), len(shape) + 1), depths[0])
    return one(shape, call.dtype(2))


@rule("EyeLike")
def eye_like(call: Call) -> Outcome:
    return one(call.shape(0), call.attribute("dtype", call.dtype(0)))


@rule("Where")
def where(call: Call) -> Outcome:
    return one(broadcast(*(call.shape(at) for at in range(3))), call.dtype(1))


@rule("Cast")
def cast(call: Call) -> Outcome:
    to = call.attribute("to", FLOAT)
    if to == STRING:
        raise RefusedError("it makes texts of numbers")
    return one(call.shape(0), to)


@rule("CastLike")
def cast_like(call: Call) -> Outcome:
    return one(call.shape(0), call.dtype(1))
