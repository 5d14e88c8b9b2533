"""Runs on disk: what is finished is left alone, what is begun goes on, what is foreign stays."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_edge.datasets import Dataset
from mnist_edge.errors import CheckpointError
from mnist_edge.files import sha256
from mnist_edge.lab.reproduce.experiments import Experiment, Options, Run
from mnist_edge.lab.reproduce.session import Session, by_part
from mnist_edge.lab.training.events import EpochResult
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.runs import complete
from tests.lab.conftest import CPU

RECIPE = Recipe("edge-xs", "digits", epochs=2, images=256, batch_size=64, lr=5e-3)
TEACHER = Run("t-0", "t", RECIPE)
STUDENT = Run("s-0", "s", RECIPE, TEACHER)


def session(digits: Dataset, home: Path, *runs: Run, only: tuple[str, ...] = ()) -> Session:
    planned = Experiment("try", "", "", (), "", plan=lambda options, images, seeds: runs)
    options = Options("digits", only=only)
    return Session(planned, options, digits, home / planned.folder_name(options), CPU)


def silent(*told: Any) -> None:
    pass


def trained(here: Session, run: Run, epochs: int | None = None) -> list[EpochResult]:
    """Train a run, or stop behind so many epochs, before it is measured."""
    ready = here.training_run(run).with_soft_targets(CPU.device, silent)
    return list(islice(complete(ready, CPU), epochs))


def test_a_run_is_trained_once(digits: Dataset, tmp_path: Path) -> None:
    here = session(digits, tmp_path, replace(TEACHER, watched=True))
    (run,) = here.untrained_runs()
    (first, last) = trained(here, run)
    assert first.test_correct is not None
    assert here.untrained_runs() == []
    (done,) = here.trained_runs()
    assert done.accuracy.correct == last.test_correct  # a recipe's last epoch is what counts
    assert done.accuracy.total == len(digits.test)
    assert done.folder == here.folder / "t-0"
    assert done.duration_s == pytest.approx(first.duration_s + last.duration_s)
    assert by_part([done]) == {"t": [done]}


def test_a_run_without_its_curve_is_refused(digits: Dataset, tmp_path: Path) -> None:
    trained(session(digits, tmp_path, TEACHER), TEACHER)
    here = session(digits, tmp_path, replace(TEACHER, watched=True))
    with pytest.raises(CheckpointError, match="was trained without its curve of test errors"):
        here.untrained_runs()


def test_an_interrupted_run_goes_on_to_the_same_end(digits: Dataset, tmp_path: Path) -> None:
    whole, cut = (
        session(digits, tmp_path / "whole", TEACHER),
        session(digits, tmp_path / "cut", TEACHER),
    )
    trained(whole, TEACHER)
    assert [result.epoch for result in trained(cut, TEACHER, epochs=1)] == [1]
    assert cut.untrained_runs() == [TEACHER]
    assert cut.trained_runs() == []
    assert [result.epoch for result in trained(cut, TEACHER)] == [2]
    (one,), (other,) = whole.trained_runs(), cut.trained_runs()
    torch.testing.assert_close(
        one.checkpoint.average, other.checkpoint.average, atol=0, rtol=0, equal_nan=True
    )
    assert one.accuracy == other.accuracy


def test_a_run_that_was_only_not_measured_yet_is_measured(digits: Dataset, tmp_path: Path) -> None:
    here = session(digits, tmp_path, TEACHER)
    assert [result.epoch for result in trained(here, TEACHER, epochs=2)] == [1, 2]
    assert here.untrained_runs() == [TEACHER]
    assert trained(here, TEACHER) == []
    assert here.untrained_runs() == []


def test_another_recipe_in_the_way_is_not_touched(digits: Dataset, tmp_path: Path) -> None:
    trained(session(digits, tmp_path, TEACHER), TEACHER)
    before = (tmp_path / "try-digits" / "t-0" / "checkpoint.pt").read_bytes()
    other = replace(TEACHER, recipe=replace(RECIPE, lr=0.1))
    with pytest.raises(CheckpointError, match=r"t-0 was trained with lr 0\.005, not 0\.1: .*--out"):
        session(digits, tmp_path, other).untrained_runs()
    assert (tmp_path / "try-digits" / "t-0" / "checkpoint.pt").read_bytes() == before


def test_a_student_learns_from_its_teacher_and_no_other(digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"s learns from t-0, .* not trained yet: .* t,s"):
        session(digits, tmp_path, TEACHER, STUDENT, only=("s",)).untrained_runs()
    here = session(digits, tmp_path, TEACHER, STUDENT)
    assert here.untrained_runs() == [TEACHER, STUDENT]
    trained(here, TEACHER)
    asked: list[float] = []
    lesson = here.training_run(STUDENT)
    lesson = lesson.with_soft_targets(CPU.device, lambda what, done, total: asked.append(done))
    assert lesson.inputs.soft_targets is not None
    assert asked
    list(complete(lesson, CPU))
    assert here.untrained_runs() == []
    (teacher,), (student,) = here.trained_runs(("t-0",)), here.trained_runs(("s-0",))
    plan = student.checkpoint.recipe.distillation
    assert plan is not None
    assert plan.teachers == (sha256(teacher.folder / "checkpoint.pt"),)
    # A teacher that changes makes its student another experiment's.
    for path in teacher.folder.glob("*.*"):
        path.unlink()
    altered = replace(TEACHER, recipe=replace(RECIPE, seed=2))
    again = session(digits, tmp_path, altered, STUDENT)
    assert again.untrained_runs() == [altered]
    trained(again, altered)
    with pytest.raises(CheckpointError, match="s-0 was not taught by the t-0 that is there now"):
        again.untrained_runs()
