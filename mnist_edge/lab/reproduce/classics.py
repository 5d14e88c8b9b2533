"""The two projects that this tool grew from: what they claimed, beside what comes out here."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mnist_edge import metrics
from mnist_edge.catalogue import Claim
from mnist_edge.experiment_results import OneEpoch, ThreeBlock
from mnist_edge.lab.reproduce.exports import export_one
from mnist_edge.lab.reproduce.session import Finished, Request, Work
from mnist_edge.lab.training.layer_summary import layers
from mnist_edge.lab.training.models import build
from mnist_edge.seed_statistics import ClaimCheck, Spread


def three_block(work: Work, request: Request) -> ThreeBlock:
    """The layers, the accuracy beside the claim, and the files."""
    found, (claim,) = work.finished(), work.experiment.claims
    network = build(found[0].run.recipe.model, len(work.data.classes))
    return ThreeBlock(
        layers=tuple(layers(network)),
        accuracy=Spread.of([one.accuracy.value for one in found]),
        check=_check(work, claim, found),
        exported=export_one(work, found, request),
    )


def one_epoch(work: Work, request: Request) -> OneEpoch:
    """Accuracy and macro F1 beside the claims, the answers of every class, and the files."""
    found, (of_accuracy, _) = work.finished(), work.experiment.claims
    counts = {one.run.name: _confusion(one, work) for one in found}
    return OneEpoch(
        accuracy=Spread.of([one.accuracy.value for one in found]),
        macro_f1=Spread.of([metrics.per_class(one).macro.f1 for one in counts.values()]),
        check=_check(work, of_accuracy, found),
        classes=work.data.classes,
        confusions=counts,
        exported=export_one(work, found, request),
    )


def _confusion(finished: Finished, work: Work) -> NDArray[np.int64]:
    """Of the test split, counts, int64 (classes, classes)."""
    answers = finished.checkpoint.original().answer(work.data.test.images).argmax(axis=1)
    return metrics.confusion(answers, work.data.test.labels, len(work.data.classes))


def _check(work: Work, claim: Claim, found: Sequence[Finished]) -> ClaimCheck | None:
    """None where the claim was made of something else."""
    if not work.is_as_claimed:
        return None
    return ClaimCheck.of(claim, [one.accuracy for one in found])
