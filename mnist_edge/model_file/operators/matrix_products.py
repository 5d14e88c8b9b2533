"""Matrix products, and what is made of them: recurrent layers and attention."""

from math import prod

from mnist_edge.model_file.onnx_schema import RefusedError
from mnist_edge.model_file.operators.base import (
    CURVED,
    MICROSOFT,
    Call,
    Outcome,
    Sizes,
    broadcast,
    fits,
    one,
    padding,
    product_work,
    rule,
)
from mnist_edge.model_file.tensors import FLOAT, INT32

_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4, "DynamicQuantizeLSTM": 4}


@rule("MatMul")
def product(call: Call) -> Outcome:
    return _product(call, call.shape(0), call.shape(1), call.dtype(0))


@rule("MatMulInteger")
def integer_product(call: Call) -> Outcome:
    return _product(call, call.shape(0), call.shape(1), INT32)


@rule("MatMulIntegerToFloat", "DynamicQuantizeMatMul", domain=MICROSOFT)
def integer_product_in_float(call: Call) -> Outcome:
    return _product(call, call.shape(0), call.shape(1), FLOAT)


@rule("QLinearMatMul")
def quantized_product(call: Call) -> Outcome:
    return _product(call, call.shape(0), call.shape(3), call.dtype(7))


@rule("FusedMatMul", "TransposeMatMul", domain=MICROSOFT)
def fused_product(call: Call) -> Outcome:
    if call.attribute("transBatchA", 0) or call.attribute("transBatchB", 0):
        raise RefusedError("FusedMatMul turns its batches")
    sides = [
        _turned(call.shape(at), call.attribute(name, 0))
        for at, name in enumerate(("transA", "transB"))
    ]
    return _product(call, sides[0], sides[1], call.dtype(0))


def _turned(shape: Sizes, turned: int) -> Sizes:
    return (*shape[:-2], shape[-1], shape[-2]) if turned and len(shape) >= 2 else shape


def _product(call: Call, left: Sizes, right: Sizes, dtype: int) -> Outcome:
    """As numpy.matmul."""
    fits(bool(left and right), call)
    wide, tall = left if len(left) > 1 else (1, *left), right if len(right) > 1 else (*right, 1)
    fits(wide[-1] == tall[-2], call)
    found = (*broadcast(wide[:-2], tall[:-2]), wide[-2], tall[-1])
    work = product_work(prod(found) * wide[-1], call.dtype(0))
    if len(left) == 1:
        found = (*found[:-2], found[-1])
    if len(right) == 1:
        found = found[:-1]
    packed = call.given(0).memory + call.given(1).memory
    outcome = one(found, dtype, work, packed)
    outcome.kept = padding(tall[-1], prod(tall[:-1]))
    return outcome


@rule("Gemm")
@rule("FusedGemm", domain=MICROSOFT)
def gemm(call: Call) -> Outcome:
    return _gemm(call, call.shape(1), call.dtype(0))


@rule("QGemm", domain=MICROSOFT)
def quantized_gemm(call: Call) -> Outcome:
    return _gemm(call, call.shape(3), call.dtype(8) if call.has(8) else FLOAT)


def _gemm(call: Call, right: Sizes, dtype: int) -> Outcome:
    left = _turned(call.shape(0), call.attribute("transA", 0))
    right = _turned(right, call.attribute("transB", 0))
    fits(len(left) == len(right) == 2, call)
    return _product(call, left, right, dtype)


@rule("MatMulNBits", domain=MICROSOFT)
def product_of_few_bits(call: Call) -> Outcome:
    shape, inner, outer = call.shape(0), call.attribute("K", 0), call.attribute("N", 0)
    fits(bool(shape) and shape[-1] == inner and 0 < outer <= 2**20, call)
    found = (*shape[:-1], outer)
    return one(found, call.dtype(0), product_work(prod(found) * inner, FLOAT), 4 * inner * outer)


@rule("Einsum")
def einsum(call: Call) -> Outcome:
    """Bounded by the product of all sizes, which no order of summing up passes."""
    given, arrow, result = call.text("equation", "").replace(" ", "").partition("->")
    terms = given.split(",")
    fits(len(terms) == len(call.inputs) and "." not in given, call)
    sizes: dict[str, int] = {}
    for at, term in enumerate(terms):
        fits(len(term) == len(call.shape(at)), call)
        for letter, size in zip(term, call.shape(at), strict=True):
            fits(sizes.setdefault(letter, size) == size, call)
    letters = "".join(terms)
    if not arrow:
        result = "".join(sorted(letter for letter in sizes if letters.count(letter) == 1))
    fits(set(result) <= set(sizes), call)
    all_of_it = prod(sizes.values())
    work = CURVED * all_of_it * max(1, len(terms) - 1)
    return one([sizes[letter] for letter in result], call.dtype(0), work, 8 * all_of_it)


