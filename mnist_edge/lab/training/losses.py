"""Every loss that a network is trained by: cross-entropy on smoothed labels, and distillation."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mnist_edge.lab.training.recipe import Distillation


def smoothed_targets(classes: int, smoothing: float) -> Tensor:
    """The probabilities that a network is to give for each label: float32 (classes + 1, classes).

    Row `label` is that label with label smoothing (Szegedy et al. 2016, arXiv 1512.00567); the
    last row, which the label -1 of what belongs to no class finds, is even.
    """
    table = torch.full((classes + 1, classes), 1 / classes)
    table[:classes] = torch.eye(classes) * (1 - smoothing) + smoothing / classes
    return table


def label_weights(classes: int, weights: Sequence[float]) -> Tensor:
    """How much an image of each label counts: float32 (classes + 1,). The last is 1, which the
    label -1 of what belongs to no class finds."""
    return torch.tensor([*(weights or [1.0] * classes), 1.0])


def training_loss(
    logits: Tensor,
    targets: Tensor,
    teacher_logits: Tensor | None,
    plan: Distillation | None,
    weights: Tensor | None = None,
) -> Tensor:
    """What `train` minimises on a batch, a scalar: cross-entropy, or distillation with teachers.

    logits: float32 (N, C); targets: float32 (N, C), rows of `smoothed_targets`; teacher_logits:
    float32 (N, C), where the recipe has a plan for them; weights: float32 (N,), how much each image
    counts, None where all do alike.
    """
    if teacher_logits is None or plan is None:
        return _cross_entropy(logits, targets, weights)
    return distillation(logits, targets, teacher_logits, plan, weights)


def _cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return F.cross_entropy(logits, targets)
    return (F.cross_entropy(logits, targets, reduction="none") * weights).mean()


def distillation(
    logits: Tensor,
    targets: Tensor,
    teacher_logits: Tensor,
    plan: Distillation,
    weights: Tensor | None = None,
) -> Tensor:
    """The teachers' answers and the labels, weighed by `plan.share` (Hinton et al. 2015, arXiv
    1503.02531), a scalar. Shapes as in `training_loss`.

    The teachers' part is multiplied by the square of the temperature, as its gradients shrink by
    it.
    """
    soft = divergence(logits, teacher_logits, plan.temperature, weights)
    hard = _cross_entropy(logits, targets, weights)
    return plan.share * plan.temperature**2 * soft + (1 - plan.share) * hard


def divergence(
    logits: Tensor,
    teacher_logits: Tensor,
    temperature: Tensor | float,
    weights: Tensor | None = None,
) -> Tensor:
    """The mean Kullback-Leibler divergence of a student's probabilities from its teacher's, both
    of logits (N, C) divided by the temperature; weights as in `training_loss`. It is what
    quantization-aware fine-tuning minimises."""
    own, wanted = (F.log_softmax(one / temperature, dim=1) for one in (logits, teacher_logits))
    if weights is None:
        return F.kl_div(own, wanted, log_target=True, reduction="batchmean")
    each = F.kl_div(own, wanted, log_target=True, reduction="none").sum(dim=1)
    return (each * weights).mean()
