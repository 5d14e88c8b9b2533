"""What a file of others expects of its pixels: the form in which it is least surprised by labelled
training images (see `format_scores`).

Where a network knows all training images, a larger scale only makes it surer: then two images laid
over each other decide, of which it can never be sure.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mnist_edge.backends import outputs
from mnist_edge.backends.format_scores import (
    MARGIN,
    FormatScore,
    choose_format,
    plausible,
    with_guess,
    without_alike,
)
from mnist_edge.backends.input_format import GuessBasis, InputFormat
from mnist_edge.backends.outputs import OutputKind, Outputs
from mnist_edge.backends.pixel_scaling import (
    GREY_SCALINGS,
    RAW,
    RGB_SCALINGS,
    PerChannel,
    Scaling,
    of_images,
)
from mnist_edge.classifier import CHUNK_SIZE, in_chunks
from mnist_edge.datasets import Split, stratified_mask
from mnist_edge.errors import ModelError
from mnist_edge.image_shape import ImageShape
from mnist_edge.model_file.reader import AnyModel, ModelFile
from mnist_edge.model_file.session import open_session

FEW, MANY = 500, 5000
_PERFECT = 0.02  # a log-loss below which a smaller one says nothing
_SATURATED = 1 - 1e-6  # a top probability that a float32 hardly tells from 1
_SAME = 0.02  # a part of a deviation that changes nothing


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled images of `classes` classes, never test images: `few`, and `many` for what few
    cannot decide. `all` are those that they were taken from."""

    few: Split
    many: Split
    classes: int
    all: Split

    @property
    def image(self) -> ImageShape:
        """The shape of each."""
        return self.all.shape

    @classmethod
    def of(cls, split: Split, classes: int) -> "Examples":
        """Of a training split, as many images of each class as it has in proportion."""

        def some(count: int) -> Split:
            return split[stratified_mask(split.labels, min(count, len(split)), seed=0)]

        return cls(some(FEW), some(MANY), classes, split)


def detect_input_format(
    model: AnyModel,
    input_format: InputFormat,
    examples: Callable[[], Examples],
    scale: PerChannel | None = None,
    mean: PerChannel | None = None,
    invert: bool | None = None,
    bgr: bool | None = None,
) -> InputFormat:
    """The input format of a file with the usual preparation that suits the examples best.

    What is given stays; what is None is tried: but for inverted colours, which nobody trains with.
    A scale that is given alone means a mean of 0. `examples` is called only when there is something
    to try. ModelError when what is given has no meaning for such an input.
    """
    model = ModelFile.of(model)
    _check_given(model, input_format, scale, mean, bgr)
    scalings = _scalings(input_format, examples, scale, mean)
    forms = list(_forms(input_format, scalings, invert, bgr))
    return forms[0] if len(forms) == 1 else _find_best(open_session(model), forms, examples())


def _forms(
    input_format: InputFormat,
    scalings: Sequence[Scaling],
    invert: bool | None,
    bgr: bool | None,
) -> Iterator[InputFormat]:
    """All that are to be tried, the plainest first."""
    color = input_format.image.is_color
    inverted = ((False,) if color else (False, True)) if invert is None else (invert,)
    orders = ((False, True) if color else (False,)) if bgr is None else (bgr,)
    either = color and input_format.is_flat
    planes = (True, False) if either else (input_format.channels_first,)
    for turned, swapped, first, (scale, mean) in product(inverted, orders, planes, scalings):
        yield replace(
            input_format,
            scale=scale,
            mean=mean,
            invert=turned,
            channels_first=first,
            bgr=swapped,
        )


def _scalings(
    input_format: InputFormat,
    examples: Callable[[], Examples],
    scale: PerChannel | None,
    mean: PerChannel | None,
) -> Sequence[Scaling]:
    """What was given, or what is usual."""
    if scale is not None:
        return (Scaling(scale, 0.0 if mean is None else mean),)
    usual = [RAW] if input_format.dtype == "uint8" else _usual_scalings(examples())
    return list(dict.fromkeys(one if mean is None else Scaling(one.scale, mean) for one in usual))


def _check_given(
    model: ModelFile,
    input_format: InputFormat,
    scale: PerChannel | None,
    mean: PerChannel | None,
    bgr: bool | None,
) -> None:
    given = Scaling(1.0 if scale is None else scale, 0.0 if mean is None else mean)
    if input_format.dtype == "uint8" and given != RAW:
        raise ModelError(
            f"{model.path} takes pixels as uint8: --input-scale and --input-mean have no meaning "
            "there"
        )
    if not input_format.image.is_color and (given.per_channel or bgr):
        raise ModelError(
            f"{model.path} takes grey images: one number is enough for --input-scale and "
            "--input-mean, and --bgr has no meaning there"
        )


def _usual_scalings(examples: Examples) -> list[Scaling]:
    """The usual ones, and that by the mean and the deviation of the examples' own set, where it is
    none of them."""
    usual = RGB_SCALINGS if examples.image.is_color else GREY_SCALINGS
    own = of_images(examples.all.images)
    known = any(own.is_near(one, _SAME) for one in usual)
    return [*usual] if known else [*usual, own]


def _find_best(
    session: ort.InferenceSession, forms: Sequence[InputFormat], examples: Examples
) -> InputFormat:
    tried = without_alike(_score_formats(session, forms, examples.few))
    perfect = [one.input_format for one in tried if one.loss <= _PERFECT]
    if len(perfect) > 1:
        return _choose_least_surprised(
            tried, _score_formats(session, perfect, *_mix_pairs(examples.few))
        )
    found = choose_format(tried)
    if found.tied and len(examples.many) > len(examples.few):
        tried = _score_formats(
            session, [one.input_format for one in plausible(tried)], examples.many
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
    return with_guess(best, rival, len(near) == 1, GuessBasis.MIXED)


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
