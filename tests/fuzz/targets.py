"""What strangers' bytes meet first, each as a function of bytes.

A target returns for what is read and for what is refused with an EdgeError; whatever else it
raises is a bug. `SEEDS` are honest inputs that a fuzzer begins with.
"""

import contextlib
import io
import json
import struct
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from mnist_edge import preprocess
from mnist_edge.benchmark import compare
from mnist_edge.classifier import Classifier
from mnist_edge.datasets import idx
from mnist_edge.errors import EdgeError
from mnist_edge.image_shape import MNIST_SHAPE, Fit, ImageShape
from mnist_edge.model_file import validate
from mnist_edge.model_file.contract import PREFIX, Card
from mnist_edge.model_file.manifest import read_manifest, recorded_latency
from mnist_edge.model_file.reader import ModelFile

Target = Callable[[bytes], None]
_MEMORY = Path("/dev/shm")  # no disk is worn by a million files
_PLACE = tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None)
_FOLDER = Path(_PLACE.name)


WAYS = (
    (MNIST_SHAPE, Fit.DIGIT),
    (ImageShape(16, 96, 3), Fit.PAD),
    (ImageShape(33, 32), Fit.CROP),
)
"""Shapes of images, and how pictures become some."""


def idx_file(content: bytes) -> None:
    """A data set's file, gzipped or not."""
    path = _FOLDER / "file"
    path.write_bytes(content)
    with contextlib.suppress(EdgeError):
        idx.parse(idx.read_bytes(path), path)


def picture(content: bytes) -> None:
    """A picture of any format, read as a digit, and for files of another shape."""
    with contextlib.suppress(EdgeError):
        pixels = preprocess.load(io.BytesIO(content)).pixels
        for shape, fit in WAYS:
            (found,) = preprocess.prepare_images([pixels], shape, fit)
            assert found.image.shape == shape.dims
            assert found.image.dtype == np.uint8


def onnx_file(content: bytes) -> None:
    """What is looked at before ONNX Runtime reads a file."""
    with contextlib.suppress(EdgeError):
        validate.check(content, Path("file.onnx"))


def opened_model(content: bytes) -> None:
    """A model file that is opened and answers. What ONNX Runtime is given means the same to
    onnx's own parser, in C++, as it meant to ours."""
    import onnx

    model = ModelFile(Path("file.onnx"), content)
    with contextlib.suppress(EdgeError):
        graph = model.graph
        same = onnx.load_from_string(content)
        assert [(one.op_type, tuple(one.input), tuple(one.output)) for one in same.graph.node] == [
            (one.op, one.inputs, one.outputs) for one in graph.nodes
        ]
        assert {one.name: tuple(one.dims) for one in same.graph.initializer} == {
            one.name: one.shape for one in graph.constants.values()
        }
        assert not any(one.data_location for one in same.graph.initializer)
        assert not same.functions
        assert {one.key: one.value for one in same.metadata_props} == graph.metadata
        opened = Classifier(model)
        answer = opened.logits(np.zeros((1, *opened.shape.dims), np.uint8))
        assert answer.dtype == np.float32
        assert answer.shape == (1, len(opened.classes))


def card(content: bytes) -> None:
    """A file's metadata: the first line is a key, the rest its value, among honest ones: of MNIST's
    form, and of a file that takes other images."""
    key, _, value = content.partition(b"\n")
    entry = {PREFIX + key.decode("utf-8", "replace"): value.decode("utf-8", "replace")}
    for honest in HONEST:
        with contextlib.suppress(EdgeError):
            found = Card.from_metadata(honest | entry)
            assert Card.from_metadata(found.to_metadata()) == found


def checkpoint(content: bytes) -> None:
    """A run's checkpoint."""
    from mnist_edge.lab.training.checkpoint import CHECKPOINT, load_checkpoint

    (_FOLDER / CHECKPOINT).write_bytes(content)
    with contextlib.suppress(EdgeError):
        load_checkpoint(_FOLDER).trained_network()


def earlier_benchmark(content: bytes) -> None:
    """The JSON of `bench --compare`, compared with itself."""
    path = _FOLDER / "before.json"
    path.write_bytes(content)
    with contextlib.suppress(EdgeError):
        record = compare.read(path, [benchmark_schema()])
        compare.changes(record, record)


def manifest(content: bytes) -> None:
    """A folder's manifest.json."""
    path = _FOLDER / "manifest.json"
    path.write_bytes(content)
    with contextlib.suppress(EdgeError):
        for name, entry in read_manifest(path).items():
            digest = entry.get("sha256") if isinstance(entry, dict) else None
            recorded_latency({name: entry}, name, str(digest))


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        idx_file,
        picture,
        onnx_file,
        opened_model,
        card,
        checkpoint,
        earlier_benchmark,
        manifest,
    )
}


def benchmark_schema() -> int:
    from mnist_edge.report import to_json

    return to_json.SCHEMA


