"""The number of threads: who says it, what is timed, and that nothing else changes by it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mnist_edge.datasets import Dataset
from mnist_edge.lab.export.finetune import Finetuning
from mnist_edge.lab.export.finetune import trial_step as tuning_step
from mnist_edge.lab.training import threads
from mnist_edge.lab.training.checkpoint import Checkpoint, load_checkpoint
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.recipe import Distillation, Recipe
from mnist_edge.lab.training.recipes import recipe_for
from mnist_edge.lab.training.runs import train
from mnist_edge.lab.training.threads import (
    Step,
    ThreadChoice,
    choose_threads,
    fastest_count,
    time_counts,
)
from mnist_edge.lab.training.trainer import trial_step
from tests.lab.conftest import CPU, inputs


class Machine:
    """Steps that take a stated time with each number of threads, on a clock of their own."""

    def __init__(self, images_per_s: dict[int, float]) -> None:
        self.images_per_s = images_per_s
        self.now, self.steps = 0.0, dict.fromkeys(images_per_s, 0)
        self.count = 1

    def step(self) -> int:
        self.steps[self.count] += 1
        self.now += 100 / self.images_per_s[self.count]
        return 100

    def clock(self) -> float:
        return self.now


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine({1: 5000.0, 2: 8000.0})
    monkeypatch.setattr(torch, "set_num_threads", lambda count: setattr(found, "count", count))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(threads, "usable_threads", lambda: 2)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    return found


def never() -> Step:
    raise AssertionError("nothing is to be timed")


def test_what_a_person_asks_for_comes_first(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_threads(2, 1, never) == ThreadChoice(2)
    assert choose_threads(None, 1, never) == ThreadChoice(1)
    assert choose_threads(None, 64, never) == ThreadChoice(2)  # from a larger machine
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert choose_threads(1, 1, never) == ThreadChoice(1)
    assert choose_threads(None, 1, never) == ThreadChoice(2)
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(threads, "usable_threads", lambda: 1)
    assert choose_threads(None, None, never) == ThreadChoice(1)


def test_both_are_timed_in_turns(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        threads, "time_counts", lambda step, counts: time_counts(step, counts, machine.clock)
    )
    found = choose_threads(None, None, lambda: machine.step)
    assert found.count == 2
    assert found.rates == pytest.approx({1: 5000.0, 2: 8000.0})
    assert found.images_per_s == pytest.approx(8000.0)
    assert machine.now < 2
    assert machine.count == 2  # as it was


def test_what_is_hopeless_is_not_timed_for_long(machine: Machine) -> None:
    """56 images/s: two threads beside several other programs."""
    machine.images_per_s[2] = 56.0
    rates = time_counts(machine.step, (1, 2), machine.clock)
    assert rates == pytest.approx({1: 5000.0, 2: 56.0})
    assert machine.steps[2] <= 6
    machine.images_per_s = {1: 20.0, 2: 15.0}  # a large network: a turn each, behind the first
    machine.now = 0.0
    time_counts(machine.step, (1, 2), machine.clock)
    assert machine.now < 80


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({1: 5300.0, 2: 8100.0}, 2),
        ({1: 5500.0, 2: 2100.0}, 1),
        ({1: 5000.0, 2: 5500.0}, 1),  # hardly faster: not worth another core
        ({1: 1.0, 4: 3.0, 16: 2.0}, 4),
        ({1: 1.0, 4: 3.0, 16: 9.0}, 16),
        ({1: 1.0, 4: 1.1, 16: 1.2}, 16),
    ],
)
def test_more_threads_have_to_be_worth_it(rates: dict[int, float], expected: int) -> None:
    assert fastest_count(rates) == expected


@pytest.mark.parametrize(
    ("torchs", "usable", "expected"),
    [(1, 2, (1,)), (2, 1, (1,)), (2, 2, (1, 2)), (8, 16, (1, 4, 8)), (64, 3, (1, 3))],
)
def test_candidates(
    monkeypatch: pytest.MonkeyPatch, torchs: int, usable: int, expected: tuple[int, ...]
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: torchs)
    monkeypatch.setattr(threads, "usable_threads", lambda: usable)
    assert threads.candidate_counts() == expected


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


TAUGHT = Distillation(("0" * 64,))
RECIPE = replace(recipe_for("edge-xs", "digits"), epochs=2, batch_size=64, synthetic_share=0.0)


@pytest.mark.usefixtures("two_threads")
def test_timing_changes_no_bit_of_what_is_trained(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "_ROUNDS", 1)
    few = digits.training[slice(0, 200)], digits.validation

    def trained(run: Path) -> Checkpoint:
        for _ in train(inputs(RECIPE, few), run, CPU):
            pass
        return load_checkpoint(run)

    plain = trained(tmp_path / "plain")
    state = torch.get_rng_state()
    rates = time_counts(trial_step(inputs(RECIPE, few), CPU), (1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == 2
    assert all(rate > 0 for rate in rates.values())
    again = trained(tmp_path / "again")
    torch.testing.assert_close(again.average, plain.average, atol=0, rtol=0)
    torch.testing.assert_close(again.optimizer, plain.optimizer, atol=0, rtol=0)
    assert again.trained["threads"] == 2


@pytest.mark.parametrize(
    "recipe", [RECIPE, replace(RECIPE, distillation=TAUGHT), Recipe("resnet20", "fashion-mnist")]
)
def test_a_trial_is_a_step_of_any_recipe(digits: Dataset, recipe: Recipe) -> None:
    training = digits.training
    step = trial_step(inputs(recipe, (training, training)), CPU)
    assert [step() for _ in range(3)] == [recipe.batch_size] * 3
    few = training[slice(0, 9)]
    assert trial_step(inputs(recipe, (few, few)), CPU)() == 9


def test_a_trial_of_fine_tuning_leaves_the_original_alone(digits: Dataset) -> None:
    network = build("edge-xs").eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    step = tuning_step(network, digits.train, RECIPE, Finetuning(batch_size=32))
    assert [step(), step()] == [32, 32]
    torch.testing.assert_close(dict(network.state_dict()), before, atol=0, rtol=0)


def test_a_run_that_goes_on_tells_its_threads(digits: Dataset, tmp_path: Path) -> None:
    few = digits.training[slice(0, 100)], digits.validation[slice(0, 100)]
    next(train(inputs(RECIPE, few), tmp_path, CPU))
    half = load_checkpoint(tmp_path)
    assert half.trained["threads"] == 1
    with threads.torch_threads(2):
        for _ in train(inputs(RECIPE, few), tmp_path, CPU, resume=half):
            pass
    assert load_checkpoint(tmp_path).trained == half.trained | {"threads": 2}
