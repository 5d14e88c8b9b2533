"""Arrays in, numbers out: accuracy and its interval, confusion, agreement, calibration."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.types import Labels

Floats = NDArray[np.floating[Any]]

_Z95 = 1.959963984540054  # the 97.5 % quantile of the normal distribution


_MOST_ANSWERS = 10**9  # more than any test split has; beyond all floats, intervals overflow


@dataclass(frozen=True, slots=True)
class Accuracy:
    """`correct` of `total` answers."""

    correct: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.correct <= self.total <= _MOST_ANSWERS or self.total == 0:
            raise ValueError(f"{self.correct} of {self.total} is no accuracy")

    @property
    def value(self) -> float:
        """In 0..1."""
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The Wilson score interval at 95 % (Wilson 1927), in 0..1."""
        n, p, z2 = self.total, self.value, _Z95**2
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
        # Rounding must not push it past the value, or out of 0..1.
        return max(0.0, min(p, middle - half)), min(1.0, max(p, middle + half))

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the value in 0..1, its interval, and the counts behind it."""
        return {"value": self.value, "interval95": list(self.interval), **asdict(self)}


def accuracy(answers: Labels, labels: Labels) -> Accuracy:
    """How many of the answers, int64 (N,), are the labels."""
    return Accuracy(int((answers == labels).sum()), len(labels))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two answers to the same questions: `better` + `worse` + `wrong_in_both` = `changed`, of
    `total`.

    `better` became right, `worse` became wrong. `p` is McNemar's exact two-sided p: how often a
    coin would split better and worse at least this unevenly (McNemar 1947, exact binomial form).
    """

    changed: int
    better: int
    worse: int
    total: int

    @property
    def wrong_in_both(self) -> int:
        """Changed from one wrong answer to another."""
        return self.changed - self.better - self.worse

    @property
    def p(self) -> float:
        n, k = self.better + self.worse, min(self.better, self.worse)
        tail = sum(math.comb(n, i) for i in range(k + 1))
        doubled: float = 2 * tail / 2**n
        return min(1.0, doubled)

    @property
    def is_chance(self) -> bool:
        """Whether a coin may well have split better and worse so: p of 0.05 or more."""
        return self.p >= 0.05

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the counts and p."""
        return asdict(self) | {"mcnemar_p": self.p}


def agreement(before: Labels, after: Labels, labels: Labels) -> Agreement:
    """How `after` differs from `before`, both int64 (N,), in the light of the labels."""
    was, now = before == labels, after == labels
    return Agreement(
        changed=int((before != after).sum()),
        better=int((~was & now).sum()),
        worse=int((was & ~now).sum()),
        total=len(labels),
    )


@dataclass(frozen=True, slots=True)
class Shift:
    """How far probabilities moved, |Δp| in 0..1: the mean over images and classes, and the most."""

    mean: float
    most: float


def shift(before: NDArray[np.float32], after: NDArray[np.float32]) -> Shift:
    """How far the probabilities of the logits `after` lie from those of `before`, both (N, C)."""
    distance = np.abs(softmax(after) - softmax(before))
    return Shift(float(distance.mean(dtype=np.float64)), float(distance.max()))


def differences(
    before: NDArray[np.float32], after: NDArray[np.float32], labels: Labels
) -> tuple[Accuracy, Accuracy, Agreement, Shift]:
    """Two models' logits (N, C) of the same images: how accurate each is, which answers changed,
    and how far the probabilities moved."""
    old, new = before.argmax(axis=1), after.argmax(axis=1)
    changed = agreement(old, new, labels)
    return accuracy(old, labels), accuracy(new, labels), changed, shift(before, after)


def confusion(answers: Labels, labels: Labels, classes: int) -> NDArray[np.int64]:
    """Counts, int64 (classes, classes): row = the label, column = the answer."""
    flat = np.bincount(labels * classes + answers, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def misread(probabilities: NDArray[np.float32], labels: Labels) -> NDArray[np.intp]:
    """The places of the images whose most probable class is not their label, those that were read
    with most confidence first. Probabilities (N, classes), labels int64 (N,)."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities.max(axis=1)[wrong], kind="stable")]


@dataclass(frozen=True, slots=True)
class Means:
    """Precision, recall and F1 averaged over the classes, each in 0..1."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class PerClass:
    """Each float64 (classes,), in 0..1, and 0 where it is undefined; `support` is a count."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]

    @property
    def macro(self) -> Means:
        """Every class counts the same, also one without support."""
        return self._means(None)

    @property
    def weighted(self) -> Means:
        """Every class counts by its support. ZeroDivisionError where no class has any."""
        return self._means(self.support)

    def _means(self, weights: NDArray[np.int64] | None) -> Means:
        columns = (self.precision, self.recall, self.f1)
        return Means(*(float(np.average(column, weights=weights)) for column in columns))


