"""What is concluded from figures: computed right from made-up ones, whatever they say."""

import numpy as np
import pytest

from mnist_edge.catalogue import Claim
from mnist_edge.experiment_results import ErrorCurves
from mnist_edge.lab.reproduce import step_time as paces
from mnist_edge.lab.reproduce.depth import degradation
from mnist_edge.lab.reproduce.estimate import by_part, seconds
from mnist_edge.lab.reproduce.experiments import EXPERIMENTS, Options
from mnist_edge.lab.reproduce.step_time import FULL_SIZE, Pace, Sizes, likeness, pace
from mnist_edge.lab.training.recipe import Distillation
from mnist_edge.metrics import Accuracy
from mnist_edge.seed_statistics import ClaimCheck, ClaimOutcome, Difference, Spread
from tests.lab.conftest import CPU

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


def test_an_estimate_adds_up_steps_and_answers() -> None:
    runs = EXPERIMENTS["three-block"].runs(Options(), FULL_SIZE.train)
    steady = {likeness(runs[0].recipe): Pace(0.5, 0.001, 0.0)}
    sizes = Sizes(train=1280, validation=100, test=200)
    expected = 10 * (10 * 0.5 + 100 * 0.001) + 200 * 0.001
    assert seconds(runs, {}, sizes, steady) == {"resnet3-0": pytest.approx(expected)}
    left = seconds(runs, {"resnet3-0": 4}, sizes, steady)["resnet3-0"]
    assert left == pytest.approx(6 * 5.1 + 0.2)


def test_a_teachers_answers_are_counted_once() -> None:
    runs = EXPERIMENTS["best"].runs(Options(seeds=2), FULL_SIZE.train)
    quick = {likeness(run.recipe): Pace(0.001, 0.0, 0.01) for run in runs}
    teacher = runs[0].recipe
    sums = by_part(runs, seconds(runs, {}, FULL_SIZE, quick, teacher))
    without = by_part(runs, seconds(runs, {}, FULL_SIZE, quick))
    extra = sum(sums.values()) - sum(without.values())
    images = Pace.images(runs[-1].recipe, FULL_SIZE)
    kinds = {
        (run.recipe.augmentation, run.recipe.strong_augmentation) for run in runs if run.teacher
    }
    assert extra == pytest.approx(len(kinds) * Distillation(("",)).views * images * 0.01)


def test_a_pace_is_measured_on_real_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "TRAINING_S", 0.02)
    (run, *_) = (r for r in EXPERIMENTS["best"].runs(Options(), 1000) if r.part == "edge-xs")
    measured = pace(likeness(run.recipe), 10, CPU)
    assert 0 < measured.step_s < 60
    assert 0 < measured.answer_s < measured.step_s
