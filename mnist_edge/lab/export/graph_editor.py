"""Nodes and constants that are added to an ONNX graph."""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
"""The orders of the axes in which a Transpose moves channels last, and first."""


class GraphEditor:
    """Nodes and constants that are added to a graph; `finish` puts the nodes in order."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.names = {
            name for node in graph.node for name in (node.name, *node.input, *node.output)
        }

    def name(self, hint: str) -> str:
        count = sum(name.startswith(hint) for name in self.names)
        self.names.add(name := f"{hint}_{count}")
        return name

    def constant(self, values: NDArray[np.generic], hint: str) -> str:
        name = self.name(hint)
        self.graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def reshape(self, x: str, shape: Sequence[int]) -> tuple[list[onnx.NodeProto], str]:
        sizes = self.constant(np.array(shape, np.int64), "shape")
        y = self.name("view")
        return [helper.make_node("Reshape", [x, sizes], [y], name=y)], y

    def transpose(self, x: str, order: Sequence[int]) -> tuple[list[onnx.NodeProto], str]:
        y = self.name("turned")
        return [helper.make_node("Transpose", [x], [y], name=y, perm=order)], y

    def insert(self, at: int, nodes: Sequence[onnx.NodeProto]) -> None:
        for offset, node in enumerate(nodes):
            self.graph.node.insert(at + offset, node)


def readers(graph: onnx.GraphProto, name: str) -> list[onnx.NodeProto]:
    """The nodes that take a tensor."""
    return [node for node in graph.node if name in node.input]
