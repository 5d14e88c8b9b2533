"""What contenders answer to the whole test split, and how their answers differ."""

from collections.abc import Sequence

import numpy as np

from mnist_edge import metrics
from mnist_edge.backends import Contender, ContenderKind, Runner, answer, outputs
from mnist_edge.backends.base import chunk_size, full_name
from mnist_edge.backends.outputs import OutputKind
from mnist_edge.benchmark.record import Data, Score
from mnist_edge.classifier import in_chunks
from mnist_edge.datasets import Dataset
from mnist_edge.datasets.class_names import match_names
from mnist_edge.errors import ModelError
from mnist_edge.types import Logits


def answers(contender: Contender, runner: Runner, data: Data) -> Logits | None:
    """A contender's answers to its test split; None where its set is not in `data`.

    ModelError for one that answers with what is no number, or the same to everything.
    """
    own = data.get(contender.info.images)
    return None if own is None else _logits(contender, runner, own)


def scores(
    contenders: Sequence[Contender], logits: Sequence[Logits | None], data: Data
) -> list[Score | None]:
    """What the answers of all contenders are worth; None for one without any."""
    return [
        None
        if some is None
        else _score(contender, some, _reference_logits(contender, contenders, logits), data)
        for contender, some in zip(contenders, logits, strict=True)
    ]


def _logits(contender: Contender, runner: Runner, data: Dataset) -> Logits:
    """The answers to the test split, their columns in the order of the set's classes."""
    images = data.test.images
    logits = in_chunks(lambda some: answer(runner, some), images, chunk_size(contender))
    largest = logits.max(axis=1)  # beside which the logarithm of 0 may stand
    bad = largest[~np.isfinite(largest)]
    if len(bad):
        raise ModelError(
            f"{full_name(contender)} answers {bad[0]} to some images: "
            "leave it out, or feed it otherwise"
        )
    if len(images) > 1 and not (logits != logits[0]).any():
        raise ModelError(
            f"{full_name(contender)} answers the same to all images: "
            "its weights are lost, or it wants to be fed otherwise"
        )
    names = contender.info.names
    order = None if names is None else match_names(data.classes, names)
    return logits if order is None else logits[:, order]


def _score(contender: Contender, logits: Logits, before: Logits | None, data: Data) -> Score:
    truth = data[contender.info.images].test.labels
    labels = logits.argmax(axis=1)
    change = None if before is None else metrics.agreement(before.argmax(axis=1), labels, truth)
    kind = OutputKind.LOGITS if contender.info.ours else outputs.detect_kind(logits)
    return Score(
        logits=logits,
        accuracy=metrics.accuracy(labels, truth),
        # Scores are no probabilities: nobody says how often they should be right.
        calibration_error=None
        if kind is OutputKind.SCORES
        else metrics.expected_calibration_error(outputs.probabilities(logits, kind), truth),
        change=change,
        kind=kind,
    )


def _reference_logits(
    contender: Contender, contenders: Sequence[Contender], logits: Sequence[Logits | None]
) -> Logits | None:
    """The answers to compare with: the original's, or else the fp32 file's; None for the very
    contender that gave them."""
    family = [
        (other, some)
        for other, some in zip(contenders, logits, strict=True)
        if other.info.family == contender.info.family
    ]
    originals = [pair for pair in family if pair[0].kind is ContenderKind.ORIGINAL]
    # The fp32 file stands in for an original that is not here: it passed for it when it was made.
    files = [pair for pair in family if _is_fp32_file(pair[0])]
    for other, some in (originals + files)[:1]:
        return None if other is contender else some
    return None


def _is_fp32_file(contender: Contender) -> bool:
    return contender.kind is ContenderKind.FILE and contender.info.precision == "fp32"
