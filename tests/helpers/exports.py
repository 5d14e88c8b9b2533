"""Networks exported once for all tests, and candidates with their gates made by hand."""

import hashlib
import tempfile
from pathlib import Path

import onnx
import torch

from mnist_edge.datasets import Dataset
from mnist_edge.image_shape import MNIST_SHAPE, ImageShape
from mnist_edge.lab.export import pipeline
from mnist_edge.lab.export.candidate import Candidate
from mnist_edge.lab.export.gate import Gate, Portability, Verification
from mnist_edge.lab.export.graph import to_onnx
from mnist_edge.lab.export.inputs import ExportInputs, open_original
from mnist_edge.lab.export.publish import PublishedFile, publish
from mnist_edge.lab.training.checkpoint import load_checkpoint
from mnist_edge.lab.training.models import Network, build
from mnist_edge.metrics import Accuracy, Agreement, Shift
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.report import model_card as card
from tests.conftest import make_card, write_tiny_model
from tests.helpers import shared
from tests.lab.conftest import settled

CALIBRATION = {"method": "minmax", "images": 512, "seed": 0, "weight_bits": 7}


def to_onnx_once(network: Network) -> onnx.ModelProto:
    """`to_onnx`, once for equal networks: it takes seconds, and gives the same every time."""
    state = [*sorted(network.state_dict().items()), ("T", network.temperature)]
    parts = [name.encode() + value.detach().numpy().tobytes() for name, value in state]
    built = repr((network, network.shape)).encode()
    key = hashlib.sha256(b"".join([built, *parts])).hexdigest()
    content = shared.bytes_once(key, lambda: to_onnx(network).SerializeToString())
    return onnx.load_model_from_string(content)


ZooCase = tuple[str, str | None, ImageShape]
"""A network's name, its shortcut, and the shape of its images."""

OTHER_SHAPES: list[ZooCase] = [
    ("edge", None, ImageShape(16, 16, 1)),
    ("edge-xs", None, ImageShape(48, 96, 3)),
    ("resnet3", None, ImageShape(32, 32, 3)),
    ("resnet8", None, ImageShape(32, 32, 3)),
    ("resnet18", None, ImageShape(48, 96, 3)),
    ("8k5s2-8s2", None, ImageShape(30, 30, 3)),  # whose rows are no whole groups of four bytes
]
"""Networks for images of other shapes than MNIST's: grey and in colour, not square, with every
stem of the zoo."""


def case_name(case: ZooCase) -> str:
    name, shortcut, shape = case
    return "-".join([name, *filter(None, [shortcut]), *map(str, shape.dims)])


def zoo_network(name: str, shortcut: str | None = None, shape: ImageShape = MNIST_SHAPE) -> Network:
    """A network of the zoo as training may leave it: settled batch norms, a temperature; and with
    another number of classes."""
    torch.manual_seed(0)
    network = settled(build(name, 7, shortcut, shape))
    network.temperature.fill_(1.7)
    return network


def exported(run: Path, out: Path, data: Dataset, force: bool = False) -> PublishedFile:
    """A finished run's fp32 file, written to `out` once it has passed the gate."""
    inputs = ExportInputs(data, open_original(run, load_checkpoint(run), data))
    made = pipeline.export(inputs, None)
    if made.refused:
        raise made.refused
    return publish(made.candidates, out, card.render, force)[0]


def verification(
    before: int = 9965, after: int = 9960, total: int = 10000, logits: float = 0.25
) -> Verification:
    """A file that answers 3 images more, and as many fewer as the counts leave."""
    worse = before - after + 3
    return Verification(
        original=Accuracy(before, total),
        exported=Accuracy(after, total),
        agreement=Agreement(worse + 5, 3, worse, total),
        shift=Shift(0.00123, 0.456),
        max_logit_difference=logits,
        largest_logit=20.0,
    )


FP32_GATE = Gate(verification(9965, 9965, logits=1e-5))
INT8_GATE = Gate(
    original=verification(9965, 9960),
    fp32=verification(9964, 9960, logits=0.75),
    portability=Portability(1000, 0, 0.011, 0.09, 128),
)


def fp32_candidate(
    name: str = "tiny.onnx", gate: Gate = FP32_GATE, seed: int = 0, **card: object
) -> Candidate:
    """A tiny model that is said to have passed its gate."""
    values: dict[str, object] = {
        "accuracy": gate.verification.exported,
        "original_accuracy": gate.verification.original,
    }
    made = make_card(**(values | card))
    with tempfile.TemporaryDirectory() as folder:
        content = write_tiny_model(Path(folder) / name, made, seed).read_bytes()
    model = onnx.load_model_from_string(content)
    return Candidate(ModelFile(Path(name), content), model, made, gate=gate)


def int8_candidate(
    name: str = "tiny-int8.onnx", gate: Gate = INT8_GATE, **card: object
) -> Candidate:
    """The int8 file of a network, as far as its card and gate are concerned."""
    values: dict[str, object] = {
        "precision": "int8",
        "source_sha256": "1" * 64,
        "original_sha256": "0" * 64,
        "calibration": CALIBRATION,
    }
    return fp32_candidate(name, gate, 1, **(values | card))