def _honest() -> list[dict[str, str]]:
    from tests.conftest import make_card, make_color_card

    return [make_card().to_metadata(), make_color_card().to_metadata()]


HONEST = _honest()


def seeds(target: str) -> list[bytes]:
    """Honest inputs of a target."""
    return _SEEDS[target]()


def _idx_seeds() -> list[bytes]:
    labels = struct.pack(">HBBI", 0, 8, 1, 3) + b"\1\2\3"
    images = struct.pack(">HBBIII", 0, 8, 3, 1, 2, 2) + b"abcd"
    packer = zlib.compressobj(wbits=31)
    return [labels, images, packer.compress(images) + packer.flush()]


def _picture_seeds() -> list[bytes]:
    found = []
    digit = np.zeros((28, 28), np.uint8)
    digit[5:23, 12:16] = 255
    colors = np.zeros((30, 41, 3), np.uint8)
    colors[5:23, 12:16] = 250, 120, 10
    for kind in ("PNG", "JPEG", "WEBP"):
        file = io.BytesIO()
        Image.fromarray(colors).save(file, kind)
        found.append(file.getvalue())
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "ICO", "TGA", "PCX", "SGI"):
        file = io.BytesIO()
        Image.fromarray(digit).save(file, kind)
        found.append(file.getvalue())
    return found


def _onnx_seeds() -> list[bytes]:
    from tests.conftest import write_tiny_model

    return [write_tiny_model(_FOLDER / "tiny.onnx").read_bytes()[-3000:], *_small_onnx()]


def _model_seeds() -> list[bytes]:
    """Our smallest, one that is smaller yet, and one that takes images in colour."""
    from tests.conftest import make_color_card, write_tiny_model
    from tests.model_file.bombs import averaging

    shipped = Path(__file__).parents[2] / "exported" / "edge-xs-int8.onnx"
    card = make_color_card(shape=ImageShape(16, 17, 3))
    in_color = write_tiny_model(_FOLDER / "color.onnx", card)
    return [shipped.read_bytes(), averaging(), in_color.read_bytes()]


def _small_onnx() -> list[bytes]:
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1])]
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])], "g", values, [], [tensor]
    )
    outer = helper.make_graph([helper.make_node("Relu", ["x"], ["z"])], "o", values, values)
    return [helper.make_model(one).SerializeToString() for one in (graph, outer)]


def _card_seeds() -> list[bytes]:
    return [
        key.removeprefix(PREFIX).encode() + b"\n" + value.encode()
        for honest in HONEST
        for key, value in honest.items()
    ]


def _checkpoint_seeds() -> list[bytes]:
    import torch

    from mnist_edge.lab.training.models import build
    from mnist_edge.lab.training.recipe import Recipe
    from tests.lab.conftest import told

    shape = ImageShape(18, 20, 3)
    plain, in_color = (
        build("1k3s9-1s3", 2, shape=one).state_dict() for one in (MNIST_SHAPE, shape)
    )
    digest = {"images": 2, "sha256": "0" * 64}
    splits = dict.fromkeys(("training", "validation", "test", "outliers"), digest)
    values = {
        "format": 1,
        "recipe": Recipe(model="1k3s9-1s3").as_dict(),
        "classes": ("0", "1"),
        "epochs_done": 1,
        "history": [told(1)],
        "network": plain,
        "average": plain,
        "optimizer": {},
        "trained": {},
        "result": {"split": "test", "correct": 1, "total": 2},
    }
    color = {
        "network": in_color,
        "average": in_color,
        "shape": asdict(shape),
        "fit": "crop",
        "fingerprint": {**splits, "coloured": 0},
    }
    found = []
    for one in (values, values | color):
        file = io.BytesIO()
        torch.save(one, file)
        found.append(file.getvalue())
    return found


def _benchmark_seeds() -> list[bytes]:
    latency_of = {"samples_us": [1.0, 2.0], "turns": [1, 1], "min_us": 1.0}
    entry = {
        "name": "a",
        "runtime": "r",
        "batches": {"1": latency_of},
        "yardstick": {"1": latency_of},
    }
    machine = {"packages": {"numpy": "2"}, "cpu": "c", "flags": [], "cores": 1}
    record = {"schema": benchmark_schema(), "machine": machine, "plan": {"threads": 1}}
    return [json.dumps(record | {"contenders": [entry]}).encode()]


def _manifest_seeds() -> list[bytes]:
    from tests.model_file.test_manifest import TIMED

    entry = {"sha256": "0" * 64, "latency": asdict(TIMED)}
    return [json.dumps({"files": {"a.onnx": entry}}).encode()]


_SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "idx_file": _idx_seeds,
    "picture": _picture_seeds,
    "onnx_file": _onnx_seeds,
    "opened_model": _model_seeds,
    "card": _card_seeds,
    "checkpoint": _checkpoint_seeds,
    "earlier_benchmark": _benchmark_seeds,
    "manifest": _manifest_seeds,
}
