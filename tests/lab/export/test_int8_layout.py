from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mnist_edge.image_shape import MNIST_SHAPE, ImageShape
from mnist_edge.lab.export.int8_layout import to_int8_layout
from mnist_edge.lab.export.space_to_depth import GROUP, group_pixels
from mnist_edge.lab.training.models import ZOO
from mnist_edge.model_file.session import open_session
from tests.helpers.exports import OTHER_SHAPES, ZooCase, case_name, to_onnx_once, zoo_network

# The deeper twins are more of the same blocks, and take the exporter ten times as long.
SHALLOW = [name for name in ZOO if not name.endswith("56")]
PADDED = "8k5s2-8s2"  # a chain like the zoo's, but for what its stem does at the edges
FLAT = "8k5s2v-6s2-flat"  # its last layer reads a map of 6 channels, 6×6
CASES: list[ZooCase] = [
    *((name, None, MNIST_SHAPE) for name in (*SHALLOW, PADDED, FLAT)),
    ("resnet20", "projection", MNIST_SHAPE),
    *OTHER_SHAPES,
]
RGB = ImageShape(28, 28, 3)
Floats = NDArray[np.float32]


def pixels(count: int, seed: int = 0, shape: ImageShape = MNIST_SHAPE) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape.dims), np.uint8)


def run(model: onnx.ModelProto, folder: Path, images: NDArray[np.uint8]) -> Floats:
    onnx.save(model, folder / "run.onnx")
    answer: Floats = open_session(folder / "run.onnx").run(["logits"], {"image": images})[0]
    return answer


@dataclass(frozen=True)
class Made:
    """A graph as it was exported, its bytes at that time, and what the layout made of it."""

    shape: ImageShape
    before: onnx.ModelProto
    content: bytes
    after: onnx.ModelProto


@pytest.fixture(scope="module", params=CASES, ids=case_name)
def made(request: pytest.FixtureRequest) -> Made:
    before = to_onnx_once(zoo_network(*request.param))
    return Made(request.param[2], before, before.SerializeToString(), to_int8_layout(before))


class TestEveryNetworkOfTheZoo:
    @pytest.mark.parametrize("count", [1, 7])
    def test_computes_the_same(self, made: Made, tmp_path: Path, count: int) -> None:
        images = pixels(count, seed=count, shape=made.shape)
        expected = run(made.before, tmp_path, images)
        found = run(made.after, tmp_path, images)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())

    def test_leaves_the_original_alone(self, made: Made) -> None:
        assert made.before.SerializeToString() == made.content

    def test_layers_keep_their_names_and_order(self, made: Made) -> None:
        def layers(model: onnx.ModelProto) -> list[tuple[str, str]]:
            nodes = model.graph.node
            return [(n.op_type, n.name) for n in nodes if n.op_type in ("Conv", "Gemm", "Add")]

        assert layers(made.after) == layers(made.before)

    def test_passes_the_strict_checker(self, made: Made) -> None:
        onnx.checker.check_model(made.after, full_check=True)

    def test_averages_nothing_before_the_last_layer(self, made: Made) -> None:
        # One average of int8 values would be rounded, and ties are the kernel's to break.
        kinds = [node.op_type for node in made.after.graph.node]
        assert kinds[-1] == "Gemm"
        assert not {"AveragePool", "GlobalAveragePool", "ReduceMean"} & set(kinds)

    def test_what_reads_the_image_reads_whole_groups_of_bytes(self, made: Made) -> None:
        """No convolution has the one or three channels that int8 kernels are slow with, where
        a row is whole groups."""
        if made.shape.width * made.shape.channels % GROUP:
            pytest.skip("its rows are no whole groups")
        constants = {tensor.name: tensor for tensor in made.after.graph.initializer}
        convolutions = [node for node in made.after.graph.node if node.op_type == "Conv"]
        assert convolutions
        for node in convolutions:
            assert constants[node.input[1]].dims[1] % GROUP == 0

    def test_has_no_weights_that_nobody_reads(self, made: Made) -> None:
        graph = made.after.graph
        read = {name for node in graph.node for name in node.input}
        assert {tensor.name for tensor in graph.initializer} <= read
        # Those of the layers that changed are not there twice: the last one's grow 16-fold.
        assert len(graph.initializer) < len(made.before.graph.initializer) + 10


