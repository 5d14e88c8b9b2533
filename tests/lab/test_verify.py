from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mnist_edge.datasets import Split
from mnist_edge.errors import GateError, ModelError
from mnist_edge.lab.verify import check_equal, compare

Floats = NDArray[np.float32]


def by_hand(path: Path, images: NDArray[np.uint8]) -> Floats:
    """What the tiny linear model computes, by numpy alone."""
    (weights,) = (
        numpy_helper.to_array(tensor)
        for tensor in onnx.load(path).graph.initializer
        if tensor.name == "weights"
    )
    answer: Floats = images.reshape(len(images), -1).astype(np.float32) @ weights
    return answer


def test_the_same_function_passes(tiny_model: Path, random_split: Split) -> None:
    original = by_hand(tiny_model, random_split.images)
    result = compare(original, tiny_model, random_split)
    check_equal(result, "tiny.onnx")
    assert result.agreement.changed == 0
    assert result.original == result.exported
    assert result.exported.total == 200
    assert result.exported.correct == (original.argmax(axis=1) == random_split.labels).sum()
    assert result.largest_logit == pytest.approx(np.abs(original).max())


def test_more_images_than_a_chunk_are_all_compared(tiny_model: Path, random_split: Split) -> None:
    many = Split(random_split.images.repeat(6, axis=0), random_split.labels.repeat(6))
    original = by_hand(tiny_model, many.images)
    original[-1] += 5
    result = compare(original, tiny_model, many)
    assert result.exported.total == 1200
    assert result.max_logit_difference == pytest.approx(5, rel=1e-3)


def test_one_changed_answer_does_not_pass(tiny_model: Path, random_split: Split) -> None:
    original = by_hand(tiny_model, random_split.images)
    top = original[7].argmax()
    original[7, (top + 1) % 10] = original[7, top] + 1e-6
    result = compare(original, tiny_model, random_split)
    assert result.agreement.changed == 1
    with pytest.raises(GateError, match=r"tiny.onnx does not compute .* 1 of 200 answers changed"):
        check_equal(result, "tiny.onnx")


def test_a_difference_above_rounding_does_not_pass(tiny_model: Path, random_split: Split) -> None:
    original = by_hand(tiny_model, random_split.images)
    shifted = original + np.float32(0.01)  # no answer changes
    result = compare(shifted, tiny_model, random_split)
    assert result.agreement.changed == 0
    with pytest.raises(GateError, match=r"0 of 200 answers changed, max \|Δlogit\| 0\.01 \(limit"):
        check_equal(result, "tiny.onnx")


def test_what_rounds_more_coarsely_is_measured_by_its_largest_logit(
    tiny_model: Path, random_split: Split
) -> None:
    result = compare(by_hand(tiny_model, random_split.images), tiny_model, random_split)
    check_equal(replace(result, max_logit_difference=0.009, largest_logit=100.0), "x")
    with pytest.raises(GateError):
        check_equal(replace(result, max_logit_difference=0.011, largest_logit=100.0), "x")
    with pytest.raises(GateError):
        check_equal(replace(result, max_logit_difference=0.00011, largest_logit=0.01), "x")


def test_a_nan_in_the_original_does_not_pass(tiny_model: Path, random_split: Split) -> None:
    original = by_hand(tiny_model, random_split.images)
    original[3, original[3].argmin()] = np.nan
    with pytest.raises(GateError, match="nan"):
        check_equal(compare(original, tiny_model, random_split), "tiny.onnx")


def test_a_file_that_gives_nan_does_not_pass(tiny_model: Path, random_split: Split) -> None:
    original = by_hand(tiny_model, random_split.images)
    model = onnx.load(tiny_model)
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    values = numpy_helper.to_array(weights).copy()
    values[0, 0] = np.nan
    weights.CopyFrom(numpy_helper.from_array(values, "weights"))
    onnx.save(model, tiny_model)
    with pytest.raises(GateError):
        check_equal(compare(original, tiny_model, random_split), "tiny.onnx")


def test_a_file_that_fails_on_single_images_does_not_pass(
    tiny_model: Path, random_split: Split
) -> None:
    # logits * (N - 1) / (N - 1): the same for a batch, NaN for one image.
    original, model = by_hand(tiny_model, random_split.images), onnx.load(tiny_model)
    graph = model.graph
    graph.node[-1].output[0] = "right"
    graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), "one"))
    graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.int64), "first"))
    graph.node.extend(
        [
            helper.make_node("Shape", ["image"], ["shape_of"]),
            helper.make_node("Gather", ["shape_of", "first"], ["count"]),
            helper.make_node("Cast", ["count"], ["floats"], to=1),
            helper.make_node("Sub", ["floats", "one"], ["others"]),
            helper.make_node("Mul", ["right", "others"], ["more"]),
            helper.make_node("Div", ["more", "others"], ["logits"]),
        ]
    )
    onnx.save(model, tiny_model)
    result = compare(original, tiny_model, random_split)
    assert result.agreement.changed == 0
    with pytest.raises(GateError, match="nan"):
        check_equal(result, "tiny.onnx")


def test_a_file_that_does_not_open_is_no_match(tmp_path: Path, random_split: Split) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot be opened"):
        compare(np.zeros((200, 10), np.float32), tmp_path / "broken.onnx", random_split)
