"""How input formats did on labelled images, and which of them did best.

Accuracy tells little: many networks read as many images right under any scaling. Their log-loss
does, because it is what they were trained to keep small. Some networks escape it. Where answers
are so sure that they are 0 or 1, it counts little more than mistakes, and where they were never
meant as probabilities, it means nothing: then accuracy decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mnist_edge import metrics
from mnist_edge.backends.input_format import GuessBasis, GuessVerdict, InputFormat, InputGuess

# The next best form has to have twice the log-loss of the best, or 1.25 times where it also reads
# fewer right than chance explains; and more by three standard errors. Of 18 small networks of known
# form, trained for 1,500 steps on MNIST, the one with the least loss was always the true one; the
# next had 1.16 to 9.6 times its loss.
MARGIN, _SMALL_MARGIN, _ERRORS = 2.0, 1.25, 3.0
_BY_CHANCE = 0.01  # McNemar's p below which accuracies differ
_ALIKE = 0.1  # a part of a deviation that changes hardly anything
_POOR = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class FormatScore:
    """How a form did: the log-loss of each example, float64 (N,), which were read right, bool
    (N,), and the share whose top probability is as good as 1."""

    input_format: InputFormat
    losses: NDArray[np.float64]
    right: NDArray[np.bool_]
    saturated: float

    @property
    def loss(self) -> float:
        return float(self.losses.mean())

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())


def choose_format(tried: Sequence[FormatScore]) -> InputFormat:
    """The form that did best, with what that rests on; of equally good ones, the first."""
    ranked = sorted(tried, key=lambda one: one.loss)
    most = max(tried, key=lambda one: one.accuracy)
    if _loss_misleads(ranked[0], most):
        near = [one for one in ranked if _mcnemar_p(most, one) >= _BY_CHANCE]
        ranked = near + [one for one in ranked if one not in near]
        apart, basis = len(near) == 1, GuessBasis.ACCURACY
    else:
        apart, basis = _is_clearly_better(ranked[0], ranked[1]), GuessBasis.LOG_LOSS
    return with_guess(ranked[0], ranked[1], apart, basis)


def without_alike(tried: Sequence[FormatScore]) -> list[FormatScore]:
    """Of forms whose mean and deviation hardly differ, the best."""
    return [
        one
        for one in tried
        if not any(
            _are_alike(one.input_format, other.input_format) and other.loss < one.loss
            for other in tried
        )
    ]


def _are_alike(one: InputFormat, other: InputFormat) -> bool:
    same = replace(one, scale=other.scale, mean=other.mean) == other
    return same and one.scaling.is_near(other.scaling, _ALIKE)


def _loss_misleads(best: FormatScore, most: FormatScore) -> bool:
    """Whether the log-loss, which chose `best`, is not to be believed against the accuracy, which
    speaks for `most`: even the best answers are saturated, or the softmax means nothing. Where
    only `most` is saturated, its scale is too large: that changes no answer of many networks.
    """
    saturated = best.saturated > 0.5
    return most.accuracy > best.accuracy and (saturated or _mcnemar_p(most, best) < _BY_CHANCE)


def with_guess(
    best: FormatScore, rival: FormatScore, apart: bool, basis: GuessBasis
) -> InputFormat:
    verdict = GuessVerdict.APART if apart else GuessVerdict.TIED
    made = InputGuess(
        examples=len(best.losses),
        basis=basis,
        accuracy=best.accuracy,
        loss=best.loss,
        rival=rival.input_format.form,
        rival_accuracy=rival.accuracy,
        rival_loss=rival.loss,
        verdict=GuessVerdict.POOR if best.accuracy < _POOR else verdict,
    )
    return replace(best.input_format, guess=made)


def _is_clearly_better(best: FormatScore, rival: FormatScore) -> bool:
    """Whether the log-losses of the same images differ by more than the margin, and chance."""
    more = rival.losses - best.losses
    error = float(more.std()) / np.sqrt(len(more))
    worse = rival.accuracy < best.accuracy and _mcnemar_p(best, rival) < _BY_CHANCE
    margin = _SMALL_MARGIN if worse else MARGIN
    return rival.loss >= margin * best.loss and float(more.mean()) > _ERRORS * error


def _mcnemar_p(one: FormatScore, other: FormatScore) -> float:
    """McNemar's p of the difference in what two forms read right."""
    same = np.ones(len(one.right), np.int64)
    return metrics.agreement(one.right.astype(np.int64), other.right.astype(np.int64), same).p


def plausible(tried: Sequence[FormatScore]) -> list[FormatScore]:
    """Those that may be the best: more images are asked of no others."""
    best, most = min(tried, key=lambda one: one.loss), max(tried, key=lambda one: one.accuracy)
    return [
        one
        for one in tried
        if not _is_clearly_better(best, one) or _mcnemar_p(most, one) >= _BY_CHANCE
    ]
