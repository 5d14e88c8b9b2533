"""How files of others are fed, in words: for each verdict."""

from dataclasses import replace

import pytest

from mnist_edge.backends.input_format import GuessBasis, GuessVerdict, InputFormat, InputGuess
from mnist_edge.report.input_formats import describe_input

GUESS = InputGuess(
    50, GuessBasis.LOG_LOSS, 0.98, 0.0312, "as 0..1", 0.96, 0.481, GuessVerdict.APART
)
GIVEN = InputFormat("in", "float32", (1, 784), "out", 10, False)
STATE = "state --input-scale, --input-mean and --invert"


def test_a_form_that_was_given_is_told_as_it_is() -> None:
    given = replace(GIVEN, shape=(-1, 1, 28, 28), scale=0.5, mean=2.0, invert=True)
    expected = "input float32 (N, 1, 28, 28), pixels (pixel - 2) × 0.5, inverted"
    assert describe_input(given) == expected


@pytest.mark.parametrize(
    ("verdict", "end"),
    [
        (GuessVerdict.APART, ""),
        (GuessVerdict.TIED, f": they cannot be told apart, {STATE}"),
        (GuessVerdict.POOR, f": none of the usual forms fits, {STATE}"),
    ],
)
def test_a_guess_is_told_with_what_it_rests_on(verdict: GuessVerdict, end: str) -> None:
    guessed = replace(GIVEN, guess=replace(GUESS, verdict=verdict))
    assert describe_input(guessed) == (
        "input float32 (1, 784), pixels 0..255 as they are (guessed on 50 labelled images: "
        f"log-loss 0.031, 98.0 % right; next best, as 0..1: log-loss 0.48, 96.0 % right){end}"
    )