def per_class(counts: NDArray[np.int64]) -> PerClass:
    """Precision, recall and F1 of every class, from a confusion matrix."""
    right = np.diag(counts).astype(np.float64)
    answered, support = counts.sum(axis=0), counts.sum(axis=1)

    def ratio(part: NDArray[np.float64], whole: NDArray[Any]) -> NDArray[np.float64]:
        quotient: NDArray[np.float64] = np.zeros_like(part)
        np.divide(part, whole, out=quotient, where=whole > 0)
        return quotient

    return PerClass(
        precision=ratio(right, answered),
        recall=ratio(right, support),
        f1=ratio(2 * right, answered + support),
        support=support,
    )


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities (N, C) of logits (N, C), without overflow."""
    with np.errstate(invalid="ignore"):  # of what is no number, neither are the probabilities
        powers: NDArray[np.float32] = np.exp(logits - logits.max(axis=1, keepdims=True))
        powers /= powers.sum(axis=1, keepdims=True)
    return powers


def cross_entropy(logits: Floats, labels: Labels, smoothing: float = 0.0) -> float:
    """The mean negative log-likelihood of the labels, in nats.

    `smoothing` is the probability that a label's target shares out among the other classes.
    """
    shifted = logits.astype(np.float64)
    shifted = shifted - shifted.max(axis=1, keepdims=True)
    normaliser = np.log(np.exp(shifted).sum(axis=1))
    own = shifted[np.arange(len(labels)), labels]
    others = (shifted.sum(axis=1) - own) / max(1, shifted.shape[1] - 1)
    return float((normaliser - (1 - smoothing) * own - smoothing * others).mean())


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """The T that minimises the cross-entropy of logits / T (Guo et al. 2017, arXiv 1706.04599).

    Golden-section search over log T in 0.05..20; the function is unimodal there. The targets are
    1 - 1 / (N + 2), as in Platt 1999: without that, a small set that is answered without a
    mistake would ask for boundless confidence.
    """
    smoothing = 1 / (len(labels) + 2)
    golden = (math.sqrt(5) - 1) / 2
    low, high = math.log(0.05), math.log(20.0)
    while high - low > 1e-5:
        left, right = high - golden * (high - low), low + golden * (high - low)
        left_loss = cross_entropy(logits / math.exp(left), labels, smoothing)
        right_loss = cross_entropy(logits / math.exp(right), labels, smoothing)
        low, high = (low, right) if left_loss <= right_loss else (left, high)
    return math.exp((low + high) / 2)


def expected_calibration_error(probabilities: Floats, labels: Labels, bins: int = 15) -> float:
    """The mean gap between confidence and accuracy over equal bins (Guo et al. 2017), 0..1."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(place, weights=confidence - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where an answer counts as sure: with a top probability of `value` (0..1) or more.

    Of `total` validation images, `accepted` were answered so surely, and `right` of them rightly.
    """

    value: float
    accepted: int
    right: int
    total: int

    def __post_init__(self) -> None:
        counts = 0 <= self.right <= self.accepted <= self.total and self.accepted > 0
        if not (0 < self.value <= 1 and counts):
            raise ValueError(f"{self} is no threshold")


def fit_threshold(
    logits: NDArray[np.float32], labels: Labels, share: float = 0.999
) -> Threshold | None:
    """The smallest top probability P at which at least `share` of the accepted answers are right.

    Accepted are the answers whose top probability is P or more; only values that occur are tried,
    so that equal ones are accepted together, and answers less sure than any that was seen never
    are. If all answers are right, P is the least sure one's. None where no P will do.
    """
    probabilities = softmax(logits)
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    order = np.argsort(-top, kind="stable")
    top, good = top[order], np.cumsum(right[order])
    accepted = np.arange(1, len(top) + 1)
    last_of_equals = np.append(top[1:] != top[:-1], True)
    # Counted in wrong answers: 999 of 1,000 must be 99.9 %, whatever floats make of it.
    enough = accepted - good <= np.round(accepted * (1 - share), 9)
    fitting = np.flatnonzero(last_of_equals & enough)
    if not len(fitting):
        return None
    at = fitting[-1]
    return Threshold(float(top[at]), int(accepted[at]), int(good[at]), len(labels))
