"""What is said of an experiment's findings."""

import pytest

from mnist_edge.catalogue import Claim, Cost
from mnist_edge.errors import GateCheck, GateError
from mnist_edge.experiment_results import Degradation, ExportedRun, Part, Shortcuts, Target
from mnist_edge.metrics import Accuracy
from mnist_edge.report.reproduce.findings import (
    claim_sentence,
    degradation_sentence,
    shortcut_sentences,
    teacher_sentences,
)
from mnist_edge.report.reproduce.tables import difference_text, refusal_text, spread_cells
from mnist_edge.seed_statistics import ClaimCheck, Difference, Spread

ERRORS = {"plain20": 0.02, "plain56": 0.05, "resnet20": 0.015, "resnet56": 0.012}
LOW, HIGH = Spread.of([0.990, 0.991, 0.992]), Spread.of([0.995, 0.996, 0.997])


def test_a_degradation_is_told_with_both_pairs() -> None:
    assert degradation_sentence(Degradation(True, False, ERRORS)) == (
        "plain56 trains worse than plain20 (training error 5.00 % against 2.00 %); resnet56 does "
        "not train worse than resnet20 (training error 1.20 % against 1.50 %): the degradation of "
        "He et al. is there, and skips cure it"
    )


@pytest.mark.parametrize(
    ("plain", "residual", "words"),
    [
        (False, False, "no degradation shows in this setting"),
        (True, True, "skips do not cure it"),
        (False, True, "the opposite of He et al."),
    ],
)
def test_what_does_not_show_is_not_claimed(plain: bool, residual: bool, words: str) -> None:
    assert words in degradation_sentence(Degradation(plain, residual, ERRORS))


def test_a_spread_is_told_in_percent_or_as_fractions() -> None:
    spread = Spread.of([0.9951, 0.9960, 0.9948])
    assert spread_cells(spread) == ("3", "99.530 %", "0.062", "99.48-99.60")
    assert spread_cells(spread, fractions=True) == ("3", "0.9953", "0.00062", "0.9948-0.9960")
    assert spread_cells(Spread.of([0.5])) == ("1", "50.000 %", "", "")


def test_a_difference_is_told_with_the_noise_of_the_seeds() -> None:
    assert difference_text(Difference(HIGH, LOW)) == (
        "+0.500 points (standard error 0.082), clear of the seeds' spread"
    )
    wide = Spread.of([0.98, 0.99, 1.0])
    assert "within the seeds' spread" in difference_text(Difference(wide, LOW))
    assert difference_text(Difference(Spread.of([0.99]), LOW)).endswith(
        "from one seed: no spread is known"
    )


def test_what_a_teacher_adds_is_told_where_both_were_trained() -> None:
    def part(model: str, accuracy: Spread, taught: bool) -> Part:
        return Part(model, accuracy, Target(0.99), ExportedRun("", ()), taught)

    (line,) = teacher_sentences(
        {
            "edge": part("edge", LOW, False),
            "edge-taught": part("edge", HIGH, True),
            "edge-xs": part("edge-xs", LOW, False),
        }
    )
    assert line.startswith("the teacher adds to edge: +0.500 points")


def test_what_shortcuts_cost_and_bring_is_told() -> None:
    costs = {"zero": Cost(269_434, 1), "projection": Cost(272_186, 1)}
    both = {"zero": LOW, "projection": HIGH}
    added, accuracy = shortcut_sentences(Shortcuts(both, costs, 269_434, {}, {}))
    assert added == "option A adds no parameter to plain20's 269,434; option B adds 2,752"
    assert accuracy.startswith("accuracy of B over A: +0.500 points")
    alone = Shortcuts({"zero": LOW}, costs, 269_434, {}, {})
    assert shortcut_sentences(alone) == (added,)


def test_a_claim_is_told_as_what_became_of_it() -> None:
    claim = Claim("accuracy", "98.2 %", 0.982)

    def told(*right: int) -> str:
        return claim_sentence(ClaimCheck.of(claim, [Accuracy(one, 10_000) for one in right]))

    assert told(9700, 9830) == "the claim is reproduced: 98.2 % lies within the span of the seeds"
    assert told(9815) == "the claim is reproduced: 98.2 % lies within the 95 % interval"
    assert told(9700, 9800) == "the claim is not met: measured 0.70 points worse than 98.2 %"
    assert told(9900) == "the claim is beaten: measured 0.80 points better than 98.2 %"


def test_no_advice_is_given_on_options_that_reproduce_has_not() -> None:
    lost = GateError(
        "x-int8.onnx", GateCheck.ACCURACY_DROP, "lost 0.05 points", found=0.05, limit=0.04
    )
    assert refusal_text(lost) == "x-int8.onnx lost 0.05 points, more than the 0.04 that it may lose"
    other = GateError("x.onnx", GateCheck.EQUALITY, "changed 5 answers", found=1.0, limit=0.1)
    assert refusal_text(other) == "x.onnx changed 5 answers"
