from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from torch import nn

from mnist_edge.datasets import Dataset, Split
from mnist_edge.errors import EdgeError
from mnist_edge.lab.export.graph import to_onnx
from mnist_edge.lab.export.qdq import METHODS, WEIGHTED, Quantizer
from mnist_edge.lab.export.space_to_depth import image_shape
from mnist_edge.lab.training.blocks import ConvNorm
from mnist_edge.lab.training.models import Network
from mnist_edge.model_file.session import open_session
from tests.helpers.exports import OTHER_SHAPES, case_name, to_onnx_once, zoo_network
from tests.lab.export.test_int8_layout import pixels

Floats = NDArray[np.float32]
CALIBRATION = 128


@dataclass(frozen=True)
class Int8:
    """A network calibrated on digits, its fp32 graph, and all of it in int8."""

    fp32: onnx.ModelProto
    quantizer: Quantizer
    model: onnx.ModelProto


@pytest.fixture(scope="module")
def int8(digits: Dataset, residual: Network) -> Int8:
    """A small network with sums and shortcuts as it was trained on digits, quantized."""
    return quantized(to_onnx_once(residual), digits)


@pytest.fixture(scope="module")
def folded(digits: Dataset, chain: Network) -> Int8:
    """edge-xs as it was trained on digits, its blocks folded, quantized."""
    return quantized(to_onnx_once(chain), digits)


@pytest.fixture(
    scope="module",
    params=["edge-xs", "edge", "resnet3", *OTHER_SHAPES],
    ids=lambda case: case if isinstance(case, str) else case_name(case),
)
def of_the_zoo(request: pytest.FixtureRequest, digits: Dataset) -> Int8:
    if isinstance(request.param, str):
        return quantized(to_onnx_once(zoo_network(request.param)), digits)
    fp32 = to_onnx_once(zoo_network(*request.param))
    quantizer = Quantizer(fp32, pixels(32, shape=image_shape(fp32.graph)))
    return Int8(fp32, quantizer, quantizer.quantize())


def quantized(fp32: onnx.ModelProto, data: Dataset) -> Int8:
    quantizer = Quantizer(fp32, data.train.images[:CALIBRATION])
    return Int8(fp32, quantizer, quantizer.quantize())


def run(
    model: onnx.ModelProto, folder: Path, images: NDArray[np.uint8], optimize: bool = True
) -> Floats:
    onnx.save(model, folder / "run.onnx")
    session = open_session(folder / "run.onnx", optimize=optimize)
    answer: Floats = session.run(["logits"], {"image": images})[0]
    return answer


def kinds(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def optimized(model: onnx.ModelProto, folder: Path) -> Counter[str]:
    """What ONNX Runtime really runs: the operators of the graph once it has been optimized."""
    onnx.save(model, folder / "as_written.onnx")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folder / "as_run.onnx")
    ort.InferenceSession(folder / "as_written.onnx", options, providers=["CPUExecutionProvider"])
    return kinds(onnx.load(folder / "as_run.onnx"))


