"""What is quantized, and how: an fp32 file of ours, a plan, the images that calibrate."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from mnist_edge.classifier import read_card
from mnist_edge.datasets import Dataset
from mnist_edge.errors import EdgeError, ModelError, UsageError
from mnist_edge.lab.export.qdq import METHODS, check_source
from mnist_edge.model_file.contract import Card
from mnist_edge.model_file.reader import ModelFile

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
    """An fp32 file to quantize, its graph and its card.

    `logits` (N, C) are its answers to the test split, None where it was not asked yet.
    """

    file: ModelFile
    model: onnx.ModelProto
    card: Card
    logits: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)


def open_source(path: Path) -> Source:
    """An fp32 file of ours. ModelError for a file that is not, or is int8 already."""
    file = ModelFile.read(path)
    card, model = read_card(file), onnx.load_model_from_string(file.content)
    quantized = any(node.op_type == "DequantizeLinear" for node in model.graph.node)
    if card.precision != "fp32" or quantized:
        raise ModelError(f"{path} is quantized already: name the fp32 file that it was made from")
    return Source(file, model, card)


def calibration(source: Source, data: Dataset, plan: Plan) -> NDArray[np.uint8]:
    """The images that calibrate by a plan, uint8 (N, 28, 28).

    EdgeError for whatever can be known to fail before any work: the graph, layers, images.
    """
    check_source(source.model, source.file.path, plan.keep_float)
    return calibration_images(data, plan.images, plan.seed)


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
