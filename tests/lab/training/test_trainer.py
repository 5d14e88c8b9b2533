import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mnist_edge.datasets import Dataset, Split
from mnist_edge.errors import CheckpointError, EdgeError
from mnist_edge.lab.synthetic.outliers import draw_outliers
from mnist_edge.lab.training import trainer as lab
from mnist_edge.lab.training.augment import NO_AUGMENTATION, Augmentation
from mnist_edge.lab.training.checkpoint import CHECKPOINT, Checkpoint, load_checkpoint
from mnist_edge.lab.training.corruptions import Corruptions
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.events import EpochResult, StepResult
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.optimizer import build_optimizer
from mnist_edge.lab.training.recipe import Recipe, StrongAugmentation
from mnist_edge.lab.training.runs import train
from mnist_edge.metrics import softmax
from tests.lab.conftest import CPU, inputs

CLASSES = tuple("0123456789")
SHORT = Recipe("edge-xs", "digits", epochs=4, batch_size=32)
WIDE = replace(  # with all that a recipe can add
    SHORT,
    strong_augmentation=StrongAugmentation(
        0.5, corruptions=Corruptions(dilate=0.9, erode=0.9, blur=0.9, speckle=1.0, noise=0.1)
    ),
    synthetic_share=0.2,
    outlier_share=0.1,
)


@pytest.fixture(scope="module")
def few(digits: Dataset) -> tuple[Split, Split]:
    training, validation = digits.training, digits.validation
    return training[slice(0, 170)], validation[slice(0, 50)]


def epochs(
    recipe: Recipe, splits: tuple[Split, Split], run: Path, resume: Checkpoint | None = None
) -> Iterator[EpochResult]:
    return train(inputs(recipe, splits), run, CPU, resume=resume)


def complete(
    recipe: Recipe, splits: tuple[Split, Split], run: Path, resume: Checkpoint | None = None
) -> Checkpoint:
    for _ in epochs(recipe, splits, run, resume):
        pass
    return load_checkpoint(run)


def assert_same(one: Any, other: Any) -> None:
    """Bit for bit, through dicts and lists of tensors."""
    torch.testing.assert_close(one, other, atol=0, rtol=0, equal_nan=True)


def differs(one: Checkpoint, other: Checkpoint) -> bool:
    return any(not torch.equal(one.average[name], other.average[name]) for name in one.average)


@pytest.mark.parametrize("recipe", [SHORT, WIDE])
def test_same_seed_gives_the_same_bits(
    few: tuple[Split, Split], tmp_path: Path, recipe: Recipe
) -> None:
    one, other = (complete(recipe, few, tmp_path / name) for name in "ab")
    assert_same(one.network, other.network)
    assert_same(one.average, other.average)
    assert_same(one.optimizer, other.optimizer)


def test_the_global_random_state_changes_nothing_and_is_left_alone(
    few: tuple[Split, Split], tmp_path: Path
) -> None:
    torch.manual_seed(1)
    one = complete(SHORT, few, tmp_path / "a")
    torch.manual_seed(2)
    state = torch.get_rng_state()
    other = complete(SHORT, few, tmp_path / "b")
    assert_same(one.average, other.average)
    assert_same(torch.get_rng_state(), state)


def test_another_seed_gives_other_weights(few: tuple[Split, Split], tmp_path: Path) -> None:
    one = complete(SHORT, few, tmp_path / "a")
    assert differs(one, complete(replace(SHORT, seed=1), few, tmp_path / "b"))


@pytest.mark.parametrize(("recipe", "done"), [(SHORT, 1), (SHORT, 3), (WIDE, 2)])
def test_a_resumed_run_ends_bit_identical(
    few: tuple[Split, Split], tmp_path: Path, recipe: Recipe, done: int
) -> None:
    whole = complete(recipe, few, tmp_path / "whole")
    started = epochs(recipe, few, tmp_path / "cut")
    for _ in range(done):
        next(started)
    del started
    cut = load_checkpoint(tmp_path / "cut")
    assert cut.epochs_done == done
    resumed = complete(recipe, few, tmp_path / "cut", cut)
    assert_same(resumed.network, whole.network)
    assert_same(resumed.average, whole.average)
    assert_same(resumed.optimizer, whole.optimizer)
    assert [entry["loss"] for entry in resumed.history] == [e["loss"] for e in whole.history]
    assert [entry["epoch"] for entry in resumed.history] == [1, 2, 3, 4]


