"""What a classifier answers with: logits, probabilities, or a score for each class by itself."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from mnist_edge.metrics import softmax

Outputs = NDArray[np.float32]

# What no probability is below, as far as logarithms go: a float32 sigmoid ends at 6e-8 below 1.
SMALLEST_PROBABILITY = 1e-7


class OutputKind(StrEnum):
    """LOGITS stand for log-probabilities too, whose softmax are the probabilities. SCORES are
    sigmoids: each in 0..1, and their sum anything."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"
    SCORES = "scores"


def detect_kind(outputs: Outputs) -> OutputKind:
    """What outputs (N, classes) look like. Those that are no number count as logits."""
    if not (outputs.min() >= 0 and outputs.max() <= 1.001):  # so that a NaN is no share
        return OutputKind.LOGITS
    sums = outputs.sum(axis=1)
    return OutputKind.PROBABILITIES if np.abs(sums - 1).max() < 1e-3 else OutputKind.SCORES


def probabilities(outputs: Outputs, found: OutputKind) -> Outputs:
    """Outputs (N, classes) as shares that sum to 1. Of scores these are no probabilities that
    their network claims: they order the answers, and that is all."""
    if found is OutputKind.LOGITS:
        return softmax(outputs)
    if found is OutputKind.PROBABILITIES:
        return outputs
    shares: Outputs = outputs / np.maximum(outputs.sum(axis=1, keepdims=True), SMALLEST_PROBABILITY)
    return shares


def confidence(outputs: Outputs, found: OutputKind) -> NDArray[np.float32]:
    """How sure each answer is, float32 (N,): its top probability, or its top score."""
    with np.errstate(invalid="ignore", over="ignore"):
        shares = softmax(outputs) if found is OutputKind.LOGITS else outputs
        sure: NDArray[np.float32] = shares.max(axis=1)
    return sure


def log_losses(
    outputs: Outputs, labels: NDArray[np.int64], found: OutputKind
) -> NDArray[np.float64]:
    """The log-loss of each answer in nats, float64 (N,): what its network was trained to keep
    small. It is the cross-entropy of logits and probabilities, and the sum over classes of the
    binary one of scores. At most -log(SMALLEST_PROBABILITY) for each; an answer that is no
    number costs that.
    """
    rows = np.arange(len(labels))
    if found is OutputKind.SCORES:
        own = outputs.astype(np.float64)
        wrong = 1 - own
        wrong[rows, labels] = own[rows, labels]
        losses = -np.log(np.clip(wrong, SMALLEST_PROBABILITY, 1)).sum(axis=1)
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            shares = probabilities(outputs, found)[rows, labels].astype(np.float64)
        losses = -np.log(np.clip(shares, SMALLEST_PROBABILITY, 1))
    finite: NDArray[np.float64] = np.where(
        np.isfinite(losses), losses, -np.log(SMALLEST_PROBABILITY)
    )
    return finite
