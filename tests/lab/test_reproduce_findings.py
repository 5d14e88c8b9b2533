"""What is concluded from figures: computed right from made-up ones, whatever they say."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from mnist_edge.catalogue import Claim
from mnist_edge.lab.models import build, cost
from mnist_edge.lab.recipe import Distillation
from mnist_edge.lab.reproduce import best, curves, shortcuts
from mnist_edge.lab.reproduce import pace as paces
from mnist_edge.lab.reproduce.classics import verdict
from mnist_edge.lab.reproduce.depth import Errors, find
from mnist_edge.lab.reproduce.estimate import by_part, seconds
from mnist_edge.lab.reproduce.experiments import EXPERIMENTS, Options
from mnist_edge.lab.reproduce.pace import FULL_SIZE, Pace, Sizes, likeness, pace
from mnist_edge.lab.reproduce.spread import Difference, Spread
from mnist_edge.metrics import Accuracy
from tests.lab.conftest import CPU

NETWORKS = ("plain20", "plain56", "resnet20", "resnet56")


def found(*errors: float, images: int = 20_000) -> tuple[bool, bool, bool, str]:
    finding = find(dict(zip(NETWORKS, errors, strict=True)), images)
    return (
        finding.plain_is_worse,
        finding.residual_is_worse,
        finding.shown,
        finding.sentence,
    )


def test_degradation_that_skips_cure_is_found() -> None:
    plain, residual, shown, sentence = found(0.02, 0.05, 0.015, 0.012)
    assert (plain, residual, shown) == (True, False, True)
    assert sentence == (
        "plain56 trains worse than plain20 (training error 5.00 % against 2.00 %); resnet56 does "
        "not train worse than resnet20 (training error 1.20 % against 1.50 %): the degradation of "
        "He et al. is there, and skips cure it"
    )


@pytest.mark.parametrize(
    ("errors", "shown", "words"),
    [
        ((0.02, 0.02, 0.015, 0.012), False, "no degradation shows in this setting"),
        ((0.02, 0.05, 0.015, 0.04), False, "skips do not cure it"),
        ((0.05, 0.02, 0.015, 0.04), False, "the opposite of He et al."),
        ((0.0, 0.0, 0.0, 0.0), False, "no degradation shows in this setting"),
    ],
)
def test_what_does_not_show_is_not_claimed(
    errors: tuple[float, ...], shown: bool, words: str
) -> None:
    _, _, is_shown, sentence = found(*errors)
    assert is_shown is shown
    assert words in sentence


def test_a_difference_within_the_noise_of_few_images_is_none() -> None:
    errors = (0.020, 0.025, 0.02, 0.02)
    assert not found(*errors, images=1000)[0]
    assert found(*errors, images=20_000)[0]


def test_errors_are_what_the_history_says_was_not_right() -> None:
    history = [
        {"training_accuracy": 0.75, "test_correct": 75},
        {"training_accuracy": 1.0, "test_correct": 100},
    ]
    assert Errors.of(history, tested=100) == Errors((0.25, 0.0), (0.25, 0.0))


@pytest.mark.parametrize("names", [NETWORKS, ("plain20",), ("resnet56", "resnet20")])
def test_curves_are_drawn_of_what_there_is(names: tuple[str, ...]) -> None:
    errors = {name: Errors((0.5, 0.1, 0.0), (0.4, 0.2, 0.01)) for name in names}
    with Image.open(io.BytesIO(curves.draw(errors, "digits"))) as image:
        assert image.format == "PNG"
        left, right = np.array_split(np.asarray(image.convert("RGB")).astype(int), 2, axis=1)
    coloured = [np.ptp(half, axis=2).max() > 100 for half in (left, right)]
    assert coloured == [any(n.startswith(kind) for n in names) for kind in ("plain", "resnet")]


def test_a_spread_is_what_numpy_computes() -> None:
    values = [0.9951, 0.9960, 0.9948]
    spread = Spread.of(values)
    assert spread.mean == pytest.approx(np.mean(values))
    assert spread.deviation == pytest.approx(np.std(values, ddof=1))
    assert (spread.count, spread.low, spread.high) == (3, 0.9948, 0.9960)
    assert spread.cells() == ("3", "99.530 %", "0.062", "99.48-99.60")
    assert spread.cells(fractions=True) == ("3", "0.9953", "0.00062", "0.9948-0.9960")
    assert Spread.of([0.5]).cells() == ("1", "50.000 %", "", "")


def test_a_difference_says_whether_it_is_clear_of_the_seeds() -> None:
    low, high = Spread.of([0.990, 0.991, 0.992]), Spread.of([0.995, 0.996, 0.997])
    clear = Difference(high, low)
    assert clear.value == pytest.approx(0.005)
    assert clear.error == pytest.approx(np.sqrt(2 * 0.001**2 / 3))
    assert str(clear) == "+0.500 points (standard error 0.082), clear of the seeds' spread"
    wide = Spread.of([0.98, 0.99, 1.0])
    assert "within the seeds' spread" in str(Difference(wide, low))
    assert str(Difference(Spread.of([0.99]), low)).endswith("from one seed: no spread is known")


def test_what_a_teacher_adds_is_told_where_both_were_trained() -> None:
    alone, taught = Spread.of([0.99, 0.991]), Spread.of([0.995, 0.996])
    (line,) = best.gains({"edge": alone, "edge-taught": taught, "edge-xs": alone})
    assert line.startswith("the teacher adds to edge: +0.500 points")


def test_what_shortcuts_cost_and_bring_is_told() -> None:
    costs = {kind: cost(build("resnet20", shortcut=kind)) for kind in ("zero", "projection")}
    plain = cost(build("plain20")).params
    spreads = {"zero": Spread.of([0.99, 0.991]), "projection": Spread.of([0.99, 0.992])}
    added, accuracy = shortcuts.lines(spreads, costs, plain)
    assert re.fullmatch(r"option A adds no parameter to plain20's 2\d\d,\d{3}; .* 2,752", added)
    assert accuracy.startswith("accuracy of B over A: +0.050 points")
    assert shortcuts.lines({"zero": spreads["zero"]}, costs, plain) == (added,)


def test_a_claim_is_reproduced_where_it_lies_within_the_interval() -> None:
    claim = Claim("accuracy", "99.3 %", 0.993)
    assert verdict(claim, [Accuracy(9925, 10_000)]).startswith("the claim is reproduced")
    assert verdict(claim, [Accuracy(9890, 10_000)]) == (
        "the claim is not met: measured 0.40 points worse than 99.3 %"
    )
    assert verdict(claim, [Accuracy(9980, 10_000)]) == (
        "the claim is beaten: measured 0.50 points better than 99.3 %"
    )


def test_of_several_seeds_a_claim_is_held_against_their_span() -> None:
    claim = Claim("accuracy", "98.2 %", 0.982)
    low, high = Accuracy(9700, 10_000), Accuracy(9830, 10_000)
    assert verdict(claim, [low, high]) == (
        "the claim is reproduced: 98.2 % lies within the span of the seeds"
    )
    assert verdict(claim, [low, Accuracy(9800, 10_000)]) == (
        "the claim is not met: measured 0.70 points worse than 98.2 %"
    )


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