def test_resuming_a_complete_run_changes_nothing(few: tuple[Split, Split], tmp_path: Path) -> None:
    whole = complete(SHORT, few, tmp_path)
    assert_same(complete(SHORT, few, tmp_path, whole).average, whole.average)
    assert list(epochs(SHORT, few, tmp_path, whole)) == []


def test_validation_images_choose_nothing(few: tuple[Split, Split], tmp_path: Path) -> None:
    one = complete(SHORT, few, tmp_path / "a")
    noise = Split(255 - few[1].images[:20], few[1].labels[:20])
    other = complete(SHORT, (few[0], noise), tmp_path / "b")
    assert_same(one.average, other.average)
    assert other.history[-1]["validation_total"] == 20


def test_the_average_is_that_of_an_independent_loop(
    few: tuple[Split, Split], tmp_path: Path
) -> None:
    # One step an epoch, so that the checkpoints show the weights after every step.
    recipe = replace(SHORT, epochs=15, batch_size=170, ema_decay=0.5)
    torch.manual_seed(recipe.seed)
    initial = build("edge-xs").state_dict()
    names = [name for name, value in initial.items() if value.is_floating_point()]
    average = {name: initial[name].double().numpy() for name in names}
    for step, _ in enumerate(epochs(recipe, few, tmp_path)):
        saved = load_checkpoint(tmp_path)
        decay = min(0.5, (1 + step) / (10 + step))
        for name in names:
            now = saved.network[name].double().numpy()
            average[name] = decay * average[name] + (1 - decay) * now
            np.testing.assert_allclose(saved.average[name].numpy(), average[name], atol=1e-5)


def test_the_first_step_is_adamw_on_the_smoothed_loss(
    few: tuple[Split, Split], tmp_path: Path
) -> None:
    still = Augmentation(0, 0, 0, 0, 0)
    recipe = replace(SHORT, epochs=1, batch_size=170, augmentation=still, weight_decay=0.5)
    saved = complete(recipe, few, tmp_path)
    torch.manual_seed(recipe.seed)
    network = build("edge-xs").train()
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim == 1]
    build_optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.5}, {"params": others, "weight_decay": 0}],
        lr=recipe.lr,
    )
    logits = network(torch.from_numpy(few[0].images))
    targets = torch.eye(10)[torch.from_numpy(few[0].labels)] * 0.95 + 0.05 / 10
    loss = -(targets * logits.log_softmax(dim=1)).sum(dim=1).mean()
    loss.backward()
    build_optimizer.step()
    assert saved.history[0]["loss"] == pytest.approx(loss.item(), abs=1e-4)
    for name, value in network.state_dict().items():
        if name.endswith("weight") and value.ndim == 4:
            # Adam's first step is the gradient's sign: only where it is not rounding noise.
            close = torch.isclose(saved.network[name], value, atol=1e-5)
            assert close.float().mean() > 0.99


def test_it_learns(trained: Path) -> None:
    saved = load_checkpoint(trained)
    assert saved.history[-1]["validation_accuracy"] > 0.9
    assert saved.history[-1]["loss"] < saved.history[0]["loss"]
    assert saved.result is not None
    assert saved.result["correct"] / saved.result["total"] > 0.85


def test_it_learns_real_digits(mnist: Dataset, tmp_path: Path) -> None:
    recipe = replace(SHORT, dataset="mnist", epochs=2, lr=5e-3)
    splits = mnist.train[slice(0, 5000)], mnist.train[slice(5000, 6000)]
    assert complete(recipe, splits, tmp_path).history[-1]["validation_accuracy"] > 0.85


def test_what_is_no_digit_teaches_doubt(
    few: tuple[Split, Split], digits: Dataset, tmp_path: Path
) -> None:
    """Two short runs: the one that was shown non-digits is less sure of others of their kind."""
    strange = draw_outliers(100, digits.test, np.random.default_rng(9))
    sure = []
    for share in (0.0, 0.3):
        recipe = replace(SHORT, epochs=20, lr=5e-3, outlier_share=share)
        answers = (
            complete(recipe, few, tmp_path / str(share)).trained_network().predict_logits(strange)
        )
        sure.append(softmax(answers).max(axis=1).mean())
    assert sure[1] < sure[0] - 0.1


