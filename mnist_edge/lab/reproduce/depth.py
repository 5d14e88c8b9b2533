"""Do deeper networks train worse? Plain ones against residual ones (He et al. 2015)."""

import math
from collections.abc import Mapping

from mnist_edge.experiment_results import Degradation, Depth, ErrorCurves
from mnist_edge.lab.reproduce.experiments import NETWORKS
from mnist_edge.lab.reproduce.session import Request, Work

_CLEAR = 1.96  # standard errors: 95 %


def conclude(work: Work, request: Request) -> Depth:
    """The errors, and what follows from them once all four networks are trained."""
    found, tested = work.finished(), len(work.data.test)
    errors = {one.run.name: ErrorCurves.of(one.checkpoint.history, tested) for one in found}
    if len(errors) < len(NETWORKS):
        return Depth(errors, None)
    last = {name: one.training[-1] for name, one in errors.items()}
    return Depth(errors, degradation(last, _images(work)))


def degradation(training: Mapping[str, float], images: int) -> Degradation:
    """What the four final training errors, in 0..1, each of so many images, say."""
    plain = _worse(training["plain56"], training["plain20"], images)
    residual = _worse(training["resnet56"], training["resnet20"], images)
    return Degradation(plain, residual, training)


def _worse(deep: float, shallow: float, images: int) -> bool:
    """Whether the deeper one's error is larger by more than the noise of so many images each, by
    the two-proportion z test."""
    pooled = (deep + shallow) / 2
    return deep - shallow > _CLEAR * math.sqrt(2 * pooled * (1 - pooled) / images)


def _images(work: Work) -> int:
    """How many images the training error of one epoch is of."""
    recipe = work.runs[0].recipe
    count = min(recipe.images or len(work.training), len(work.training))
    batch = min(recipe.batch_size, count)
    return count // batch * batch