# Groups of pixels, against a plain convolution.


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("pad", [0, 1, 2, 3])
@pytest.mark.parametrize(("channels", "size"), [(1, 4), (3, 4), (3, 12)])
def test_grouped_is_the_same_convolution(
    kernel: int, stride: int, pad: int, channels: int, size: int
) -> None:
    height, width = 15, 24
    random = np.random.default_rng(kernel * 100 + stride * 10 + pad)
    weights = random.normal(size=(3, channels, kernel, kernel)).astype(np.float32)
    images = random.integers(0, 256, (2, height, width, channels)).astype(np.float32)
    # Right of the last group a plain convolution may still reach columns that a group does not
    # have: so many outputs are what every network of ours has, in both.
    outputs = width // stride
    wide = F.pad(torch.from_numpy(images).permute(0, 3, 1, 2), (pad, kernel, pad, pad))
    expected = F.conv2d(wide, torch.from_numpy(weights), stride=stride)[..., :outputs]

    again, along = group_pixels(weights, stride, pad, size)
    assert again.shape[:2] == (along.pixels * 3, size)
    as_groups = images.reshape(2, height, width * channels // size, size)
    blocks = outputs // along.pixels
    read = (blocks - 1) * along.stride + again.shape[3]
    right = read - along.left - as_groups.shape[2]
    padded = F.pad(torch.from_numpy(as_groups).permute(0, 3, 1, 2), (along.left, right, pad, pad))
    found = F.conv2d(padded, torch.from_numpy(again), stride=(stride, along.stride))
    back = found.reshape(2, along.pixels, 3, found.shape[2], blocks)  # (N, p * O + o, H, W)
    back = back.permute(0, 2, 3, 4, 1).reshape(expected.shape)
    torch.testing.assert_close(back, expected, rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize(("channels", "size"), [(1, 4), (3, 4), (3, 12)])
def test_grouped_keeps_every_weight_once_per_pixel_and_adds_zeros_alone(
    channels: int, size: int
) -> None:
    weights = np.arange(1, 50 * channels + 1, dtype=np.float32).reshape(2, channels, 5, 5)
    again, along = group_pixels(weights, stride=2, pad=2, size=size)
    for pixel in range(along.pixels):
        for output in range(2):
            kept = again[pixel * 2 + output]
            assert sorted(kept[kept != 0]) == sorted(weights[output].flat)


# Convolutions of all forms. What cannot be grouped stays as it is, and computes the same.

STEM: dict[str, tuple[int, ...]] = {
    "kernel_shape": (3, 3),
    "strides": (2, 2),
    "dilations": (1, 1),
    "pads": (1, 1, 1, 1),
}
NO_PADS = {"pads": (0, 0, 0, 0)}


def values(change: dict[str, tuple[int, ...]]) -> str:
    return "-".join(f"{name}{value}" for name, value in change.items())


def computes_the_same(model: onnx.ModelProto, folder: Path) -> onnx.NodeProto:
    """Checks that the layout changes no answer; the convolution that it made."""
    (image,) = model.graph.input
    shape = ImageShape.from_dims(tuple(d.dim_value for d in image.type.tensor_type.shape.dim[1:]))
    images, after = pixels(3, shape=shape), to_int8_layout(model)
    expected = run(model, folder, images)
    found = run(after, folder, images)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    (convolution,) = (node for node in after.graph.node if node.op_type == "Conv")
    assert isinstance(convolution, onnx.NodeProto)
    return convolution


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"kernel_shape": (5, 5), "strides": (2, 2), **NO_PADS},  # 12 pixels of 28 / 2: edge's
        {"kernel_shape": (5, 5), "strides": (1, 1), **NO_PADS},  # 24 of 28
        {"kernel_shape": (9, 9), "strides": (2, 2), **NO_PADS},  # 10 of 14
        {"kernel_shape": (7, 7), "strides": (4, 4), **NO_PADS},  # 6 of 7
        {"kernel_shape": (1, 1), "strides": (1, 1), **NO_PADS},  # 28 of 28
        {"kernel_shape": (7, 7), "strides": (1, 1)},  # 24 of 28, and padded
    ],
    ids=values,
)
@pytest.mark.parametrize("shape", [MNIST_SHAPE, RGB, ImageShape(17, 28, 3)], ids=str)
def test_a_stem_that_gives_whole_groups_is_grouped(
    tmp_path: Path, change: dict[str, tuple[int, ...]], shape: ImageShape
) -> None:
    """Also one that gives fewer pixels than 28 / stride, as stems without padding do."""
    convolution = computes_the_same(by_hand(STEM | change, shape), tmp_path)
    attributes = {item.name: list(item.ints) for item in convolution.attribute}
    stride = (STEM | change)["strides"][0]
    # In groups: of a pixel's bytes where a stem gives every pixel, else of four pixels.
    assert attributes["strides"] == [stride, shape.channels if stride == 1 else 1]
    assert min(attributes["pads"]) >= 0


