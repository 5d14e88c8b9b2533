import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from scipy.stats import binomtest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
)

from mnist_edge import metrics
from mnist_edge.metrics import Accuracy, Agreement, Shift

CLASSES = 7


def random_answers(seed: int, count: int = 500) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Answers and labels over 7 classes; class 5 is never answered, class 6 never occurs."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 6, count)
    answers = np.where(random.random(count) < 0.6, labels, random.integers(0, CLASSES, count))
    answers[answers == 5] = 0
    return answers, labels


def random_logits(
    seed: int, count: int = 400, scale: float = 1.0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits that know their labels more or less."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    logits = random.normal(0, 1.5, (count, CLASSES))
    logits[np.arange(count), labels] += 2
    return (logits * scale).astype(np.float32), labels


@pytest.mark.parametrize(
    ("correct", "total"),
    [(0, 1), (1, 1), (0, 10), (10, 10), (5, 10), (9965, 10000), (1, 10000), (59999, 60000)],
)
def test_interval_is_wilsons(correct: int, total: int) -> None:
    expected = binomtest(correct, total).proportion_ci(0.95, method="wilson")
    assert Accuracy(correct, total).interval == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(("correct", "total"), [(0, 3), (3, 3), (0, 10**6), (10**6, 10**6)])
def test_interval_stays_within_0_and_1(correct: int, total: int) -> None:
    low, high = Accuracy(correct, total).interval
    assert 0 <= low <= correct / total <= high <= 1


@pytest.mark.parametrize(("correct", "total"), [(-1, 5), (6, 5), (0, 0)])
def test_an_impossible_accuracy_is_refused(correct: int, total: int) -> None:
    with pytest.raises(ValueError, match=f"{correct} of {total}"):
        Accuracy(correct, total)


def test_accuracy_is_that_of_sklearn() -> None:
    answers, labels = random_answers(0)
    found = metrics.accuracy(answers, labels)
    assert found.total == len(labels)
    assert found.value == pytest.approx(accuracy_score(labels, answers))


@pytest.mark.parametrize(
    ("better", "worse"),
    [(0, 0), (1, 0), (0, 1), (3, 3), (5, 11), (40, 12), (1000, 1100), (2500, 2500), (0, 4000)],
)
def test_p_is_that_of_the_exact_binomial_test(better: int, worse: int) -> None:
    p = Agreement(better + worse, better, worse, 10000).p
    n = better + worse
    assert p == pytest.approx(binomtest(better, n).pvalue if n else 1.0, rel=1e-9)


def test_p_does_not_care_which_of_the_two_came_first() -> None:
    assert Agreement(30, 20, 5, 100).p == Agreement(30, 5, 20, 100).p


def test_agreement_counts_better_worse_and_merely_different() -> None:
    labels = np.array([0, 0, 0, 0, 0])
    before = np.array([0, 1, 0, 1, 1])
    after = np.array([0, 0, 2, 1, 2])  # same, better, worse, same, wrong in another way
    assert metrics.agreement(before, after, labels) == Agreement(3, 1, 1, 5)


@pytest.mark.parametrize("seed", range(3))
def test_agreement_explains_the_difference_of_the_accuracies(seed: int) -> None:
    before, labels = random_answers(seed)
    after = np.where(np.random.default_rng(seed + 9).random(len(labels)) < 0.8, before, labels)
    found = metrics.agreement(before, after, labels)
    gained = metrics.accuracy(after, labels).correct - metrics.accuracy(before, labels).correct
    assert found.better - found.worse == gained
    assert found.better + found.worse <= found.changed <= found.total


def test_shift_is_what_a_hand_calculates() -> None:
    # 1/2, 1/2 -> 3/4, 1/4; and an image whose probabilities stay.
    before = np.array([[0, 0], [5, 5]], np.float32)
    after = np.array([[math.log(3), 0], [7, 7]], np.float32)
    found = metrics.shift(before, after)
    assert found.mean == pytest.approx((0.25 + 0.25 + 0 + 0) / 4)
    assert found.most == pytest.approx(0.25)


@pytest.mark.parametrize("scale", [0.1, 1.0, 1e4])
def test_shift_is_the_distance_of_scipys_softmax(scale: float) -> None:
    before, after = (random_logits(seed, scale=scale)[0] for seed in (7, 8))
    distance = np.abs(softmax(before, axis=1) - softmax(after, axis=1))
    found = metrics.shift(before, after)
    assert found.mean == pytest.approx(distance.mean(), rel=1e-5)
    assert found.most == pytest.approx(distance.max(), rel=1e-5)
    assert metrics.shift(after, before) == found
    assert metrics.shift(before, before) == Shift(0.0, 0.0)


def test_shift_ignores_what_does_not_change_a_probability() -> None:
    logits, _ = random_logits(9)
    found = metrics.shift(logits, logits + np.float32(16))
    assert found.most < 1e-5


@pytest.mark.parametrize("seed", range(3))
def test_confusion_is_that_of_sklearn(seed: int) -> None:
    answers, labels = random_answers(seed)
    counts = metrics.confusion(answers, labels, CLASSES)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(
        counts, confusion_matrix(labels, answers, labels=np.arange(CLASSES))
    )


@pytest.mark.parametrize("seed", range(3))
def test_per_class_is_that_of_sklearn_with_0_where_undefined(seed: int) -> None:
    answers, labels = random_answers(seed)
    found = metrics.per_class(metrics.confusion(answers, labels, CLASSES))
    expected = precision_recall_fscore_support(
        labels, answers, labels=np.arange(CLASSES), zero_division=0
    )
    for ours, theirs in zip(
        (found.precision, found.recall, found.f1, found.support), expected, strict=True
    ):
        np.testing.assert_allclose(ours, theirs)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_means_over_the_classes_are_those_of_sklearn(seed: int, average: str) -> None:
    answers, labels = random_answers(seed)
    figures = metrics.per_class(metrics.confusion(answers, labels, CLASSES))
    found = getattr(figures, average)
    expected = precision_recall_fscore_support(
        labels, answers, labels=np.arange(CLASSES), zero_division=0, average=average
    )
    assert (found.precision, found.recall, found.f1) == pytest.approx(expected[:3])


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
def test_softmax_is_that_of_torch_and_does_not_overflow(scale: float) -> None:
    logits, _ = random_logits(0, scale=scale)
    found = metrics.softmax(logits)
    assert found.dtype == np.float32
    expected = torch.softmax(torch.from_numpy(logits), 1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_softmax_leaves_the_logits_as_they_were() -> None:
    logits, _ = random_logits(0)
    before = logits.copy()
    metrics.softmax(logits)
    np.testing.assert_array_equal(logits, before)


def test_softmax_of_no_image_is_empty() -> None:
    assert metrics.softmax(np.empty((0, 10), np.float32)).shape == (0, 10)


def test_cross_entropy_is_that_of_sklearn() -> None:
    logits, labels = random_logits(1)
    wide = logits.astype(np.float64)
    powers = np.exp(wide)
    expected = log_loss(labels, powers / powers.sum(1, keepdims=True), labels=np.arange(CLASSES))
    assert metrics.cross_entropy(wide, labels) == pytest.approx(expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.01, 0.3])
def test_smoothed_cross_entropy_is_that_of_torch(smoothing: float) -> None:
    logits, labels = random_logits(2)
    expected = F.cross_entropy(
        torch.from_numpy(logits).double(),
        torch.from_numpy(labels),
        label_smoothing=smoothing * CLASSES / (CLASSES - 1),  # torch's share goes to all classes
    )
    assert metrics.cross_entropy(logits, labels, smoothing) == pytest.approx(expected.item())


def test_cross_entropy_of_huge_logits_is_finite() -> None:
    logits, labels = random_logits(3, scale=1e30)
    assert math.isfinite(metrics.cross_entropy(logits, labels))


@pytest.mark.parametrize("scale", [0.2, 1.0, 6.0])
def test_the_temperature_is_where_scipy_finds_the_minimum(scale: float) -> None:
    logits, labels = random_logits(4, scale=scale)
    wide, targets = torch.from_numpy(logits).double(), torch.from_numpy(labels)
    platt = 1 / (len(labels) + 2) * CLASSES / (CLASSES - 1)

    def loss(log_temperature: float) -> float:
        divided = wide / math.exp(log_temperature)
        return F.cross_entropy(divided, targets, label_smoothing=platt).item()

    best = minimize_scalar(loss, bounds=(math.log(0.05), math.log(20)), method="bounded")
    assert metrics.fit_temperature(logits, labels) == pytest.approx(math.exp(best.x), rel=1e-3)


def test_overconfident_logits_get_a_proportional_temperature() -> None:
    logits, labels = random_logits(5)
    plain = metrics.fit_temperature(logits, labels)
    assert metrics.fit_temperature(logits * 3, labels) == pytest.approx(3 * plain, rel=1e-3)


def test_a_faultless_small_set_asks_for_no_boundless_confidence() -> None:
    labels = np.arange(50) % CLASSES
    logits = np.eye(CLASSES, dtype=np.float32)[labels] * 10
    temperature = metrics.fit_temperature(logits, labels)
    assert temperature > 0.06  # the search ends at 0.05
    assert 0.9 < metrics.softmax(logits / np.float32(temperature)).max() < 1 - 1 / 200


def slow_calibration_error(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], bins: int
) -> float:
    """The definition, one bin after the other."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    total = 0.0
    for at in range(bins):
        low, high = at / bins, (at + 1) / bins
        inside = (confidence >= low) & ((confidence < high) | (at == bins - 1))
        if inside.any():
            gap = abs(float(confidence[inside].mean()) - float(right[inside].mean()))
            total += inside.mean() * gap
    return total


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error_follows_its_definition(bins: int) -> None:
    logits, labels = random_logits(6, scale=2)
    probabilities = metrics.softmax(logits).astype(np.float64)
    assert metrics.expected_calibration_error(probabilities, labels, bins) == pytest.approx(
        slow_calibration_error(probabilities, labels, bins)
    )


def test_certain_and_right_is_calibrated_and_certain_and_wrong_is_not() -> None:
    certain = np.eye(CLASSES)
    labels = np.arange(CLASSES)
    assert metrics.expected_calibration_error(certain, labels) == 0
    assert metrics.expected_calibration_error(certain, np.roll(labels, 1)) == 1


def test_three_in_four_at_75_percent_is_calibrated() -> None:
    probabilities = np.tile([0.75, 0.25], (4, 1))
    assert metrics.expected_calibration_error(probabilities, np.array([0, 0, 0, 1])) == 0


@pytest.mark.parametrize("count", [10**9 + 1, 10**308, 10**400])
def test_more_answers_than_any_test_split_has_are_no_accuracy(count: int) -> None:
    with pytest.raises(ValueError, match="is no accuracy"):
        Accuracy(count, count)
    assert Accuracy(10**9, 10**9).interval[1] == 1.0


def test_misread_images_come_by_the_confidence_in_the_wrong_answer() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.05, 0.95]], np.float32)
    labels = np.array([0, 0, 0, 0])
    assert metrics.misread(probabilities, labels).tolist() == [3, 1, 2]
    assert metrics.misread(probabilities, probabilities.argmax(axis=1)).tolist() == []


@pytest.mark.parametrize(("worse", "chance"), [(5, True), (6, False)])
def test_a_change_is_chance_from_a_p_of_a_twentieth_on(worse: int, chance: bool) -> None:
    """Of n that are all of one kind, p is 2 / 2^n: 0.0625 for 5, 0.031 for 6."""
    found = metrics.Agreement(changed=worse, better=0, worse=worse, total=100)
    assert (found.p >= 0.05, found.is_chance) == (chance, chance)
