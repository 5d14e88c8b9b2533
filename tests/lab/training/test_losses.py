"""The losses, beside the formulas that they come from."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from mnist_edge.lab.training.losses import (
    distillation,
    divergence,
    label_weights,
    smoothed_targets,
    training_loss,
)
from mnist_edge.lab.training.recipe import Distillation
from mnist_edge.lab.training.training_mix import OUTLIER
from tests.lab.training.test_augment import seeded

PLAN = Distillation(("x",), share=0.6, temperature=3.0)


def test_targets_are_pytorchs_smoothing_and_those_of_no_class_are_even() -> None:
    logits, labels = torch.randn(30, 7, generator=seeded()), torch.arange(30) % 7
    table = smoothed_targets(7, 0.1)
    torch.testing.assert_close(
        F.cross_entropy(logits, table[labels]),
        F.cross_entropy(logits, labels, label_smoothing=0.1),
    )
    torch.testing.assert_close(table[torch.tensor([OUTLIER])], torch.full((1, 7), 1 / 7))


def test_distillation_weighs_the_divergence_from_the_teacher_and_the_label() -> None:
    logits, taught = torch.randn(2, 6, 4, generator=seeded())
    targets = torch.eye(4)[torch.tensor([0, 1, 2, 3, 0, 1])]
    p, q = (taught / 3).softmax(dim=1), (logits / 3).softmax(dim=1)
    soft = (p * (p / q).log()).sum(dim=1).mean()
    hard = -(targets * logits.log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(divergence(logits, taught, 3.0), soft)
    found = distillation(logits, targets, taught, PLAN)
    torch.testing.assert_close(found, 0.6 * 9 * soft + 0.4 * hard)
    alone = replace(PLAN, share=1.0)
    assert distillation(taught, targets, taught, alone).item() == pytest.approx(0, abs=1e-6)


def test_training_learns_from_labels_alone_where_there_is_no_teacher() -> None:
    logits, taught = torch.randn(2, 6, 4, generator=seeded())
    targets = smoothed_targets(4, 0.1)[torch.arange(6) % 4]
    alone = training_loss(logits, targets, None, None)
    torch.testing.assert_close(alone, F.cross_entropy(logits, targets))
    both = training_loss(logits, targets, taught, PLAN)
    assert torch.equal(both, distillation(logits, targets, taught, PLAN))
    assert not torch.isclose(both, alone)


@pytest.mark.parametrize("plan", [None, PLAN])
def test_an_image_of_weight_two_counts_as_two_images(plan: Distillation | None) -> None:
    logits, taught = (torch.randn(3, 4, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
    labels = torch.tensor([0, 2, -1])
    targets, answers = smoothed_targets(4, 0.1)[labels], None if plan is None else taught
    weights = label_weights(4, [2.0, 1.0, 0.5, 1.0])[labels]
    assert weights.tolist() == [2, 0.5, 1]
    each = [
        training_loss(logits[at : at + 1], targets[at : at + 1], one, plan)
        for at in range(3)
        for one in [None if answers is None else answers[at : at + 1]]
    ]
    found = training_loss(logits, targets, answers, plan, weights)
    torch.testing.assert_close(found, (2 * each[0] + 0.5 * each[1] + each[2]) / 3)
    even = training_loss(logits, targets, answers, plan, torch.ones(3))
    torch.testing.assert_close(even, training_loss(logits, targets, answers, plan))
