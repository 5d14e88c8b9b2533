"""Files that are no ONNX files are called what they are."""

import gzip
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from mnist_edge.errors import ModelError
from mnist_edge.model_file import foreign_formats
from mnist_edge.model_file.reader import ModelFile
from tests.conftest import write_tiny_model

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 26143\n"


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in names:
            made.writestr(name, "x" * 40)
    return buffer.getvalue()


def arrays() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, w=np.zeros(3))
    return buffer.getvalue()


def safetensors() -> bytes:
    head = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return len(head).to_bytes(8, "little") + head + bytes(8)


FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "lfs": (lambda: POINTER, r"a Git LFS pointer, .*git lfs pull"),
    "tflite": (lambda: b"\x1c\0\0\0TFL3" + bytes(90), r"a TensorFlow Lite model: convert it"),
    "ort": (lambda: b"\x1c\0\0\0ORTM" + bytes(90), r"ONNX Runtime's own format"),
    "h5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(90), r"an HDF5 file, as Keras writes"),
    "pt": (lambda: archive("net/data.pkl", "net/version"), r"a file of PyTorch .*onnx\.export"),
    "keras": (lambda: archive("metadata.json", "model.weights.h5"), r"a Keras model"),
    "npz": (arrays, r"NumPy arrays"),
    "zip": (lambda: archive("model.onnx"), r"a ZIP archive: unpack it"),
    "old pt": (lambda: pickle.dumps({"w": 1}, protocol=2), r"a pickle of Python"),
    "safetensors": (safetensors, r"weights without a graph"),
    "gz": (lambda: gzip.compress(b"onnx"), r"gzip: unpack it"),
    "page": (lambda: b"\n<!DOCTYPE html><html>404", r"a web page, not the file itself"),
    "xml": (lambda: b'<?xml version="1.0"?><net>', r"XML, as OpenVINO"),
    "json": (lambda: b'{"message": "not found"}', r"JSON$"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_other_tools_are_named(tmp_path: Path, name: str) -> None:
    make, told = FILES[name]
    path = tmp_path / "model.onnx"
    path.write_bytes(make())
    with pytest.raises(
        ModelError, match=rf"model\.onnx is not an ONNX file: it is .*{told}"
    ) as got:
        ModelFile.read(path)
    assert "\n" not in str(got.value)


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x08", b"\x00" * 40, b"\xff" * 9])
def test_what_nobody_knows_stays_damaged(tmp_path: Path, content: bytes) -> None:
    assert foreign_formats.identify(content) is None
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is not an ONNX file, or a damaged one: "):
        ModelFile.read(path)


def test_an_onnx_file_is_not_asked(tmp_path: Path) -> None:
    """Its first bytes are whatever the tool that wrote it is called, and may be anything's."""
    path = write_tiny_model(tmp_path / "tiny.onnx")
    assert foreign_formats.identify(path.read_bytes()) is None
    assert ModelFile.read(path).graph.nodes


def test_a_file_that_onnx_runtime_optimized_for_a_cpu_is_called_that(tmp_path: Path) -> None:
    """Its operators are ONNX Runtime's own, but of some CPUs only."""
    path = write_tiny_model(tmp_path / "tiny.onnx")
    model = onnx.load(path)
    model.graph.node[-1].domain = "com.microsoft.nchwc"
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft.nchwc", 1))
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"optimized by ONNX Runtime for one kind of CPU: give "):
        ModelFile.read(path)
