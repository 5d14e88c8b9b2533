"""How long experiments take: added up right from made-up times, and timed on real steps."""

from dataclasses import replace

import pytest

from mnist_edge.lab.reproduce import estimate
from mnist_edge.lab.reproduce.estimate import (
    FULL_SIZE,
    Sizes,
    StepTime,
    images_per_epoch,
    seconds_by_part,
    time_steps,
    timing_key,
)
from mnist_edge.lab.reproduce.experiments import EXPERIMENTS, Options
from mnist_edge.lab.training.recipe import Distillation
from tests.lab.conftest import CPU


def test_steps_and_answers_add_up() -> None:
    runs = EXPERIMENTS["three-block"].runs(Options(), FULL_SIZE.training)
    times = {timing_key(runs[0].recipe): StepTime(0.5, 0.001, 0.0)}
    sizes = Sizes(training=1280, validation=100, test=200)
    expected = 10 * (10 * 0.5 + 100 * 0.001) + 200 * 0.001
    assert seconds_by_part(runs, {}, sizes, times) == {"resnet3": pytest.approx(expected)}
    left = seconds_by_part(runs, {"resnet3-0": 4}, sizes, times)["resnet3"]
    assert left == pytest.approx(6 * 5.1 + 0.2)


def test_an_epoch_has_the_images_that_its_recipe_adds() -> None:
    (_, *_, run) = EXPERIMENTS["best"].runs(Options(), FULL_SIZE.training)
    assert images_per_epoch(run.recipe, FULL_SIZE) == 55_000 + 8_250 + 5_500
    assert images_per_epoch(replace(run.recipe, dataset="kmnist"), FULL_SIZE) == 55_000
    assert images_per_epoch(replace(run.recipe, images=1000, outlier_share=0.0), FULL_SIZE) == 1136


def test_a_teachers_answers_are_counted_once() -> None:
    runs = EXPERIMENTS["best"].runs(Options(seeds=2), FULL_SIZE.training)
    extra_s = 0.0
    for sign, teacher_s in ((1, 0.01), (-1, 0.0)):
        times = {timing_key(run.recipe): StepTime(0.001, 0.0, teacher_s) for run in runs}
        extra_s += sign * sum(seconds_by_part(runs, {}, FULL_SIZE, times).values())
    images = images_per_epoch(runs[-1].recipe, FULL_SIZE)
    kinds = {
        (run.recipe.augmentation, run.recipe.strong_augmentation) for run in runs if run.teacher
    }
    assert extra_s == pytest.approx(len(kinds) * Distillation(("",)).views * images * 0.01)


def test_real_steps_are_timed_of_each_network_and_its_teacher(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(estimate, "TRAINING_S", 0.02)
    monkeypatch.setattr(estimate, "ANSWERING_S", 0.0)
    runs = EXPERIMENTS["best"].runs(Options(seeds=2), 1000)
    (student,) = (run for run in runs if run.name == "edge-xs-0")
    (found,) = time_steps([student, student], 10, CPU).values()
    assert 0 < found.step_s < 60
    assert 0 < found.answer_s < found.step_s
    (taught,) = (run for run in runs if run.name == "edge-xs-taught-1")
    assert taught.teacher is not None
    keys = [timing_key(taught.recipe), timing_key(taught.teacher.recipe)]
    assert list(time_steps([taught], 10, CPU)) == keys
