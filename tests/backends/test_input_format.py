from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mnist_edge.backends import InputFormat, Runner, answer
from mnist_edge.backends.input_format import read
from mnist_edge.backends.input_shapes import FREE
from mnist_edge.backends.onnxruntime import OnnxRuntimeRunner
from mnist_edge.errors import ModelError
from mnist_edge.model_file.session import open_session
from tests.backends.foreign import Preparation, Shape, expected, greys, write

LAYOUTS: list[tuple[Shape, Shape]] = [
    (("N", 1, 28, 28), ("N", 10)),
    (("N", 28, 28, 1), ("N", 10)),
    (("N", 28, 28), ("N", 10)),
    (("N", 784), ("N", 10)),
    (("N", 1, 28, 28), ("N", 10, 1, 1)),
    (("N", 1, "H", "W"), ("N", 10)),
    (("N", "pixels"), ("N", 10)),
    (("N", "C", "H", "W"), ("N", 10)),
    (("a", "b", "c"), ("N", 10)),
    (("N", "H", "W", 1), ("N", 10)),
    ((1, 1, 28, 28), (1, 10)),
    ((1, 28, 28, 1), (1, 10)),
    ((1, 28, 28), (10,)),
    ((1, 784), (1, 10)),
    ((28, 28), (10,)),
    ((28, 28, 1), (1, 10)),
    ((784,), (10,)),
    ((8, 1, 28, 28), (8, 10)),
    ((8, 784), (8, 10)),
]


def opened(path: Path, input_format: InputFormat) -> Runner:
    return OnnxRuntimeRunner(open_session(path), input_format)


@pytest.mark.parametrize("count", [1, 2, 8, 11])
@pytest.mark.parametrize(("shape", "output"), LAYOUTS)
def test_every_layout_is_fed_and_answers(
    tmp_path: Path, shape: Shape, output: Shape, count: int
) -> None:
    path = write(tmp_path / "foreign.onnx", shape, output=output)
    images = greys(count).images
    found = answer(opened(path, read(path)), images)
    assert found.dtype == np.float32
    assert found.shape == (count, 10)
    np.testing.assert_allclose(found, expected(images, Preparation()), rtol=1e-4, atol=0.05)


@pytest.mark.parametrize("output_dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
def test_every_type_is_fed_and_answers(tmp_path: Path, dtype: str, output_dtype: str) -> None:
    made_for = Preparation(invert=True)
    path = write(tmp_path / "f.onnx", dtype=dtype, made_for=made_for, output_dtype=output_dtype)
    input_format = replace(read(path), invert=True)
    assert input_format.dtype == dtype
    images = greys(20).images
    found = answer(opened(path, input_format), images)
    assert found.dtype == np.float32
    tolerance = 1e-3 if output_dtype == "float16" else 1e-4
    np.testing.assert_allclose(found, expected(images, made_for), rtol=tolerance, atol=0.05)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_pixels_are_inverted_then_the_mean_goes_then_they_are_scaled(dtype: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    made_for = Preparation(scale=0.01, mean=40.0, invert=True)
    input_format = InputFormat("in", dtype, (FREE, 784), "out", 10, True, 0.01, 40.0, True)
    found = input_format.prepare(images)
    assert (found.dtype, found.shape) == (np.dtype(dtype), (3, 784))
    np.testing.assert_allclose(
        found, made_for.of(images).reshape(3, 784), atol=2e-3 if dtype == "float16" else 1e-6
    )


def test_preparing_leaves_the_images_as_they_are() -> None:
    images = greys(4).images
    before = images.copy()
    for dtype in ("uint8", "float32"):
        InputFormat("in", dtype, (FREE, 28, 28), "out", 10, True, 0.5, 3.0, True).prepare(images)
    np.testing.assert_array_equal(images, before)


def test_files_of_ours_take_the_images_themselves() -> None:
    images = greys(4).images
    assert np.shares_memory(InputFormat.ours(10).prepare(images), images)


def test_a_file_that_claims_any_number_and_takes_one_is_given_one(tmp_path: Path) -> None:
    path = write(tmp_path / "liar.onnx", inner=(1, 784))
    input_format = read(path)
    assert input_format.shape == (1, 1, 28, 28)
    images = greys(5).images
    found = answer(opened(path, input_format), images)
    np.testing.assert_allclose(found, expected(images, Preparation()), rtol=1e-4, atol=0.05)


def test_the_answer_is_the_first_output_of_floats(tmp_path: Path) -> None:
    assert read(write(tmp_path / "foreign.onnx")).output == "out"  # behind int64 labels


def test_of_several_outputs_that_of_the_sets_size_is_the_answer(tmp_path: Path) -> None:
    """Features often come before the logits."""
    path = write(tmp_path / "foreign.onnx")
    model = onnx.load(path)
    features = helper.make_tensor_value_info("flat", TensorProto.FLOAT, ["N", 784])
    model.graph.output.insert(0, features)
    onnx.save(model, path)
    assert (read(path).output, read(path).classes) == ("flat", 784)
    found = read(path, lambda: 10)
    assert (found.output, found.classes) == ("out", 10)
    assert read(path, lambda: 7).output == "flat"


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
        (
            ("N", 3, 28, 28),
            "float32",
            r"takes in float32 \(N, 3, 28, 28\): .* 28×28 grey .*784",
        ),
        (("N", 1, 32, 32), "float32", r"takes in float32 \(N, 1, 32, 32\)"),
        (("N",), "float32", r"takes in float32 \(N\)"),
        (None, "float32", r"takes in float32 \(\?\)"),
        (("N", 784), "int64", r"takes in int64 \(N, 784\)"),
    ],
)
def test_what_cannot_be_fed_is_told(
    tmp_path: Path, shape: Shape | None, dtype: str, said: str
) -> None:
    path = write(tmp_path / "foreign.onnx", shape, dtype)
    with pytest.raises(ModelError, match=said):
        read(path)


def test_a_file_that_gives_no_floats_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "foreign.onnx", output_dtype="int64")
    with pytest.raises(ModelError, match=r"gives label int64 .* out int64 .* nothing of two or"):
        read(path)


def test_a_file_that_fails_on_images_says_why(tmp_path: Path) -> None:
    path = write(tmp_path / "foreign.onnx", inner=(3, 784))
    with pytest.raises(ModelError, match=r"is refused: Reshape cannot take inputs"):
        read(path)


def test_two_inputs_are_too_many(tmp_path: Path) -> None:
    inputs = [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["N", 784]) for x in "ab"]
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["y"])],
        "two",
        inputs,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 784])],
    )
    path = tmp_path / "two.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7), path
    )
    with pytest.raises(ModelError, match=r"takes a float32 \(N, 784\) and b float32 \(N, 784\)"):
        read(path)


def test_a_file_that_is_no_model_is_told(tmp_path: Path) -> None:
    path = tmp_path / "foreign.onnx"
    path.write_text("nothing")
    with pytest.raises(ModelError, match=r"foreign\.onnx is not an ONNX file"):
        read(path)