def test_finish_measures_the_average_on_the_test_split(trained: Path, digits: Dataset) -> None:
    saved = load_checkpoint(trained)
    network = build("edge-xs")
    network.load_state_dict(saved.average)
    with torch.no_grad():
        answers = network.eval()(torch.from_numpy(digits.test.images)).argmax(dim=1).numpy()
    correct = int((answers == digits.test.labels).sum())
    assert saved.result is not None
    whole = {"split": "test", "correct": correct, "total": len(digits.test)}
    assert whole.items() <= saved.result.items()
    recalls = saved.test_recalls
    assert sum(one.correct for one in recalls if one) == correct
    assert [one.total for one in recalls if one] == np.bincount(digits.test.labels).tolist()


def test_history_counts_the_averages_right_answers(
    trained: Path, digits: Dataset, few: tuple[Split, Split]
) -> None:
    saved = load_checkpoint(trained)
    validation = digits.validation
    answers = saved.trained_network().predict_logits(validation.images).argmax(axis=1)
    entry = saved.history[-1]
    assert entry["validation_correct"] == (answers == validation.labels).sum()
    assert entry["validation_total"] == len(validation)
    assert entry["validation_accuracy"] == entry["validation_correct"] / len(validation)


def test_a_checkpoint_lies_there_before_its_epoch_is_told(
    few: tuple[Split, Split], tmp_path: Path
) -> None:
    for result in epochs(SHORT, few, tmp_path):
        saved = load_checkpoint(tmp_path)
        assert saved.epochs_done == result.epoch
        assert saved.history[-1]["loss"] == result.loss
        assert result.validation_accuracy == saved.history[-1]["validation_accuracy"]
        assert result.images_per_s > 0
    assert result.epoch == result.epochs == 4


def test_one_who_does_not_lead_writes_nothing(few: tuple[Split, Split], tmp_path: Path) -> None:
    follower = ProcessGroup(1, 1, torch.device("cpu"))
    results = list(train(inputs(SHORT, few), tmp_path / "run", follower))
    assert [result.epoch for result in results] == [1, 2, 3, 4]
    assert not (tmp_path / "run").exists()