@pytest.mark.parametrize(
    "change",
    [
        {"strides": (3, 3)},
        {"strides": (1, 2)},
        {"dilations": (2, 2)},
        {"pads": (1, 0, 1, 2)},
        {"pads": (2, 2, 2, 2)},  # 15 pixels, and 28 have but 14
        {"kernel_shape": (3, 5)},
        {"kernel_shape": (1, 3), **NO_PADS},
        NO_PADS,  # 13 pixels: half a group is left over
        {"strides": (1, 1), **NO_PADS},  # 26
        {"kernel_shape": (7, 7), **NO_PADS},  # 11
    ],
    ids=values,
)
@pytest.mark.parametrize("shape", [MNIST_SHAPE, RGB], ids=str)
def test_another_convolution_is_left_as_it_is(
    tmp_path: Path, change: dict[str, tuple[int, ...]], shape: ImageShape
) -> None:
    model = by_hand(STEM | change, shape)
    assert computes_the_same(model, tmp_path).attribute == model.graph.node[2].attribute


@pytest.mark.parametrize("shape", [ImageShape(28, 30, 1), ImageShape(28, 30, 3)], ids=str)
def test_rows_that_are_no_whole_groups_are_left_as_they_are(
    tmp_path: Path, shape: ImageShape
) -> None:
    model = by_hand(STEM, shape)
    assert computes_the_same(model, tmp_path).attribute == model.graph.node[2].attribute


def by_hand(attributes: dict[str, tuple[int, ...]], shape: ImageShape) -> onnx.ModelProto:
    """One convolution and one dense layer over all that it gives."""
    random = np.random.default_rng(0)
    kernel = attributes["kernel_shape"]
    weights = random.normal(size=(2, shape.channels, *kernel)).astype(np.float32)
    convolution = helper.make_node("Conv", ["x", "w"], ["map"], "Conv_2", **attributes)  # type: ignore[arg-type]
    pads, strides = attributes["pads"], attributes["strides"]
    spread = attributes["dilations"]
    tall, wide = ((size - 1) * by + 1 for size, by in zip(kernel, spread, strict=True))
    height = (shape.height + pads[0] + pads[2] - tall) // strides[0] + 1
    width = (shape.width + pads[1] + pads[3] - wide) // strides[1] + 1
    dense = random.normal(size=(10, 2 * height * width)).astype(np.float32)
    channels_first = (
        helper.make_node("Transpose", ["floats"], ["x"], "Transpose_1", perm=[0, 3, 1, 2])
        if shape.is_color
        else helper.make_node("Unsqueeze", ["floats", "axis"], ["x"], "Unsqueeze_1")
    )
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["image"], ["floats"], "Cast_0", to=1),
            channels_first,
            convolution,
            helper.make_node("Reshape", ["map", "shape"], ["flat"], "Reshape_3"),
            helper.make_node("Gemm", ["flat", "dense"], ["logits"], "Gemm_4", transB=1),
        ],
        "by_hand",
        [helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, ["N", *shape.dims])],
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["N", 10])],
        [
            numpy_helper.from_array(np.array([1]), "axis"),
            numpy_helper.from_array(np.array([-1, 2 * height * width]), "shape"),
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(dense, "dense"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)
