"""What a file of others expects of its pixels: what reads labelled examples best."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

from mnist_edge import metrics
from mnist_edge.classifier import in_chunks
from mnist_edge.contenders.intake import AS_THEY_ARE, USUAL, Guess, Intake
from mnist_edge.datasets import Split
from mnist_edge.errors import ModelError
from mnist_edge.opening import open_session
from mnist_edge.opening.model_file import AnyModel, ModelFile


def guess(
    model: AnyModel,
    intake: Intake,
    examples: Callable[[], Split],
    scale: float | None = None,
    mean: float | None = None,
    invert: bool | None = None,
) -> Intake:
    """The intake of a file with the usual preparation that reads the examples best.

    What is given stays; what is None is tried, and of equally good ones the plainer is taken.
    `examples` is called only when there is something to try. ModelError when scale or mean are
    given for an input that has no room for them.
    """
    model = ModelFile.of(model)
    forms = dict.fromkeys(
        (own if scale is None else scale, other if mean is None else mean)
        for own, other in (USUAL if intake.dtype != "uint8" else (AS_THEY_ARE,))
    )
    if intake.dtype == "uint8" and AS_THEY_ARE not in forms:
        raise ModelError(
            f"{model.path} takes pixels as uint8: --input-scale and --input-mean have no meaning "
            "there"
        )
    inverted = (False, True) if invert is None else (invert,)
    tried = [
        replace(intake, scale=form[0], mean=form[1], invert=turned)
        for turned, form in product(inverted, forms)
    ]
    return tried[0] if len(tried) == 1 else _best(model, tried, examples())


def _best(model: ModelFile, tried: list[Intake], examples: Split) -> Intake:
    session = open_session(model)

    def accuracy(intake: Intake) -> float:
        logits = in_chunks(
            lambda images: intake.answers(
                lambda values: session.run([intake.output], {intake.name: values})[0],
                intake.prepare(images),
            ),
            examples.images,
        )
        return metrics.accuracy(logits.argmax(axis=1), examples.labels).value

    found = [accuracy(intake) for intake in tried]
    best, next_best = sorted(found, reverse=True)[:2]
    return replace(tried[found.index(best)], guess=Guess(len(examples), best, next_best))
