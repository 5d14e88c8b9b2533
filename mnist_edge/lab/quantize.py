"""An fp32 file of ours -> an int8 file that honours the contract, checked before it is in place."""

import hashlib
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from mnist_edge.classifier import read_card
from mnist_edge.contract import Card
from mnist_edge.datasets import Dataset
from mnist_edge.errors import EdgeError, ModelError, UsageError
from mnist_edge.lab.layout import is_ours
from mnist_edge.lab.qdq import METHODS, Quantizer, check_layers
from mnist_edge.lab.shelf import Draft, described
from mnist_edge.lab.verify import (
    Answers,
    Gate,
    check_drop,
    check_portable,
    compare,
    portability,
)

_IMAGES = 512


@dataclass(frozen=True, slots=True)
class Plan:
    """How to quantize.

    `images` training images, drawn with `seed`, calibrate; None means 512, or all of a smaller
    set. `keep_float` names layers that stay fp32. `max_drop` is in percentage points.
    """

    method: str = "minmax"
    images: int | None = None
    seed: int = 0
    keep_float: tuple[str, ...] = ()
    max_drop: float = 0.10

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(
                f"there is no calibration '{self.method}': choose one of {', '.join(METHODS)}"
            )
        if self.images is not None and self.images < 1:
            raise UsageError(f"{self.images} images cannot calibrate: 512 are usual")
        if not 0 <= self.max_drop <= 100:
            raise UsageError(f"--max-drop is in percentage points, 0 to 100, not {self.max_drop}")


@dataclass(frozen=True, slots=True)
class Source:
    """An fp32 file to quantize: its name, its graph, its card, and the SHA-256 of its bytes.

    `logits` (N, C) are its answers to the test split, None where it was not asked yet.
    """

    name: str
    model: onnx.ModelProto
    card: Card
    sha256: str
    logits: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, draft: Draft) -> "Source":
        model = onnx.load_model_from_string(draft.content)
        return cls(draft.name, model, draft.card, draft.sha256, draft.logits)


def open_source(path: Path) -> Source:
    """An fp32 file of ours. ModelError for a file that is not, or is int8 already."""
    card = read_card(path)
    content = path.read_bytes()
    model = onnx.load_model_from_string(content)
    quantized = any(node.op_type == "DequantizeLinear" for node in model.graph.node)
    if card.precision != "fp32" or quantized:
        raise ModelError(f"{path} is quantized already: name the fp32 file that it was made from")
    return Source(str(path), model, card, hashlib.sha256(content).hexdigest())


def check_plan(source: Source, data: Dataset, plan: Plan) -> None:
    """EdgeError for whatever can be known to fail before any work: layers, images, the graph."""
    if not is_ours(source.model):
        raise ModelError(
            f"{source.name} was not written by 'mnist-edge export', or by another version: "
            "its graph is another. Export its run again"
        )
    check_layers(source.model, plan.keep_float)
    calibration_images(data, plan.images, plan.seed)


def calibration_images(data: Dataset, count: int | None, seed: int) -> NDArray[np.uint8]:
    """Seeded images of the training split, uint8 (count, 28, 28); never of validation or test.

    EdgeError when there are fewer than were asked for.
    """
    training = data.training
    if count is not None and count > len(training):
        raise EdgeError(
            f"the training split of {data.name} has {len(training):,} images, fewer than the "
            f"{count:,} to calibrate on: ask for fewer with --calibration-images"
        )
    order = np.random.default_rng(seed).permutation(len(training))
    return training.images[order[: count or _IMAGES]]


def draft(
    source: Source,
    data: Dataset,
    plan: Plan,
    original: NDArray[np.float32] | None,
    tuned: tuple[onnx.ModelProto, dict[str, Any]] | None = None,
) -> Draft:
    """An fp32 file in int8, that has been measured against its gate, and lies nowhere yet.

    `original` are the PyTorch network's logits of the test split, None where it is not here.
    `tuned` is the graph of a quantization-aware fine-tuning of the source, and what it did: it is
    quantized in the source's stead. Whether the file passes is for `check` to say.
    """
    check_plan(source, data, plan)
    images = calibration_images(data, plan.images, plan.seed)
    model = Quantizer(tuned[0] if tuned else source.model, images, plan.method).quantize(
        plan.keep_float
    )
    calibration: dict[str, Any] = {
        "method": plan.method,
        "images": len(images),
        "seed": plan.seed,
        "weight_bits": 7,
    }
    if plan.keep_float:
        calibration["keep_float"] = list(plan.keep_float)
    if tuned:
        calibration["finetune"] = tuned[1]
    name = f"{source.card.model}-int8.onnx"
    card = replace(
        source.card,
        precision="int8",
        source_sha256=source.sha256,
        original_sha256=source.card.checkpoint_sha256,
        calibration=calibration,
    )
    gate, answers = _measure(described(model, card), source, data, original)
    card = replace(
        card,
        accuracy=gate.verification.exported,
        golden=answers.golden,
        threshold=answers.threshold,
        confusion=answers.confusion,
    )
    return Draft(name, described(model, card), card, model.opset_import[0].version, gate)


def check(draft: Draft, plan: Plan) -> None:
    """GateError unless an int8 draft computes alike on every CPU, and lost no more than asked."""
    assert draft.gate.portability is not None  # `draft` measured it
    check_portable(draft.gate.portability, draft.name)
    check_drop(draft.gate.verification, draft.name, plan.max_drop)


def _measure(
    content: bytes, source: Source, data: Dataset, original: NDArray[np.float32] | None
) -> tuple[Gate, Answers]:
    with tempfile.TemporaryDirectory() as folder:
        int8, fp32 = Path(folder) / "int8.onnx", Path(folder) / "fp32.onnx"
        int8.write_bytes(content)
        before = source.logits
        if before is None:
            fp32.write_bytes(described(source.model, source.card))
            before = Answers.of(fp32, data.test).logits
        validation = data.validation
        after = Answers.of(int8, data.test, validation)
        gate = Gate(
            original=None if original is None else compare(original, after, data.test),
            fp32=compare(before, after, data.test),
            portability=portability(int8, data.test.images),
        )
        return gate, after
