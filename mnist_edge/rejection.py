"""What a threshold does to images of no class, and what it costs on those of the classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge.metrics import softmax


@dataclass(frozen=True, slots=True)
class Rejection:
    """Of the test split, at a file's threshold: `rejected` of so many `outliers` (images of no
    class) are answered with less than its probability, and so are `unsure` of the `images` of the
    classes. ValueError for counts that are no parts of these."""

    rejected: int
    outliers: int
    unsure: int
    images: int

    def __post_init__(self) -> None:
        right = 0 <= self.rejected <= self.outliers > 0 and 0 <= self.unsure <= self.images > 0
        if not right:
            raise ValueError(f"{self} is no rejection")


def count_rejected(
    outliers: NDArray[np.float32], images: NDArray[np.float32], threshold: float
) -> Rejection | None:
    """By the logits (N, C) of both; None where there are none of either."""
    if not len(outliers) or not len(images):
        return None
    rejected, unsure = (
        int((softmax(logits).max(axis=1) < threshold).sum()) for logits in (outliers, images)
    )
    return Rejection(rejected, len(outliers), unsure, len(images))
