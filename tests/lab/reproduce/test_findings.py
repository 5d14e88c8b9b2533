"""What is concluded from figures: computed right from made-up ones, whatever they say."""

import numpy as np
import pytest

from mnist_edge.catalogue import Claim
from mnist_edge.experiment_results import ErrorCurves
from mnist_edge.lab.reproduce.findings import degradation
from mnist_edge.metrics import Accuracy
from mnist_edge.seed_statistics import ClaimCheck, ClaimOutcome, Difference, Spread

NETWORKS = ("plain20", "plain56", "resnet20", "resnet56")


def found(*errors: float, images: int = 20_000) -> tuple[bool, bool, bool]:
    one = degradation(dict(zip(NETWORKS, errors, strict=True)), images)
    return one.plain_is_worse, one.residual_is_worse, one.shown


@pytest.mark.parametrize(
    ("errors", "plain", "residual", "shown"),
    [
        ((0.02, 0.05, 0.015, 0.012), True, False, True),
        ((0.02, 0.02, 0.015, 0.012), False, False, False),
        ((0.02, 0.05, 0.015, 0.04), True, True, False),
        ((0.05, 0.02, 0.015, 0.04), False, True, False),
        ((0.0, 0.0, 0.0, 0.0), False, False, False),
    ],
)
def test_degradation_shows_where_plain_networks_alone_have_it(
    errors: tuple[float, ...], plain: bool, residual: bool, shown: bool
) -> None:
    assert found(*errors) == (plain, residual, shown)


def test_a_difference_within_the_noise_of_few_images_is_none() -> None:
    errors = (0.020, 0.025, 0.02, 0.02)
    assert not found(*errors, images=1000)[0]
    assert found(*errors, images=20_000)[0]


def test_errors_are_what_the_history_says_was_not_right() -> None:
    history = [
        {"training_accuracy": 0.75, "test_correct": 75},
        {"training_accuracy": 1.0, "test_correct": 100},
    ]
    assert ErrorCurves.of(history, tested=100) == ErrorCurves((0.25, 0.0), (0.25, 0.0))


def test_a_spread_is_what_numpy_computes() -> None:
    values = [0.9951, 0.9960, 0.9948]
    spread = Spread.of(values)
    assert spread.mean == pytest.approx(np.mean(values))
    assert spread.deviation == pytest.approx(np.std(values, ddof=1))
    assert (spread.count, spread.low, spread.high) == (3, 0.9948, 0.9960)


def test_a_difference_says_whether_it_is_clear_of_the_seeds() -> None:
    low, high = Spread.of([0.990, 0.991, 0.992]), Spread.of([0.995, 0.996, 0.997])
    clear = Difference(high, low)
    assert clear.value == pytest.approx(0.005)
    assert clear.error == pytest.approx(np.sqrt(2 * 0.001**2 / 3))
    assert clear.clear
    wide = Spread.of([0.98, 0.99, 1.0])
    assert Difference(wide, low).clear is False
    assert Difference(Spread.of([0.99]), low).clear is None


def test_a_claim_is_held_against_the_interval_of_a_single_run() -> None:
    claim = Claim("accuracy", "99.3 %", 0.993)
    for right, outcome in (
        (9925, ClaimOutcome.REPRODUCED),
        (9890, ClaimOutcome.NOT_MET),
        (9980, ClaimOutcome.BEATEN),
    ):
        assert ClaimCheck.of(claim, [Accuracy(right, 10_000)]).outcome is outcome


def test_of_several_seeds_a_claim_is_held_against_their_span() -> None:
    claim = Claim("accuracy", "98.2 %", 0.982)
    low, high = Accuracy(9700, 10_000), Accuracy(9830, 10_000)
    assert ClaimCheck.of(claim, [low, high]).outcome is ClaimOutcome.REPRODUCED
    missed = ClaimCheck.of(claim, [low, Accuracy(9800, 10_000)])
    assert missed.outcome is ClaimOutcome.NOT_MET
    assert missed.mean == pytest.approx(0.975)