def constants(model: onnx.ModelProto) -> dict[str, NDArray[np.generic]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def weights(model: onnx.ModelProto) -> list[NDArray[np.int8]]:
    """The int8 weights of every layer that has some, output channels first."""
    values = constants(model)
    return [
        values[node.input[0]].astype(np.int8)
        for node in model.graph.node
        if node.op_type == "DequantizeLinear"
        and node.input[0] in values
        and values[node.input[0]].dtype == np.int8
    ]


def reads_groups(model: onnx.ModelProto) -> bool:
    """Whether the image's bytes are seen in groups, with a view before they are anything else."""
    return [node.op_type for node in model.graph.node if "image" in node.input] == ["Reshape"]


def dequantized_image(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """What takes the image's bytes: DequantizeLinear, behind views of them and nothing else."""
    names, found = ["image"], []
    while names:
        name = names.pop()
        for node in (node for node in model.graph.node if name in node.input):
            assert node.op_type in ("Reshape", "Transpose", "DequantizeLinear")
            if node.op_type == "DequantizeLinear":
                found.append(node)
            else:
                names.append(node.output[0])
    assert found
    return found


class TestEveryLayerRunsInInt8:
    def test_no_layer_is_left_in_float(self, of_the_zoo: Int8, tmp_path: Path) -> None:
        """What the file asks for is what runs: nothing falls back, nothing is converted."""
        before, ran = kinds(of_the_zoo.fp32), optimized(of_the_zoo.model, tmp_path)
        assert ran["QLinearConv"] == before["Conv"] > 0
        assert ran["QLinearAdd"] == before["Add"]
        assert ran["QGemm"] == before["Gemm"] == 1
        # Views of the same bytes are free; anything else is time or rounding.
        views = {"Reshape", "NhwcMaxPool"}  # the stem of torchvision has a pool, which is exact
        if not reads_groups(of_the_zoo.model):
            views.add("Transpose")  # of three channels, which stay in front
        assert set(ran) <= {"QLinearConv", "QLinearAdd", "QGemm", *views}

    @pytest.mark.parametrize("of_the_zoo", ["resnet3"], indirect=True)
    def test_sums_too(self, of_the_zoo: Int8, tmp_path: Path) -> None:
        assert optimized(of_the_zoo.model, tmp_path)["QLinearAdd"] == 3  # one for each block

    @pytest.mark.parametrize(
        ("of_the_zoo", "layers"), [("edge", 5), ("edge-xs", 6)], indirect=["of_the_zoo"]
    )
    def test_a_chain_is_convolutions_and_nothing_else(
        self, of_the_zoo: Int8, tmp_path: Path, layers: int
    ) -> None:
        ran = optimized(of_the_zoo.model, tmp_path)
        assert ran["QLinearConv"] == layers  # the stem, and one for each block
        assert set(ran) == {"QLinearConv", "QGemm", "Reshape"}

    def test_bytes_reach_the_first_convolution_as_they_are(self, of_the_zoo: Int8) -> None:
        graph, values = of_the_zoo.model.graph, constants(of_the_zoo.model)
        for node in dequantized_image(of_the_zoo.model):
            scale, zero = (values[name] for name in node.input[1:])
            assert zero.dtype == np.uint8
            assert (scale.item(), zero.item()) == (1, 0)
            readers = {reader.op_type for reader in graph.node if node.output[0] in reader.input}
            assert readers == {"Conv"}

    def test_honours_the_contract(self, of_the_zoo: Int8, tmp_path: Path) -> None:
        onnx.checker.check_model(of_the_zoo.model, full_check=True)
        onnx.save(of_the_zoo.model, tmp_path / "model.onnx")
        session = open_session(tmp_path / "model.onnx")
        (image,), (logits,) = session.get_inputs(), session.get_outputs()
        dims = list(image_shape(of_the_zoo.fp32.graph).dims)
        assert (image.name, image.type, image.shape[1:]) == ("image", "tensor(uint8)", dims)
        assert (logits.name, logits.type, logits.shape[1:]) == ("logits", "tensor(float)", [7])
        assert isinstance(image.shape[0], str)
        assert image.shape[0] == logits.shape[0]

    def test_one_image_and_many_give_the_same(self, of_the_zoo: Int8, tmp_path: Path) -> None:
        images = pixels(7, shape=image_shape(of_the_zoo.fp32.graph))
        onnx.save(of_the_zoo.model, tmp_path / "model.onnx")
        session = open_session(tmp_path / "model.onnx")
        (many,) = session.run(["logits"], {"image": images})
        alone = [session.run(["logits"], {"image": images[at : at + 1]})[0] for at in range(7)]
        np.testing.assert_allclose(np.concatenate(alone), many, rtol=1e-6, atol=1e-6)

    def test_is_about_a_quarter_of_the_size(self, of_the_zoo: Int8) -> None:
        parameters = sum(
            int(np.prod(tensor.dims)) for tensor in of_the_zoo.quantizer.model.graph.initializer
        )
        assert of_the_zoo.model.ByteSize() < 1.1 * parameters + 30_000

    def test_old_runtimes_read_it(self, of_the_zoo: Int8) -> None:
        assert of_the_zoo.model.ir_version <= 8
        assert [item.domain for item in of_the_zoo.model.opset_import] == [""]


def test_bytes_are_not_measured_but_given(digits: Dataset, int8: Int8) -> None:
    """Dark calibration images must not narrow the range of the input, which is 0 to 255."""
    dark = Quantizer(int8.fp32, digits.train.images[:8] // 4).quantize()
    (node,) = dequantized_image(dark)
    assert constants(dark)[node.input[1]].item() == 1


# Weights.


def test_weights_use_seven_bits_per_channel(int8: Int8, folded: Int8) -> None:
    for made in (int8, folded):
        found = weights(made.model)
        assert len(found) == kinds(made.fp32)["Conv"] + 1
        for layer in found:
            most = np.abs(layer.astype(int)).reshape(len(layer), -1).max(axis=1)
            assert (most == 64).all()  # each channel uses all of them


def test_weights_use_eight_bits_when_asked(digits: Dataset, int8: Int8) -> None:
    naive = Quantizer(int8.fp32, digits.train.images[:CALIBRATION], weight_bits=8).quantize()
    for layer in weights(naive):
        most = np.abs(layer.astype(int)).reshape(len(layer), -1).max(axis=1)
        assert (most == 127).all()


# Calibration.


@pytest.mark.parametrize("method", ["minmax", "percentile"])
@pytest.mark.parametrize("which", ["int8", "folded"])
def test_answers_stay(
    request: pytest.FixtureRequest, digits: Dataset, tmp_path: Path, which: str, method: str
) -> None:
    fp32 = request.getfixturevalue(which).fp32
    quantizer = Quantizer(fp32, digits.train.images[:CALIBRATION], method)
    expected = run(fp32, tmp_path, digits.test.images)
    found = run(quantizer.quantize(), tmp_path, digits.test.images)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.97


def activation_scales(model: onnx.ModelProto) -> list[float]:
    values = constants(model)
    return [
        values[node.input[1]].item()
        for node in model.graph.node
        if node.op_type == "QuantizeLinear"
    ]


def two_layers(training: Split) -> Network:
    """A network of two layers, trained for two seconds."""
    torch.manual_seed(0)
    stem = nn.Sequential(ConvNorm(1, 8, kernel=5, stride=4), nn.ReLU())  # (N, 8, 7, 7)
    network = Network(nn.Sequential(stem, nn.Flatten(), nn.Linear(8 * 7 * 7, 10)))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    images, labels = torch.from_numpy(training.images), torch.from_numpy(training.labels)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return network.eval()


def test_methods_measure_different_ranges(digits: Dataset, tmp_path: Path) -> None:
    """With ONNX Runtime's own defaults, entropy has nothing to search and is minmax, silently.

    On two layers: its search takes a second per tensor, whatever the network.
    """
    fp32 = to_onnx(two_layers(digits.train))
    expected = run(fp32, tmp_path, digits.test.images).argmax(axis=1)
    models = {
        method: Quantizer(fp32, digits.train.images[:CALIBRATION], method).quantize()
        for method in METHODS
    }
    for model in models.values():
        found = run(model, tmp_path, digits.test.images).argmax(axis=1)
        assert (found == expected).mean() >= 0.97
    scales = {method: activation_scales(model) for method, model in models.items()}
    assert len(scales["minmax"]) > 0
    assert scales["entropy"] != pytest.approx(scales["minmax"], rel=1e-3)
    # It clips: no range becomes wider than what was seen.
    for one, most in zip(scales["entropy"], scales["minmax"], strict=True):
        assert one <= most * (1 + 1e-3)


@pytest.mark.parametrize("grey", [0, 128])
def test_images_of_one_grey_cannot_calibrate(int8: Int8, grey: int) -> None:
    with pytest.raises(EdgeError, match="all of one grey"):
        Quantizer(int8.fp32, np.full((4, 28, 28), grey, np.uint8))


def test_no_images_cannot_calibrate(int8: Int8) -> None:
    with pytest.raises(EdgeError, match="calibration images"):
        Quantizer(int8.fp32, np.zeros((0, 28, 28), np.uint8))


def test_the_same_inputs_give_the_same_bytes(int8: Int8, digits: Dataset) -> None:
    again = quantized(int8.fp32, digits)
    assert again.model.SerializeToString() == int8.model.SerializeToString()


def test_quantizing_again_and_otherwise_changes_nothing(int8: Int8) -> None:
    """One calibration serves many graphs: none of them leaves traces in the next."""
    int8.quantizer.quantize([int8.quantizer.layers(WEIGHTED)[2]])
    assert int8.quantizer.quantize().SerializeToString() == int8.model.SerializeToString()


def test_says_nothing_by_itself(
    int8: Int8, digits: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    Quantizer(int8.fp32, digits.train.images[:16], "percentile")
    assert capsys.readouterr().out == ""


# Layers that stay in float. ONNX Runtime quantizes a float layer between a DequantizeLinear and a
# QuantizeLinear when it opens the file: the graph that runs must be looked at, not the file.

STEM, WITH_RELU, BEFORE_ADD, SHORTCUT, LAST = 0, 1, 2, 3, -1  # positions in `residual`
IN_A_CHAIN = (STEM, WITH_RELU, LAST)
PLACES = [
    *(("int8", at) for at in (STEM, WITH_RELU, BEFORE_ADD, SHORTCUT, LAST)),
    *(("folded", at) for at in IN_A_CHAIN),
]


def in_float(ran: Counter[str]) -> int:
    return ran["Conv"] + ran["FusedConv"] + ran["Gemm"] + ran["FusedGemm"]


@pytest.mark.parametrize(("which", "at"), PLACES)
def test_a_layer_kept_in_float_runs_in_float(
    request: pytest.FixtureRequest, digits: Dataset, tmp_path: Path, which: str, at: int
) -> None:
    int8: Int8 = request.getfixturevalue(which)
    name = int8.quantizer.layers(WEIGHTED)[at]
    kept = int8.quantizer.quantize([name])
    before, ran = optimized(int8.model, tmp_path), optimized(kept, tmp_path)
    assert in_float(before) == 0
    assert in_float(ran) == 1
    assert ran["QLinearConv"] == before["QLinearConv"] - (at != LAST)
    assert ran["QGemm"] == before["QGemm"] - (at == LAST)
    assert len(weights(kept)) == len(weights(int8.model)) - 1
    # And what runs is what was written.
    found = run(kept, tmp_path, digits.test.images)
    reference = run(kept, tmp_path, digits.test.images, optimize=False)
    quantum = (reference.max() - reference.min()) / 255
    assert np.abs(found - reference).max() <= 2 * quantum


def after(model: onnx.ModelProto, name: str) -> str:
    """What reads what a layer gives."""
    (node,) = (node for node in model.graph.node if node.name == name)
    (reader,) = (reader for reader in model.graph.node if node.output[0] in reader.input)
    return str(reader.op_type)


def test_positions_are_what_they_are_called(int8: Int8, folded: Int8) -> None:
    for made in (int8, folded):
        names = made.quantizer.layers(WEIGHTED)
        assert [after(made.fp32, names[at]) for at in (STEM, WITH_RELU)] == ["Relu", "Relu"]
        assert names[LAST].startswith("Gemm")
    names = int8.quantizer.layers(WEIGHTED)
    assert [after(int8.fp32, names[at]) for at in (BEFORE_ADD, SHORTCUT)] == ["Add", "Add"]


@pytest.mark.parametrize("at", [0, 3], ids=["convolution", "shortcut"])
@pytest.mark.parametrize("of_the_zoo", ["resnet3"], indirect=True)
def test_a_layer_that_reads_the_image_runs_in_float_where_two_do(
    of_the_zoo: Int8, tmp_path: Path, at: int
) -> None:
    """In resnet3 a convolution and a shortcut read the image: one alone stays in float."""
    name = of_the_zoo.quantizer.layers(WEIGHTED)[at]
    ran = optimized(of_the_zoo.quantizer.quantize([name]), tmp_path)
    assert in_float(ran) == 1
    assert ran["QLinearConv"] == kinds(of_the_zoo.fp32)["Conv"] - 1


def test_all_layers_in_float_are_the_original(of_the_zoo: Int8, tmp_path: Path) -> None:
    names = of_the_zoo.quantizer.layers(WEIGHTED)
    kept = of_the_zoo.quantizer.quantize(names)
    images = pixels(32, seed=1, shape=image_shape(of_the_zoo.fp32.graph))
    expected = run(of_the_zoo.fp32, tmp_path, images)
    np.testing.assert_allclose(
        run(kept, tmp_path, images), expected, rtol=0, atol=1e-3 * np.abs(expected).max()
    )
    assert in_float(optimized(kept, tmp_path)) == len(names)


def test_an_unknown_layer_is_refused_and_the_choices_named(int8: Int8) -> None:
    with pytest.raises(EdgeError, match=r"no layer 'Conv_99' .* choose from Conv_2, .*Gemm_18$"):
        int8.quantizer.quantize(["Conv_99"])


def test_a_layer_without_weights_cannot_be_kept(int8: Int8) -> None:
    (name, *_) = int8.quantizer.layers(["Add"])
    with pytest.raises(EdgeError, match=f"no layer '{name}' to keep in float"):
        int8.quantizer.quantize([name])


def test_layers_keep_their_names(int8: Int8) -> None:
    """What --keep-float names can be read off the file."""
    named = {node.name for node in int8.model.graph.node if node.name}
    assert named == set(int8.quantizer.layers())
    assert {node.op_type for node in int8.model.graph.node if node.name} <= {"Conv", "Gemm", "Add"}


def test_logits_are_not_eight_bits_wide(int8: Int8, digits: Dataset, tmp_path: Path) -> None:
    """The last layer's sums leave as float: far more values than 8 bits could tell apart."""
    found = run(int8.model, tmp_path, digits.test.images)
    assert len(np.unique(found)) > 1000
    (last,) = (node for node in int8.model.graph.node if "logits" in node.output)
    assert last.op_type == "Gemm"
    assert int8.model.graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT
