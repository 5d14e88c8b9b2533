import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from mnist_edge.backends import OnnxRuntime, answer
from mnist_edge.backends.detect_input import detect_input_format
from mnist_edge.backends.input_format import read
from mnist_edge.backends.model_info import ModelInfo
from mnist_edge.backends.openvino import OpenVino
from mnist_edge.errors import ModelError
from mnist_edge.model_file.reader import ModelFile
from tests.backends.conftest import SHIPPED
from tests.backends.foreign import Shape, examples, greys, write
from tests.backends.test_input_format import LAYOUTS

pytestmark = pytest.mark.skipif(
    OpenVino.unavailable_reason() is not None, reason=str(OpenVino.unavailable_reason())
)

# Runs a file in OpenVINO, and tells what it did besides: processes, sockets, files at home.
_WATCHED = """
import os, sys
seen = []
watched = ("socket.", "os.fork", "subprocess.", "os.posix_spawn")
sys.addaudithook(lambda event, args: seen.append(event) if event.startswith(watched) else None)
from pathlib import Path
from mnist_edge.backends import OnnxRuntime
from mnist_edge.backends.openvino import OpenVino
OpenVino.of(OnnxRuntime.open(Path(sys.argv[1]))).load(1)
print(seen, os.listdir(os.environ["HOME"]), sys.modules["openvino"].__name__)
"""


def foreign(path: Path) -> OnnxRuntime:
    input_format = detect_input_format(path, read(path), examples)
    info = ModelInfo.of_foreign(path, "mnist", input_format.classes)
    return OnnxRuntime(ModelFile.read(path), info, input_format)


@pytest.mark.parametrize("count", [1, 8, 11])
@pytest.mark.parametrize(("shape", "output"), LAYOUTS)
def test_every_layout_is_fed_and_answers(
    tmp_path: Path, shape: Shape, output: Shape, count: int
) -> None:
    file = foreign(write(tmp_path / "foreign.onnx", shape, output=output))
    images = greys(count).images
    expected, found = answer(file.load(1), images), answer(OpenVino.of(file).load(1), images)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=0.05)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float64"])
def test_every_type_is_fed_and_answers(tmp_path: Path, dtype: str) -> None:
    file = foreign(write(tmp_path / "foreign.onnx", dtype=dtype, output_dtype="float64"))
    images = greys(12).images
    found = answer(OpenVino.of(file).load(1), images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, answer(file.load(1), images), rtol=1e-3, atol=0.05)


def test_int8_files_run_too() -> None:
    found = OpenVino.of(OnnxRuntime.open(SHIPPED / "edge-xs-int8.onnx"))
    assert (found.runtime, found.info.precision) == ("openvino", "int8")


def test_what_it_cannot_run_is_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "foreign.onnx")
    model = onnx.load(path)  # ONNX Runtime has this operator, and OpenVINO lacks it
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    (node,) = [node for node in model.graph.node if node.op_type == "Add"]
    scaler = helper.make_node(
        "Scaler", ["product"], ["sum"], domain="ai.onnx.ml", offset=[0.0], scale=[1.0]
    )
    node.CopyFrom(scaler)
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"foreign\.onnx cannot be run by OpenVINO: .") as caught:
        OpenVino.of(foreign(path)).load(1)
    assert "\n" not in str(caught.value)


def test_it_stays_silent(tmp_path: Path) -> None:
    """On its own, `import openvino` starts a process that reports to Google Analytics."""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, SHIPPED / "edge-xs.onnx"],
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("[] [] openvino\n", 0), done.stderr
