"""What a file of others expects of its pixels: the form in which it is least surprised by labelled
training images.

Accuracy tells little: many networks read as many digits right under any scaling. Their log-loss
does, because it is what they were trained to keep small. Some networks escape it. Where answers
are so sure that they are 0 or 1, it counts little more than mistakes, and where they were never
meant as probabilities, it means nothing: then accuracy decides. Where a network knows all training
images, a larger scale only makes it surer: then two images laid over each other decide, of which
it can never be sure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mnist_edge import metrics
from mnist_edge.backends import outputs
from mnist_edge.backends.input_format import (
    RAW_PIXELS,
    USUAL_SCALINGS,
    GuessBasis,
    GuessVerdict,
    InputFormat,
    InputGuess,
)
from mnist_edge.backends.outputs import OutputKind, Outputs
from mnist_edge.classifier import CHUNK_SIZE, in_chunks
from mnist_edge.datasets import Split, stratified_mask
from mnist_edge.errors import ModelError
from mnist_edge.model_file.reader import AnyModel, ModelFile
from mnist_edge.model_file.session import open_session

FEW, MANY = 500, 5000

# The next best form has to have twice the log-loss of the best, or 1.25 times where it also reads
# fewer right than chance explains; and more by three standard errors. Of 18 small networks of known
# form, trained for 1,500 steps on MNIST, the one with the least loss was always the true one; the
# next had 1.16 to 9.6 times its loss.
MARGIN, _SMALL_MARGIN, _ERRORS = 2.0, 1.25, 3.0
_PERFECT = 0.02  # a log-loss below which a smaller one says nothing
_BY_CHANCE = 0.01  # McNemar's p below which accuracies differ
_SATURATED = 1 - 1e-6  # a top probability that a float32 hardly tells from 1
_POOR = 0.5


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled images of `classes` classes, never test images: `few`, and `many` for what few
    cannot decide."""

    few: Split
    many: Split
    classes: int

    @classmethod
    def of(cls, split: Split, classes: int) -> "Examples":
        """Of a training split, as many images of each class as it has in proportion."""

        def some(count: int) -> Split:
            return split[stratified_mask(split.labels, min(count, len(split)), seed=0)]

        return cls(some(FEW), some(MANY), classes)


@dataclass(frozen=True, slots=True, eq=False)
class FormatScore:
    """How a form did: the log-loss of each example, float64 (N,), which were read right, bool
    (N,), and the share whose top probability is as good as 1."""

    input_format: InputFormat
    losses: NDArray[np.float64]
    right: NDArray[np.bool_]
    saturated: float

    @property
    def loss(self) -> float:
        return float(self.losses.mean())

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())


def detect_input_format(
    model: AnyModel,
    input_format: InputFormat,
    examples: Callable[[], Examples],
    scale: float | None = None,
    mean: float | None = None,
    invert: bool | None = None,
) -> InputFormat:
    """The input format of a file with the usual preparation that suits the examples best.

    What is given stays; what is None is tried. A scale that is given alone means a mean of 0.
    `examples` is called only when there is something to try. ModelError when scale or mean are
    given for an input that has no room for them.
    """
    model = ModelFile.of(model)
    if scale is not None and mean is None:
        mean = 0.0
    forms = dict.fromkeys(
        (own if scale is None else scale, other if mean is None else mean)
        for own, other in (USUAL_SCALINGS if input_format.dtype != "uint8" else (RAW_PIXELS,))
    )
    if input_format.dtype == "uint8" and RAW_PIXELS not in forms:
        raise ModelError(
            f"{model.path} takes pixels as uint8: --input-scale and --input-mean have no meaning "
            "there"
        )
    inverted = (False, True) if invert is None else (invert,)
    forms_of = [
        replace(input_format, scale=form[0], mean=form[1], invert=turned)
        for turned, form in product(inverted, forms)
    ]
    if len(forms_of) == 1:
        return forms_of[0]
    return _find_best(open_session(model), forms_of, examples())


def _find_best(
    session: ort.InferenceSession, forms: Sequence[InputFormat], examples: Examples
) -> InputFormat:
    tried = _score_formats(session, forms, examples.few)
    perfect = [one.input_format for one in tried if one.loss <= _PERFECT]
    if len(perfect) > 1:
        return _choose_least_surprised(
            tried, _score_formats(session, perfect, *_mix_pairs(examples.few))
        )
    found = choose_format(tried)
    if found.tied and len(examples.many) > len(examples.few):
        tried = _score_formats(
            session, [one.input_format for one in _plausible(tried)], examples.many
        )
        found = choose_format(tried)
    return found