@rule("RNN", "GRU", "LSTM")
@rule("DynamicQuantizeLSTM", domain=MICROSOFT)
def recurrent(call: Call) -> Outcome:
    shape, weights, hidden = call.shape(0), call.shape(1), call.attribute("hidden_size", 0)
    fits(len(shape) == len(weights) == 3 and 0 < hidden <= 2**16, call)
    batch_first = bool(call.attribute("layout", 0))
    steps, count = (shape[1], shape[0]) if batch_first else shape[:2]
    ways, gates = weights[0], _GATES[call.node.op]
    fits(ways in (1, 2), call)
    values, last = (steps, ways, count, hidden), (ways, count, hidden)
    if batch_first:
        values, last = (count, steps, ways, hidden), (count, ways, hidden)
    each = gates * hidden * (shape[2] + hidden) + CURVED * gates * hidden
    scratch = 8 * steps * count * ways * hidden * (gates + 1)
    outputs = [(values, call.dtype(0)), (last, call.dtype(0)), (last, call.dtype(0))]
    return Outcome(outputs, product_work(steps * count * ways * each, FLOAT), scratch)


@rule("Attention", domain=MICROSOFT)
def packed_attention(call: Call) -> Outcome:
    """Of one input, and weights for query, key and value side by side."""
    shape, weights = call.shape(0), call.shape(1)
    fits(len(shape) == 3 and len(weights) == 2 and shape[2] == weights[0], call)
    fits(not call.has(4), call)  # earlier keys
    count, length, _ = shape
    thirds = call.whole("qkv_hidden_sizes", [weights[1] // 3] * 3)
    fits(len(thirds) == 3 and sum(thirds) == weights[1], call)
    heads = call.attribute("num_heads", 1)
    work, scratch = _attention(count, heads, length, length, weights[1])
    work += product_work(prod(shape) * weights[1], FLOAT)
    scratch += 8 * count * length * weights[1]
    return one((count, length, thirds[2]), call.dtype(0), work, scratch)


@rule("MultiHeadAttention", domain=MICROSOFT)
def attention_of_heads(call: Call) -> Outcome:
    query, key, value = call.shape(0), call.shape(1), call.shape(2)
    fits(len(query) == len(key) == len(value) == 3, call)
    fits(not call.has(6) and not call.has(7), call)  # earlier keys
    heads, width = call.attribute("num_heads", 1), query[2] + value[2]
    work, scratch = _attention(query[0], heads, query[1], key[1], width)
    return one((*query[:2], value[2]), call.dtype(0), work, scratch)


@rule("Attention")
def attention(call: Call) -> Outcome:
    query, key, value = call.shape(0), call.shape(1), call.shape(2)
    fits(len(query) == len(key) == len(value) and len(query) in (3, 4), call)
    fits(not call.has(4) and not call.has(5), call)  # earlier keys
    if len(query) == 4:
        count, heads, length, width = query
        found: Sizes = (count, heads, length, value[3])
        width *= heads
    else:
        heads, width = call.attribute("q_num_heads", 0), query[2]
        fits(heads > 0, call)
        each = value[2] // max(1, call.attribute("kv_num_heads", heads))
        found = (*query[:2], heads * each)
    work, scratch = _attention(query[0], heads, query[-2], key[-2], width + prod(found[1:]))
    return one(found, call.dtype(0), work, scratch)


def _attention(count: int, heads: int, length: int, keys: int, width: int) -> tuple[float, int]:
    """Work and scratch of the products of all queries with all keys, and of these with values."""
    weights = count * heads * length * keys
    work = product_work(2.0 * count * length * keys * width, FLOAT) + CURVED * weights
    return work, 16 * weights + 16 * count * (length + keys) * width


@rule("GridSample")
def grid_sample(call: Call) -> Outcome:
    shape, grid = call.shape(0), call.shape(1)
    fits(len(shape) == len(grid) >= 4, call)
    found = (*shape[:2], *grid[1:-1])
    return one(found, call.dtype(0), 4 * CURVED * prod(found))


@rule("AffineGrid")
def affine_grid(call: Call) -> Outcome:
    sizes = call.numbers(1)
    fits(len(sizes) in (4, 5) and min(sizes) > 0, call)
    found = (sizes[0], *sizes[2:], len(sizes) - 2)
    return one(found, call.dtype(0), CURVED * prod(found), 16 * prod(found))