def test_the_watcher_sees_where_an_epoch_stands(
    few: tuple[Split, Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "_PROGRESS_EVERY_S", 0.0)
    seen: list[StepResult] = []
    recipe = replace(SHORT, epochs=2)
    for _ in train(inputs(recipe, few), tmp_path, CPU, watch=seen.append):
        pass
    assert [(now.epoch, now.step) for now in seen] == [(e, s) for e in (1, 2) for s in range(1, 6)]
    assert {(now.epochs, now.steps) for now in seen} == {(2, 5)}
    assert all(math.isfinite(now.loss) and now.images_per_s > 0 for now in seen)
    assert seen[-1].left_s == 0
    assert seen[0].left_s > 0


def test_a_diverged_loss_names_the_learning_rate(few: tuple[Split, Split], tmp_path: Path) -> None:
    recipe = replace(SHORT, lr=1e30)
    with pytest.raises(EdgeError, match="loss diverged in epoch 1: use a lower --lr"):
        complete(recipe, few, tmp_path)
    assert not (tmp_path / CHECKPOINT).exists()


def test_memory_that_runs_out_names_the_batch_size(
    few: tuple[Split, Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def epoch(*args: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nGPU 0 has…")

    monkeypatch.setattr(lab.Trainer, "epoch", epoch)
    with pytest.raises(EdgeError, match=r"batch size 32: use a smaller --batch-size") as raised:
        complete(SHORT, few, tmp_path)
    assert "\n" not in str(raised.value)


def test_a_batch_larger_than_the_set_is_the_set(few: tuple[Split, Split], tmp_path: Path) -> None:
    one = complete(replace(SHORT, batch_size=170), few, tmp_path / "a")
    assert_same(one.average, complete(replace(SHORT, batch_size=999), few, tmp_path / "b").average)


@pytest.mark.parametrize(("size", "batch"), [(2, 33), (3, 32), (32, 32)])
def test_a_batch_that_cannot_be_shared_is_refused(
    few: tuple[Split, Split], tmp_path: Path, size: int, batch: int
) -> None:
    crowd = ProcessGroup(0, size, torch.device("cpu"))
    with pytest.raises(EdgeError, match=f"a batch of {batch} images cannot be shared by {size} "):
        next(train(inputs(replace(SHORT, batch_size=batch), few), tmp_path, crowd))


def test_the_smallest_set_trains(digits: Dataset, tmp_path: Path) -> None:
    four = replace(digits, train=digits.train[slice(0, 4)])
    splits = (four.training, four.validation)
    saved = complete(replace(SHORT, epochs=2), splits, tmp_path)
    assert saved.history[-1]["validation_total"] == 1


def test_a_checkpoint_of_another_model_is_refused(few: tuple[Split, Split], tmp_path: Path) -> None:
    saved = complete(replace(SHORT, epochs=1), few, tmp_path)
    with pytest.raises(CheckpointError, match="does not fit a 'edge' of this version"):
        next(epochs(replace(SHORT, model="edge"), few, tmp_path, saved))


def test_a_checkpoint_of_other_classes_is_refused(few: tuple[Split, Split], tmp_path: Path) -> None:
    saved = replace(complete(replace(SHORT, epochs=1), few, tmp_path), classes=tuple("abcdefghij"))
    with pytest.raises(CheckpointError, match=r"started on the classes a, b, c, .* not 0, 1, 2"):
        next(epochs(SHORT, few, tmp_path, saved))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adamw", torch.optim.AdamW),
        ("adam", torch.optim.Adam),
        ("rmsprop", torch.optim.RMSprop),
        ("sgd", torch.optim.SGD),
    ],
)
def test_the_optimizer_is_the_recipes(name: str, kind: type) -> None:
    made = build_optimizer(build("edge-xs"), replace(SHORT, optimizer=name, lr=0.007))
    assert type(made) is kind
    assert {group["lr"] for group in made.param_groups} == {0.007}
    if name == "sgd":
        assert made.defaults["momentum"] == 0.9


def test_without_an_average_the_trained_network_is_the_last_one(
    few: tuple[Split, Split], tmp_path: Path
) -> None:
    saved = complete(replace(SHORT, epochs=2, ema_decay=0.0), few, tmp_path)
    for name, values in saved.average.items():
        if values.is_floating_point():  # the counters of batches are not averaged
            assert torch.equal(values, saved.network[name])


def test_a_watched_split_is_answered_after_every_epoch_and_changes_nothing(
    few: tuple[Split, Split], tmp_path: Path, digits: Dataset
) -> None:
    recipe = replace(SHORT, epochs=2)
    plain = complete(recipe, few, tmp_path / "a")
    asked = replace(inputs(recipe, few), watched=digits.test)
    watched = list(train(asked, tmp_path / "b", CPU))
    saved = load_checkpoint(tmp_path / "b")
    assert_same(saved.average, plain.average)
    answers = saved.trained_network().predict_logits(digits.test.images).argmax(axis=1)
    assert watched[-1].test_correct == (answers == digits.test.labels).sum()
    assert [entry["test_correct"] for entry in plain.history] == [None, None]


def test_training_accuracy_is_of_the_batches_that_have_a_class(
    few: tuple[Split, Split], tmp_path: Path
) -> None:
    plain = replace(
        WIDE, epochs=12, strong_augmentation=None, augmentation=NO_AUGMENTATION, outlier_share=0.3
    )
    *_, last = epochs(plain, few, tmp_path)
    assert 0.9 < last.training_accuracy <= 1  # of all, with what is nothing, it would be 0.7


def test_biases_and_batch_norms_are_not_decayed() -> None:
    network = build("edge-xs")
    groups = build_optimizer(network, SHORT).param_groups
    spared = {
        parameter
        for layer in network.modules()
        for name, parameter in layer.named_parameters(recurse=False)
        if isinstance(layer, nn.BatchNorm2d) or name == "bias"
    }
    assert [group["weight_decay"] for group in groups] == [SHORT.weight_decay, 0]
    assert set(groups[1]["params"]) == spared
    assert set(groups[0]["params"]) == set(network.parameters()) - spared
