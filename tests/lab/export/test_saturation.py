"""An int8 file must compute the same on every CPU.

x86 without VNNI multiplies uint8 by int8 with vpmaddubsw, which adds two neighbouring products in
16 bits with saturation. Here that is emulated on numbers, bounded on files, and run for real.
"""

import copy
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import nn

from mnist_edge.datasets import Dataset
from mnist_edge.errors import GateError
from mnist_edge.lab.export.candidate import with_metadata, without_metadata
from mnist_edge.lab.export.gate import Portability, check_portable, measure_portability
from mnist_edge.lab.export.graph import to_onnx
from mnist_edge.lab.export.qdq import Quantizer
from mnist_edge.lab.training.models import Network
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.model_file.saturation import widest_pair
from mnist_edge.model_file.session import open_session
from tests.conftest import make_card

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Files:
    """One network in int8, with 7 bits of weights (ours) and with 8 (naive), and its images."""

    ours: Path
    naive: Path
    images: NDArray[np.uint8]


@pytest.fixture(scope="module", params=["chain", "residual"])
def files(
    request: pytest.FixtureRequest, digits: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Files:
    """Of a network whose stem has no padding, and of one whose stem has some, and that adds."""
    folder = tmp_path_factory.mktemp("int8")
    network = copy.deepcopy(request.getfixturevalue(request.param))
    model = to_onnx(provoking(network, digits))
    for name, bits in (("ours", 7), ("naive", 8)):
        int8 = Quantizer(model, digits.train.images[:256], weight_bits=bits).quantize()
        (folder / f"{name}.onnx").write_bytes(with_metadata(without_metadata(int8), make_card()))
    images = np.concatenate([digits.train.images, digits.test.images])[-1000:]
    return Files(folder / "ours.onnx", folder / "naive.onnx", images)


def provoking(network: Network, data: Dataset) -> Network:
    """The network with a stem whose weights all lie near the largest: two of one sign saturate."""
    random = torch.Generator().manual_seed(0)
    stem = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    with torch.no_grad():
        most = stem.weight.abs().amax(dim=(1, 2, 3), keepdim=True)
        near = torch.empty_like(stem.weight).uniform_(0.9, 1, generator=random)
        stem.weight.copy_(stem.weight.sign() * most * near)
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = None  # the average of what it sees from here on
                layer.reset_running_stats()
        network.train()(torch.from_numpy(data.train.images))
    return network.eval()


# What vpmaddubsw does, on a file's own weights and real pixels.


def first_layer(file: Path) -> tuple[NDArray[np.int8], list[int], list[int]]:
    """The quantized weights of what reads the image, (O, 4, k, width), its strides and pads."""
    graph = onnx.load(file).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    made_by = {node.output[0]: node for node in graph.node}
    node = next(node for node in graph.node if node.op_type == "Conv")
    found: dict[str, Any] = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    weights, _, zeros = (values[name] for name in made_by[node.input[1]].input)
    assert not zeros.any()
    return weights.astype(np.int8), list(found["strides"]), list(found.get("pads", [0] * 4))


def rows(file: Path, images: NDArray[np.uint8]) -> tuple[Integers, Integers]:
    """Pixels (K, positions) and weights (O, K) of the first layer: it gives weights @ pixels."""
    weights, strides, (top, left, bottom, right) = first_layer(file)
    grouped = torch.from_numpy(images.astype(np.float32)).reshape(-1, 28, 7, 4)
    padded = F.pad(grouped.permute(0, 3, 1, 2), (left, right, top, bottom))
    columns = F.unfold(padded, weights.shape[2:], stride=tuple(strides))  # (N, K, positions)
    pixels = columns.permute(1, 0, 2).reshape(columns.shape[1], -1)
    return pixels.numpy().astype(np.int64), weights.reshape(len(weights), -1).astype(np.int64)


def vpmaddubsw(pixels: Integers, weights: Integers) -> Integers:
    """weights @ pixels, where every two products are added in 16 bits, with saturation."""
    total = np.zeros((len(weights), pixels.shape[1]), np.int64)
    for at in range(0, len(pixels), 2):
        pair = weights[:, at : at + 2] @ pixels[at : at + 2]
        total += pair.clip(-(2**15), 2**15 - 1)
    return total


def orders(count: int) -> list[NDArray[np.int64]]:
    """As the weights lie, and others: which of them become neighbours is up to a kernel."""
    random = np.random.default_rng(0)
    return [np.arange(count), *(random.permutation(count) for _ in range(8))]


def test_ours_is_exact_in_every_order(files: Files) -> None:
    pixels, weights = rows(files.ours, files.images[:20])
    exact = weights @ pixels
    for order in orders(len(pixels)):
        np.testing.assert_array_equal(vpmaddubsw(pixels[order], weights[:, order]), exact)


def test_ours_is_exact_for_the_brightest_image(files: Files) -> None:
    """All white: no image can make larger sums."""
    pixels, weights = rows(files.ours, np.full((1, 28, 28), 255, np.uint8))
    for order in orders(len(pixels)):
        found = vpmaddubsw(pixels[order], weights[:, order])
        np.testing.assert_array_equal(found, weights @ pixels)


def test_naive_saturates_in_every_order(files: Files) -> None:
    pixels, weights = rows(files.naive, files.images[:20])
    exact = weights @ pixels
    for order in orders(len(pixels)):
        found = vpmaddubsw(pixels[order], weights[:, order])
        assert (found != exact).mean() > 0.01


def test_the_rows_are_what_the_file_computes(files: Files, tmp_path: Path) -> None:
    """The emulation speaks of the real layer: exact sums, scaled, are its output."""
    model, images = onnx.load(files.ours), files.images[:3]
    node = next(node for node in model.graph.node if node.op_type == "Conv")
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    made_by = {item.output[0]: item for item in model.graph.node}
    scale = values[made_by[node.input[1]].input[1]]
    integers, bias_scale, *_ = (values[name] for name in made_by[node.input[2]].input)
    pixels, weights = rows(files.ours, images)
    expected = scale[:, None] * (weights @ pixels) + (integers * bias_scale)[:, None]
    model.graph.output.append(
        helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None)
    )
    onnx.save(model, tmp_path / "watched.onnx")
    session = open_session(tmp_path / "watched.onnx", optimize=False)
    (found,) = session.run([node.output[0]], {"image": images})
    found = found.transpose(1, 0, 2, 3).reshape(len(weights), -1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


# The bound on a file, and the gate.


def brute_force(model: onnx.ModelProto) -> int:
    """The largest |a| + |b| of two weights of a channel, over all pairs there are."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    weighted = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    made_by = {node.output[0]: node for node in model.graph.node}
    widest = 0
    for node in weighted:
        for channel in values[made_by[node.input[1]].input[0]].astype(int):
            flat = np.abs(channel.ravel())
            pairs = np.add.outer(flat, flat)
            np.fill_diagonal(pairs, 0)
            widest = max(widest, pairs.max())
    return widest


def test_widest_pair_is_that_of_all_pairs(files: Files) -> None:
    for path in (files.ours, files.naive):
        assert widest_pair(ModelFile.read(path).graph) == brute_force(onnx.load(path))


def test_the_bound_is_that_of_sixteen_bits(files: Files) -> None:
    """A file of the widest pair that passes cannot saturate, and one more could."""
    widest = widest_pair(ModelFile.read(files.ours).graph)
    found = measure_portability(ModelFile.read(files.ours), files.images[:10])
    passing = [pair for pair in range(254) if passes(replace(found, widest_pair=pair))]
    assert passing == [pair for pair in range(254) if 255 * pair <= 32_767]
    assert widest in passing


def passes(found: Portability) -> bool:
    try:
        check_portable(found, "x.onnx")
    except GateError:
        return False
    return True


def test_ours_passes_the_gate(files: Files) -> None:
    found = measure_portability(ModelFile.read(files.ours), files.images)
    check_portable(found, "ours.onnx")
    assert (found.images, found.changed) == (1000, 0)
    # Against the reference once more, by hand.
    here, reference = (
        open_session(files.ours, optimize=optimize).run(["logits"], {"image": files.images})[0]
        for optimize in (True, False)
    )
    assert (here.argmax(axis=1) == reference.argmax(axis=1)).all()
    assert found.quantum == pytest.approx((reference.max() - reference.min()) / 255)
    assert found.max_logit_difference == pytest.approx(np.abs(here - reference).max())
    assert found.max_logit_difference <= 2 * found.quantum


def test_naive_does_not_pass_on_any_machine(files: Files) -> None:
    """Also where VNNI gives the right answer: the file goes to machines that have none."""
    with pytest.raises(GateError, match=r"naive.onnx would saturate on CPUs without VNNI"):
        check_portable(measure_portability(ModelFile.read(files.naive), files.images), "naive.onnx")


@pytest.mark.parametrize(
    "change",
    [{"changed": 3}, {"max_logit_difference": 0.41}, {"max_logit_difference": float("nan")}],
)
def test_what_computes_otherwise_here_does_not_pass(change: dict[str, Any]) -> None:
    fine = Portability(1000, 0, max_logit_difference=0.39, quantum=0.1, widest_pair=128)
    check_portable(fine, "x.onnx")
    with pytest.raises(GateError, match="does not compute here what its float reference"):
        check_portable(replace(fine, **change), "x.onnx")


# A real CPU without VNNI, or this one with its VNNI hidden.

NOT_HERE = 77  # without_vnni.c exits so where CPUID cannot be hidden

ANSWER = """
import json, sys
from pathlib import Path
import numpy as np
from mnist_edge.model_file.session import open_session
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.model_file.saturation import widest_pair
found, images = {}, np.load(sys.argv[1])
for file in sys.argv[2:]:
    sessions = [open_session(Path(file), optimize=optimize) for optimize in (True, False)]
    here, reference = (session.run(["logits"], {"image": images})[0] for session in sessions)
    found[Path(file).stem] = {
        "quanta": float(abs(here - reference).max() / (reference.max() - reference.min()) * 255),
        "changed": int((here.argmax(axis=1) != reference.argmax(axis=1)).sum()),
    }
print(json.dumps(found))
"""


def python(*arguments: object, preload: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "LD_PRELOAD": preload},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="session")
def without_vnni(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What to preload so that a process sees no VNNI; nothing where there is none."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("vpmaddubsw is x86-64's, and CPUID is hidden on Linux")
    if "vnni" not in Path("/proc/cpuinfo").read_text():
        return ""
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("this CPU has VNNI, and there is no C compiler to build what hides it")
    library = tmp_path_factory.mktemp("cpu") / "without_vnni.so"
    source = Path(__file__).with_name("without_vnni.c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
    probe = python("-c", "print('runs')", preload=str(library))
    if probe.returncode == NOT_HERE:
        pytest.skip(f"this CPU's VNNI cannot be hidden: {probe.stderr.strip()}")
    assert probe.stdout == "runs\n", probe.stderr
    return str(library)


def test_ours_is_right_without_vnni_and_naive_is_not(
    files: Files, without_vnni: str, tmp_path: Path
) -> None:
    """The same process measures both: where naive is wrong, saturation is really at work."""
    np.save(tmp_path / "images.npy", files.images)
    (tmp_path / "answer.py").write_text(ANSWER)
    ran = python(
        tmp_path / "answer.py",
        tmp_path / "images.npy",
        files.ours,
        files.naive,
        preload=without_vnni,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["naive"]["quanta"] > 2
    assert found["naive"]["changed"] > 0
    assert found["ours"]["quanta"] <= 2
    assert found["ours"]["changed"] == 0
