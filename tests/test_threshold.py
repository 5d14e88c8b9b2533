"""Where an answer is sure: `metrics.fit_threshold`."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge.metrics import Threshold, fit_threshold, softmax


def answers(tops: list[float], right: list[bool]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits of two classes whose top probabilities are these, and labels that make them right."""
    logits = np.array([[np.log(top / (1 - top)), 0] for top in tops], np.float32)
    return logits, np.array([0 if good else 1 for good in right])


def brute(logits: NDArray[np.float32], labels: NDArray[np.int64], share: float) -> float | None:
    """By trying every value."""
    top, right = softmax(logits).max(axis=1), logits.argmax(axis=1) == labels
    fitting = [p for p in np.unique(top) if right[top >= p].sum() >= share * (top >= p).sum()]
    return float(min(fitting)) if fitting else None


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_smallest_value_that_will_do(seed: int) -> None:
    random = np.random.default_rng(seed)
    logits = np.round(random.normal(0, 3, (300, 4)), 1).astype(np.float32)
    labels = logits.argmax(axis=1)
    wrong = random.random(300) < random.uniform(0, 0.3)
    labels[wrong] = (labels[wrong] + 1) % 4
    for share in (0.5, 0.9, 0.99):
        found, expected = fit_threshold(logits, labels, share), brute(logits, labels, share)
        assert (found.value if found else None) == expected
        if found:
            accepted = softmax(logits).max(axis=1) >= found.value
            assert found.accepted == accepted.sum()
            assert found.right == (logits.argmax(axis=1) == labels)[accepted].sum()
            assert found.total == 300


def test_if_all_are_right_all_are_accepted_and_nothing_less_sure() -> None:
    logits, labels = answers([0.99, 0.6, 0.8], [True] * 3)
    found = fit_threshold(logits, labels)
    assert found == Threshold(float(softmax(logits).max(axis=1).min()), 3, 3, 3)


def test_equals_are_accepted_together() -> None:
    logits, labels = answers([0.9, 0.8, 0.8, 0.8], [True, True, False, True])
    found = fit_threshold(logits, labels, 0.9)
    assert found
    assert (found.accepted, found.right) == (1, 1)


def test_a_wrong_answer_among_many_right_ones_is_allowed() -> None:
    tops = [0.99] * 999 + [0.95]
    found = fit_threshold(*answers(tops, [True] * 999 + [False]), 0.999)
    assert found
    assert (found.accepted, found.right) == (1000, 999)
    tighter = fit_threshold(*answers(tops[1:], [True] * 998 + [False]), 0.999)
    assert tighter
    assert (tighter.accepted, tighter.right) == (998, 998)


def test_a_sure_mistake_may_be_made_good_by_what_follows() -> None:
    found = fit_threshold(*answers([0.99] + [0.9] * 9, [False] + [True] * 9), 0.9)
    assert found
    assert (found.accepted, found.right) == (10, 9)


def test_where_nothing_is_sure_there_is_none() -> None:
    assert fit_threshold(*answers([0.9, 0.8], [False, False])) is None


def test_values_that_are_no_threshold_are_refused() -> None:
    for values in ((0.0, 1, 1, 1), (1.1, 1, 1, 1), (0.5, 0, 0, 1), (0.5, 2, 1, 1), (0.5, 1, 2, 2)):
        with pytest.raises(ValueError, match="no threshold"):
            Threshold(*values)
