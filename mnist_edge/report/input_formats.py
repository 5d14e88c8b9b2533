"""How files of others are fed, in words."""

from mnist_edge.backends.input_format import GuessVerdict, InputFormat, InputGuess
from mnist_edge.backends.input_shapes import FREE


def describe_input(input_format: InputFormat) -> str:
    """What a person should know before believing a number: what goes in, and why."""
    sizes = ["N" if size == FREE else str(size) for size in input_format.shape]
    text = f"input {input_format.dtype} ({', '.join(sizes)}), pixels {input_format.form}"
    guess = input_format.guess
    options = "--input-scale, --input-mean and " + (
        "--bgr" if input_format.image.is_color else "--invert"
    )
    return text if guess is None else f"{text} ({_evidence(guess, options)}"


def _evidence(guess: InputGuess, options: str) -> str:
    """What a guess rests on, and what to do where that is not enough."""
    best = _result(guess.loss, guess.accuracy)
    rival = _result(guess.rival_loss, guess.rival_accuracy)
    text = f"guessed on {guess.examples:,} labelled images: {best}; "
    text += f"next best, {guess.rival}: {rival})"
    if guess.verdict is GuessVerdict.TIED:
        return f"{text}: they cannot be told apart, state {options}"
    if guess.verdict is GuessVerdict.POOR:
        text += f": none of the usual forms fits, state {options}"
    return text


def _result(loss: float, accuracy: float) -> str:
    return f"log-loss {loss:.2g}, {100 * accuracy:.1f} % right"