def _mix_pairs(examples: Split) -> tuple[Split, Split]:
    """Pairs of images of different classes laid over each other, with either's label."""
    other = examples[np.roll(np.arange(len(examples)), len(examples) // 2)]
    halves = examples.images // 2 + other.images // 2
    differ = examples.labels != other.labels
    return Split(halves, examples.labels)[differ], Split(halves, other.labels)[differ]


def _choose_least_surprised(
    tried: Sequence[FormatScore], mixed: Sequence[FormatScore]
) -> InputFormat:
    """Of forms that read all examples right, that which is least surprised by mixed ones; the
    first of those that this cannot tell apart."""
    ranked = sorted(mixed, key=lambda one: one.loss)
    near = [one for one in mixed if one.loss < MARGIN * ranked[0].loss]
    ranked = near + [one for one in ranked if one not in near]
    alone = {one.input_format: one for one in tried}
    best, rival = (alone[one.input_format] for one in ranked[:2])
    return _with_guess(best, rival, len(near) == 1, GuessBasis.MIXED)


def _score_formats(
    session: ort.InferenceSession, forms: Sequence[InputFormat], *labelled: Split
) -> list[FormatScore]:
    """`labelled` are the same images, with one label or with several that are equally right."""
    answers = [_run_all(session, form, labelled[0]) for form in forms]
    kinds = {outputs.detect_kind(some) for some in answers}
    kind = (
        kinds.pop() if len(kinds) == 1 else OutputKind.LOGITS
    )  # logits look like shares by chance
    found = []
    for form, some in zip(forms, answers, strict=True):
        losses = [outputs.log_losses(some, images.labels, kind) for images in labelled]
        right = np.any([some.argmax(axis=1) == images.labels for images in labelled], axis=0)
        saturated = float((outputs.confidence(some, kind) >= _SATURATED).mean())
        found.append(FormatScore(form, np.mean(losses, axis=0), right, saturated))
    return found


def _run_all(session: ort.InferenceSession, form: InputFormat, images: Split) -> Outputs:
    def answer(some: NDArray[np.uint8]) -> Outputs:
        return form.answers(
            lambda values: session.run([form.output], {form.name: values})[0], form.prepare(some)
        )

    return in_chunks(answer, images.images, min(CHUNK_SIZE, form.most))


def choose_format(tried: Sequence[FormatScore]) -> InputFormat:
    """The form that did best, with what that rests on; of equally good ones, the first."""
    ranked = sorted(tried, key=lambda one: one.loss)
    most = max(tried, key=lambda one: one.accuracy)
    if _loss_misleads(ranked[0], most):
        near = [one for one in ranked if _mcnemar_p(most, one) >= _BY_CHANCE]
        ranked = near + [one for one in ranked if one not in near]
        apart, basis = len(near) == 1, GuessBasis.ACCURACY
    else:
        apart, basis = _is_clearly_better(ranked[0], ranked[1]), GuessBasis.LOG_LOSS
    return _with_guess(ranked[0], ranked[1], apart, basis)


def _loss_misleads(best: FormatScore, most: FormatScore) -> bool:
    """Whether the log-loss, which chose `best`, is not to be believed against the accuracy, which
    speaks for `most`: even the best answers are saturated, or the softmax means nothing. Where
    only `most` is saturated, its scale is too large: that changes no answer of many networks.
    """
    saturated = best.saturated > 0.5
    return most.accuracy > best.accuracy and (saturated or _mcnemar_p(most, best) < _BY_CHANCE)


def _with_guess(
    best: FormatScore, rival: FormatScore, apart: bool, basis: GuessBasis
) -> InputFormat:
    verdict = GuessVerdict.APART if apart else GuessVerdict.TIED
    made = InputGuess(
        examples=len(best.losses),
        basis=basis,
        accuracy=best.accuracy,
        loss=best.loss,
        rival=rival.input_format.form,
        rival_accuracy=rival.accuracy,
        rival_loss=rival.loss,
        verdict=GuessVerdict.POOR if best.accuracy < _POOR else verdict,
    )
    return replace(best.input_format, guess=made)


def _is_clearly_better(best: FormatScore, rival: FormatScore) -> bool:
    """Whether the log-losses of the same images differ by more than the margin, and chance."""
    more = rival.losses - best.losses
    error = float(more.std()) / np.sqrt(len(more))
    worse = rival.accuracy < best.accuracy and _mcnemar_p(best, rival) < _BY_CHANCE
    margin = _SMALL_MARGIN if worse else MARGIN
    return rival.loss >= margin * best.loss and float(more.mean()) > _ERRORS * error


def _mcnemar_p(one: FormatScore, other: FormatScore) -> float:
    """McNemar's p of the difference in what two forms read right."""
    same = np.ones(len(one.right), np.int64)
    return metrics.agreement(one.right.astype(np.int64), other.right.astype(np.int64), same).p


def _plausible(tried: Sequence[FormatScore]) -> list[FormatScore]:
    """Those that may be the best: more images are asked of no others."""
    best, most = min(tried, key=lambda one: one.loss), max(tried, key=lambda one: one.accuracy)
    return [
        one
        for one in tried
        if not _is_clearly_better(best, one) or _mcnemar_p(most, one) >= _BY_CHANCE
    ]
