"""What the experiments plan to train: the recipes of their originals, and comparable runs."""

from dataclasses import replace

import pytest

from mnist_edge.catalogue import DATASETS
from mnist_edge.errors import EdgeError
from mnist_edge.lab.reproduce.experiments import (
    EXPERIMENTS,
    SIZES,
    Options,
    experiment,
)
from mnist_edge.lab.training.layer_summary import cost
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.recipes import recipe_for

IMAGES = 55_000


@pytest.mark.parametrize("depth", [20, 56])
def test_option_a_adds_no_parameter(depth: int) -> None:
    """He et al. 2015: identity shortcuts cost nothing; projections do."""
    plain = cost(build(f"plain{depth}"))
    zero = cost(build(f"resnet{depth}", shortcut="zero"))
    projection = cost(build(f"resnet{depth}", shortcut="projection"))
    assert zero == plain
    # two 1×1 convolutions, 16 to 32 and 32 to 64 channels, and their batch norms
    assert projection.params - zero.params == 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert projection.macs - zero.macs == 16 * 32 * 14 * 14 + 32 * 64 * 7 * 7


def test_the_classics_train_as_their_authors_did() -> None:
    (three,) = EXPERIMENTS["three-block"].runs(Options(), IMAGES)
    one, *others = EXPERIMENTS["resnet18-one-epoch"].runs(Options(), IMAGES)
    assert [run.recipe for run in others] == [replace(one.recipe, seed=seed) for seed in (1, 2)]
    recipe = three.recipe
    assert (recipe.model, recipe.optimizer, recipe.lr) == ("resnet3", "adam", 1e-3)
    assert (recipe.epochs, recipe.batch_size) == (10, 128)
    recipe = one.recipe
    assert (recipe.model, recipe.optimizer, recipe.lr) == ("resnet18", "rmsprop", 0.005)
    assert (recipe.epochs, recipe.batch_size) == (1, 64)
    for run in (three, one):
        recipe = run.recipe
        assert recipe.learning_rate(0, 100) == recipe.learning_rate(99, 100) == recipe.lr
        assert (recipe.weight_decay, recipe.label_smoothing, recipe.ema_decay) == (0, 0, 0)
        assert not recipe.augmentation.moves
        assert recipe.strong_augmentation is None
        assert recipe.synthetic_share == recipe.outlier_share == 0


@pytest.mark.parametrize("size", SIZES)
def test_only_the_network_differs_between_the_depths(size: str) -> None:
    runs = EXPERIMENTS["depth"].runs(Options(size=size), IMAGES)
    assert [run.name for run in runs] == ["plain20", "plain56", "resnet20", "resnet56"]
    assert all(run.watched for run in runs)
    assert len({replace(run.recipe, model="edge", shortcut=None) for run in runs}) == 1
    assert [run.recipe.shortcut for run in runs] == [None, None, "zero", "zero"]


def test_the_full_size_is_the_papers() -> None:
    for name in ("depth", "shortcuts"):
        (recipe, *_) = (run.recipe for run in EXPERIMENTS[name].runs(Options(size="full"), IMAGES))
        steps = IMAGES // recipe.batch_size * recipe.epochs
        assert steps == pytest.approx(64_000, rel=0.01)
        assert recipe.learning_rate(0, steps) == 0.1
        assert recipe.learning_rate(33_000, steps) == pytest.approx(0.01)


def test_few_steps_of_deep_networks_are_taken_at_a_lower_rate() -> None:
    for size, rate in (("small", 0.02), ("full", 0.1)):
        runs = EXPERIMENTS["depth"].runs(Options(size=size), IMAGES)
        assert {run.recipe.lr for run in runs} == {rate}


def test_shortcuts_come_in_pairs_of_the_same_seed() -> None:
    runs = EXPERIMENTS["shortcuts"].runs(Options(seeds=2), IMAGES)
    assert [run.name for run in runs] == ["zero-0", "projection-0", "zero-1", "projection-1"]
    for zero, projection in zip(runs[::2], runs[1::2], strict=True):
        assert replace(zero.recipe, shortcut="projection") == projection.recipe


def test_the_best_train_by_the_shipped_recipes_alone_and_taught() -> None:
    runs = {run.name: run for run in EXPERIMENTS["best"].runs(Options(seeds=2), IMAGES)}
    assert len(runs) == 2 * 5
    for model in ("resnet3", "edge", "edge-xs"):
        assert runs[f"{model}-1"].recipe == replace(recipe_for(model), seed=1, distillation=None)
    for model in ("edge", "edge-xs"):
        taught = runs[f"{model}-taught-1"]
        assert taught.recipe == runs[f"{model}-1"].recipe
        assert taught.teacher == runs["resnet3-0"]


def test_small_sets_get_more_epochs_of_our_recipes_unless_told() -> None:
    def epochs(options: Options) -> set[int]:
        return {run.recipe.epochs for run in EXPERIMENTS["best"].runs(options, 1274)}

    assert all(count * (1274 // 128) >= 600 for count in epochs(Options(dataset="digits")))
    assert epochs(Options(dataset="digits", epochs=2)) == {2}


def test_other_settings_have_other_folders() -> None:
    depth, best = EXPERIMENTS["depth"], EXPERIMENTS["best"]
    assert depth.folder_name(Options()) == "depth"
    assert depth.folder_name(Options(size="full", dataset="digits")) == "depth-digits-full"
    assert depth.folder_name(Options(epochs=1)) == "depth-1-epoch"
    assert best.folder_name(Options(size="full", seeds=5, epochs=2)) == "best-2-epochs"


def test_parts_can_be_asked_for() -> None:
    best = EXPERIMENTS["best"]
    runs = best.selected_runs(Options(seeds=1, only=("edge-xs", "edge")), IMAGES)
    assert [run.name for run in runs] == ["edge-0", "edge-xs-0"]
    with pytest.raises(EdgeError, match=r"best has no part 'lenet': choose of resnet3, edge, "):
        best.selected_runs(Options(only=("lenet",)), IMAGES)


def test_what_does_not_exist_is_said_with_what_does() -> None:
    with pytest.raises(EdgeError, match=f"'x': choose one of {', '.join(EXPERIMENTS)}"):
        experiment("x")
    with pytest.raises(EdgeError, match=f"'x': choose one of {', '.join(SIZES)}"):
        Options(size="x")
    with pytest.raises(EdgeError, match=f"'x': choose one of {', '.join(DATASETS)}"):
        Options(dataset="x")
