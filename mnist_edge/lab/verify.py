"""The gate: is the exported file still the original?"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_edge import metrics
from mnist_edge.classifier import Classifier
from mnist_edge.datasets import Split
from mnist_edge.errors import GateError
from mnist_edge.metrics import Accuracy, Agreement

# A correct fp32 export differs by rounding alone, about 1e-5 of a logit. This is the most that is
# let through, relative to the largest logit: networks with large logits round more coarsely.
_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Verification:
    """A file against its original, on every image of the test split."""

    original: Accuracy
    exported: Accuracy
    agreement: Agreement
    max_logit_difference: float
    largest_logit: float


def compare(original: NDArray[np.float32], file: Path, test: Split) -> Verification:
    """Let a file answer the whole test split, and compare with the original's logits (N, C).

    It answers in batches of many and one by one: both must work. ModelError when it will not
    open.
    """
    model = Classifier(file)
    chunks = [test.images[at : at + 500] for at in range(0, len(test), 500)]
    exported = np.concatenate([model.logits(images) for images in chunks])
    alone = np.concatenate(
        [model.logits(test.images[at : at + 1]) for at in range(min(8, len(test)))]
    )
    differences = [np.abs(exported - original).max(), np.abs(alone - original[: len(alone)]).max()]
    before, after = original.argmax(axis=1), exported.argmax(axis=1)
    return Verification(
        original=metrics.accuracy(before, test.labels),
        exported=metrics.accuracy(after, test.labels),
        agreement=metrics.agreement(before, after, test.labels),
        max_logit_difference=float(np.max(differences)),  # unlike max(), it keeps a NaN
        largest_logit=float(np.abs(original).max()),
    )


def check_equal(verification: Verification, file: str) -> None:
    """GateError unless the file computes the same: no answer changed, logits equal to rounding."""
    limit = _TOLERANCE * max(1.0, verification.largest_logit)
    changed = verification.agreement.changed
    # Written so that a NaN, which compares as false, does not pass.
    if changed or not verification.max_logit_difference <= limit:
        raise GateError(
            f"{file} does not compute what its original computes: {changed} of "
            f"{verification.agreement.total:,} answers changed, max |Δlogit| "
            f"{verification.max_logit_difference:.2g} (limit {limit:.2g}). Nothing was written"
        )
