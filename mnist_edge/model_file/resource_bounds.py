"""What a graph costs, from its sizes alone: the memory and the work of one call, before anything
of it is opened.

ONNX Runtime bounds neither: a few bytes can ask for gigabytes, or for days. A file whose sizes
follow from the number of images is gone through once for one image and once for many.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor, prod
from typing import Any

from numpy.typing import NDArray

from mnist_edge.model_file.graph import Graph, Node
from mnist_edge.model_file.onnx_schema import RefusedError
from mnist_edge.model_file.operators import RULES
from mnist_edge.model_file.operators.base import LONGEST_TEXT, Call, Known, Outcome, Sizes
from mnist_edge.model_file.operators.constant_folding import MOST_NUMBERS, fold
from mnist_edge.model_file.tensors import BOOL, DOUBLE, FLOAT, INT32, INT64, STRING, Tensor

MOST_MEMORY = 256 << 20
"""Bytes that a file may take for an answer, beside its weights."""

MOST_WORK = 20e9
"""Products, or so, for an answer to one image: VGG-16 on 224×224 pixels takes 15e9, resnet3 on
28×28 3e8."""

LARGEST_BATCH = 512
"""Images: as many as a command ever gives to a call by itself."""

_MOST_NODES = 20_000  # resnet152 has 500; opening takes longer than in proportion
_SIZES = {FLOAT, DOUBLE, INT32, INT64, BOOL}  # what sizes are made of
_TEXTS = {
    *("Constant", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"),
    *("ArrayFeatureExtractor", "LabelEncoder", "ZipMap"),
}
# Their output is their input's memory.
_VIEWS = {"Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Dropout"}


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes at most at a time, and work (see `operators.base`), of one call."""

    memory: int
    work: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one image costs (or one call, of a file that takes a fixed number of them), and how many
    images a call can take within MOST_MEMORY."""

    one: Cost
    most_images: int


def bounds(graph: Graph, sizes: Mapping[str, Sizes], free: bool) -> Bounds:
    """The bounds of a graph with inputs of these `sizes`; where `free`, their first is the number
    of images, which is 1 here. RefusedError where there are none, or they are passed."""
    one = cost(graph, sizes)
    if one.memory > MOST_MEMORY:
        raise RefusedError(f"an answer takes more than {MOST_MEMORY >> 20} MB")
    if one.work > MOST_WORK:
        raise RefusedError(
            f"an answer takes {one.work / 1e9:,.0f} billion steps, more than {MOST_WORK / 1e9:g}"
        )
    if not free:
        return Bounds(one, 1)
    many = cost(graph, {name: (LARGEST_BATCH * own[0], *own[1:]) for name, own in sizes.items()})
    if many.memory > LARGEST_BATCH * one.memory or many.work > LARGEST_BATCH * one.work:
        raise RefusedError("its work grows faster than the number of images of a call")
    each = (many.memory - one.memory) / (LARGEST_BATCH - 1)
    room = LARGEST_BATCH if each <= 0 else floor((MOST_MEMORY - one.memory) / each) + 1
    return Bounds(one, min(room, LARGEST_BATCH))


def cost(graph: Graph, sizes: Mapping[str, Sizes]) -> Cost:
    """What one call with inputs of these sizes costs at most. RefusedError where that does not
    follow from them, or where an operator is not among those that may be."""
    known = _given(graph, sizes)
    order = _order(graph, known)
    scratch, work, kept = [0] * len(order), 0.0, 0
    for at, node in enumerate(order):
        outcome = infer(node, graph, known)
        scratch[at] = outcome.scratch
        work += outcome.work or 0
        kept += outcome.kept
    if any(value.name not in known for value in graph.outputs):
        raise RefusedError("it has an output that nothing makes")
    return Cost(kept + _peak(graph, order, known, scratch), work)


def _given(graph: Graph, sizes: Mapping[str, Sizes]) -> dict[str, Known]:
    if len(graph.nodes) > _MOST_NODES:
        raise RefusedError(f"it has more than {_MOST_NODES:,} operators")
    known = {
        name: Known(one.shape, one.dtype, _few(one), constant=True)
        for name, one in graph.constants.items()
    }
    for value in graph.inputs:
        if value.name not in sizes or value.dtype is None:
            raise RefusedError("it has an input of unknown size")
        known[value.name] = Known(sizes[value.name], value.dtype)
    return known


def _few(tensor: Tensor) -> NDArray[Any] | None:
    if tensor.dtype == STRING and any(len(text) > LONGEST_TEXT for text in tensor.payload):
        raise RefusedError(f"it has texts of more than {LONGEST_TEXT:,} bytes")
    few = tensor.dtype in _SIZES and prod(tensor.shape) <= MOST_NUMBERS
    return tensor.values() if few else None


def _order(graph: Graph, known: Mapping[str, Known]) -> list[Node]:
    """The nodes in the order that ONNX Runtime takes them: from each that nobody needs back to what
    it needs. RefusedError where that ends nowhere."""
    makers: dict[str, int] = {}
    for at, node in enumerate(graph.nodes):
        for name in filter(None, node.outputs):
            if name in makers or name in known:
                raise RefusedError("two operators make the same tensor")
            makers[name] = at
    needed = {name for node in graph.nodes for name in node.inputs}
    leaves = [at for at, node in enumerate(graph.nodes) if not needed.intersection(node.outputs)]
    order: list[Node] = []
    state = [0] * len(graph.nodes)  # 1: under way, 2: done
    stack = [(at, False) for at in reversed(leaves)]
    while stack:
        at, ready = stack.pop()
        if ready:
            state[at] = 2
            order.append(graph.nodes[at])
            continue
        if state[at]:
            continue
        state[at] = 1
        stack.append((at, True))
        before = {makers[name] for name in graph.nodes[at].inputs if name in makers}
        if any(state[other] == 1 for other in before):
            raise RefusedError("its operators wait for each other")
        stack += [(other, False) for other in sorted(before, reverse=True) if not state[other]]
    if len(order) < len(graph.nodes):
        raise RefusedError("its operators wait for each other")
    return order


def infer(node: Node, graph: Graph, known: dict[str, Known]) -> Outcome:
    """Make known what a node gives."""
    rule = RULES.get((node.domain, node.op))
    if rule is None:
        name = ascii(node.op[:60])[1:-1]
        raise RefusedError(f"it has the operator {name}, which no classifier of images needs")
    inputs = []
    for name in node.inputs:
        if name and name not in known:
            raise RefusedError(f"{node.op} takes what nothing gives")
        inputs.append(known[name] if name else None)
    _check_texts(node, inputs)
    call = Call(node, inputs, graph.opsets.get(node.domain, 1))
    outcome = rule(call)
    if any(node.outputs[len(outcome.outputs) :]):
        raise RefusedError(f"{node.op} gives more than is known of")
    constant = all(one is None or one.constant for one in inputs)
    for at, (name, (shape, dtype)) in enumerate(zip(node.outputs, outcome.outputs, strict=False)):
        value = fold(call, shape, dtype) if at == 0 else None
        known[name] = Known(shape, dtype, value, constant)
    if outcome.work is None:
        made_elements = sum(known[name].size for name in node.outputs if name)
        outcome.work = 4.0 * (call.elements + made_elements)
    return outcome


def _check_texts(node: Node, inputs: Iterable[Known | None]) -> None:
    if node.op not in _TEXTS and any(one is not None and one.dtype == STRING for one in inputs):
        raise RefusedError(f"{node.op} works on texts")
    for value in node.attributes.values():
        if isinstance(value, memoryview) and len(value) > LONGEST_TEXT:
            raise RefusedError(f"it has texts of more than {LONGEST_TEXT:,} bytes")
        if isinstance(value, list) and any(
            isinstance(one, memoryview) and len(one) > LONGEST_TEXT for one in value
        ):
            raise RefusedError(f"it has texts of more than {LONGEST_TEXT:,} bytes")


def _peak(graph: Graph, order: list[Node], known: Mapping[str, Known], scratch: list[int]) -> int:
    """The most bytes at a time: of what a later node still needs, and what one works with. What
    is constant stays, because ONNX Runtime computes it once, when it opens."""
    owners: dict[str, str] = {}  # a view's memory is another's
    last: dict[str, int] = {}
    for at, node in enumerate(order):
        for name in filter(None, node.inputs):
            last[owners.get(name, name)] = at
        if node.op in _VIEWS and node.outputs and node.inputs:
            owners[node.outputs[0]] = owners.get(node.inputs[0], node.inputs[0])
            last[owners[node.outputs[0]]] = at
    for value in graph.outputs:
        last[owners.get(value.name, value.name)] = len(order)
    ends: dict[int, list[str]] = {}
    for name, at in last.items():
        ends.setdefault(at, []).append(name)
    alive = sum(known[value.name].memory for value in graph.inputs)
    peak = alive
    for at, node in enumerate(order):
        names = [name for name in node.outputs if name and name not in owners]
        made = sum(known[name].memory for name in names)
        alive += made
        peak = max(peak, alive + scratch[at])
        alive -= sum(
            known[name].memory
            for name in (*ends.get(at, ()), *(one for one in names if one not in last))
            if not known[name].constant and name not in graph.constants
        )
    return peak
