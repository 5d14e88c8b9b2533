"""Sizes that are worked out beforehand, against onnx's own examples of every operator, and against
what ONNX Runtime makes of whole networks."""

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from mnist_edge.model_file import graph
from mnist_edge.model_file.graph import Graph
from mnist_edge.model_file.onnx_schema import RefusedError
from mnist_edge.model_file.operators import RULES
from mnist_edge.model_file.operators.base import Known
from mnist_edge.model_file.resource_bounds import _given, _order, infer
from tests.conftest import without_coverage

EXPORTED = sorted((Path(__file__).parents[2] / "exported").glob("*.onnx"))
# What onnx has examples of, and no classifier of images needs.
REFUSED = (
    "depend on the picture",
    "cannot take inputs",
    "gives more than is known of",
    "depend on chance",
    "depend on the other images",
    "works on texts",
    "an input of unknown size",
)


def known(found: Graph, inputs: dict[str, Any]) -> dict[str, Known]:
    """All tensors of a graph with these inputs, the few numbers of which are known as well."""
    tensors = _given(found, {name: value.shape for name, value in inputs.items()})
    for name, value in inputs.items():
        if value.size <= 256 and value.dtype.kind in "ifb":
            tensors[name].value = value
    for node in _order(found, tensors):
        infer(node, found, tensors)
    return tensors


@pytest.fixture(scope="module")
def examples() -> list[Any]:
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(without_coverage(collect_testcases)(None))


def test_sizes_and_numbers_are_those_of_onnx_s_own_examples(examples: list[Any]) -> None:
    counted: Counter[str] = Counter()
    seen, unforeseen = set(), list[str]()
    for example in examples:
        try:
            found = graph.read(example.model.SerializeToString())
        except RefusedError:
            continue
        if any((node.domain, node.op) not in RULES for node in found.nodes):
            continue
        for given, wanted in example.data_sets or ():
            if not all(isinstance(value, np.ndarray | np.generic) for value in (*given, *wanted)):
                continue
            names = [value.name for value in found.inputs]
            inputs = dict(zip(names, map(np.asarray, given), strict=False))
            try:
                tensors = known(found, inputs)
            except RefusedError as error:
                counted["refused"] += 1
                unforeseen += [] if any(one in str(error) for one in REFUSED) else [example.name]
                continue
            for output, value in zip(found.outputs, wanted, strict=True):
                made = tensors[output.name]
                assert (made.shape, made.dtype) == (np.shape(value), output.dtype), example.name
                if made.value is not None and value.dtype.kind in "ifb":
                    np.testing.assert_allclose(made.value, value, err_msg=example.name)
                    counted["values"] += 1
            counted["right"] += 1
            seen |= {(node.domain, node.op) for node in found.nodes}
    assert unforeseen == []
    assert counted["right"] > 1200
    assert counted["values"] > 100
    assert counted["refused"] < 160
    assert len(seen) > 130


@pytest.mark.parametrize("path", EXPORTED, ids=lambda path: path.name)
def test_sizes_are_those_that_onnx_runtime_makes(path: Path) -> None:
    """Every tensor of a whole network, for three images."""
    model = onnx.load(path)
    names = [name for node in model.graph.node for name in node.output]
    del model.graph.output[:]
    model.graph.output.extend([onnx.ValueInfoProto(name=name) for name in names])
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options)
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    tensors = known(graph.read(path.read_bytes()), {"image": images})
    for name, value in zip(names, session.run(names, {"image": images}), strict=True):
        assert tensors[name].shape == value.shape, name
        assert tensors[name].memory >= value.nbytes
