"""How to quantize: a plan, and the images that calibrate by it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.datasets import Dataset
from mnist_edge.errors import EdgeError, UsageError
from mnist_edge.lab.export.qdq import METHODS

_IMAGES = 512


@dataclass(frozen=True, slots=True)
class Int8Plan:
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

    def calibration(self, images: int) -> dict[str, Any]:
        """What a file's card says of how it was quantized, on so many images."""
        values: dict[str, Any] = {"method": self.method, "images": images, "seed": self.seed}
        values["weight_bits"] = 7
        if self.keep_float:
            values["keep_float"] = list(self.keep_float)
        return values


def calibration_images(data: Dataset, count: int | None, seed: int) -> NDArray[np.uint8]:
    """Seeded images of the training split, uint8 (count, H, W) or (count, H, W, 3); never of
    validation or test.

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
