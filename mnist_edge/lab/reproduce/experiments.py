"""What can be reproduced: each experiment, what was claimed of it, and what is trained for it."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from itertools import chain

from mnist_edge import catalogue
from mnist_edge.catalogue import DATASETS, NETWORKS, SHORTCUTS
from mnist_edge.errors import UsageError
from mnist_edge.lab.training.augment import NO_AUGMENTATION
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.recipes import recipe_for

SIZES = ("small", "full")
WATCHED_VALIDATION = 1000  # validation images of watched runs, which choose nothing


@dataclass(frozen=True, slots=True)
class Options:
    """What a person may ask for. `seeds` None leaves their number to the experiment, `epochs` None
    theirs to the recipe; `only` () asks for all parts."""

    dataset: str = "mnist"
    size: str = "small"
    seeds: int | None = None
    epochs: int | None = None
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise UsageError(f"there is no size '{self.size}': choose one of {', '.join(SIZES)}")
        if self.dataset not in DATASETS:
            raise UsageError(
                f"nothing is reproduced on '{self.dataset}': choose one of {', '.join(DATASETS)}"
            )


@dataclass(frozen=True, slots=True)
class Run:
    """One training: its folder's name, the part of the experiment that it belongs to, its recipe.

    `teacher` is the run that it learns from, None for one that learns from labels alone. A
    `watched` run answers the test split after every epoch, for a curve.
    """

    name: str
    part: str
    recipe: Recipe
    teacher: "Run | None" = None
    watched: bool = False


Plan = Callable[[Options, int, int], tuple[Run, ...]]
"""The trainings that options ask for, on so many training images, over so many seeds."""


@dataclass(frozen=True, slots=True)
class Experiment(catalogue.Experiment):
    """An experiment of the catalogue, and what is trained for it."""

    plan: Plan = field(kw_only=True)

    @classmethod
    def of(cls, name: str, plan: Plan) -> "Experiment":
        described = catalogue.EXPERIMENTS[name]
        values = {one.name: getattr(described, one.name) for one in fields(described)}
        return cls(**values, plan=plan)

    def runs(self, options: Options, images: int) -> tuple[Run, ...]:
        """The trainings of all parts, on so many training images."""
        return self.plan(options, images, (options.seeds or self.seeds) if self.seeds else 1)

    def selected_runs(self, options: Options, images: int) -> tuple[Run, ...]:
        """The runs of the parts that are asked for. EdgeError for a part that it has not."""
        runs = self.runs(options, images)
        parts = tuple(dict.fromkeys(run.part for run in runs))
        for name in options.only:
            if name not in parts:
                raise UsageError(
                    f"{self.name} has no part '{name}': choose of {', '.join(parts)}, with commas"
                )
        return tuple(run for run in runs if not options.only or run.part in options.only)

    def folder_name(self, options: Options) -> str:
        """Of its runs and results: tries and other settings do not lie in each other's way."""
        parts = [self.name]
        if options.dataset != "mnist":
            parts.append(options.dataset)
        if self.sized and options.size != SIZES[0]:
            parts.append(options.size)
        if options.epochs is not None:
            parts.append(f"{options.epochs}-epoch{'s' * (options.epochs > 1)}")
        return "-".join(parts)


# Nothing but the optimizer: no schedule, decay, smoothing, average or augmentation.
_PLAIN = Recipe(
    weight_decay=0.0,
    label_smoothing=0.0,
    ema_decay=0.0,
    schedule="constant",
    augmentation=NO_AUGMENTATION,
)
_THREE_BLOCK = replace(
    _PLAIN, model="resnet3", optimizer="adam", lr=1e-3, epochs=10, batch_size=128
)
_ONE_EPOCH = replace(
    _PLAIN, model="resnet18", optimizer="rmsprop", lr=5e-3, epochs=1, batch_size=64
)
# He et al. 2015, section 4.2: momentum 0.9, batch 128, and a crop within a border of 4 pixels,
# which is a shift by an eighth of a side.
_CIFAR = replace(
    _PLAIN,
    optimizer="sgd",
    schedule="steps",
    lr=0.1,
    weight_decay=1e-4,
    batch_size=128,
    augmentation=replace(NO_AUGMENTATION, shift=0.125),
)
_PAPER_EPOCHS = 149  # 64 k steps of 128 images
# At 0.1, resnet56 needs a third of these 936 steps to begin, and trains worse than resnet20
# (1.27 against 0.58 % training error on MNIST): that is the rate's doing, and not the depth's.
_DEPTH_SMALL = replace(_CIFAR, lr=0.02, images=10_000, epochs=12)
_SHORTCUTS_SMALL = replace(_CIFAR, images=20_000, epochs=8)

DEPTH_NETWORKS = ("plain20", "plain56", "resnet20", "resnet56")
_TEACHER, _STUDENTS = "resnet3", ("edge", "edge-xs")


def _with_options(recipe: Recipe, options: Options) -> Recipe:
    epochs = recipe.epochs if options.epochs is None else options.epochs
    return replace(recipe, dataset=options.dataset, epochs=epochs)


def _over_seeds(recipe: Recipe) -> Plan:
    """One recipe over seeds."""
    return lambda options, images, seeds: tuple(
        Run(
            f"{recipe.model}-{seed}",
            recipe.model,
            replace(_with_options(recipe, options), seed=seed),
        )
        for seed in range(seeds)
    )


def _depth(options: Options, images: int, seeds: int) -> tuple[Run, ...]:
    base = _sized(_DEPTH_SMALL, options)
    # Where skips have a choice of shortcut, the first: that which adds no parameter.
    shortcuts = {name: (*NETWORKS[name].shortcuts, None)[0] for name in DEPTH_NETWORKS}
    return tuple(
        Run(name, name, replace(base, model=name, shortcut=shortcut), watched=True)
        for name, shortcut in shortcuts.items()
    )


def _shortcuts(options: Options, images: int, seeds: int) -> tuple[Run, ...]:
    base = _sized(_SHORTCUTS_SMALL, options)
    return tuple(
        Run(f"{kind}-{seed}", kind, replace(base, model="resnet20", shortcut=kind, seed=seed))
        for seed in range(seeds)  # a seed of both, then the next: what is done compares
        for kind in SHORTCUTS
    )


def _sized(small: Recipe, options: Options) -> Recipe:
    """A recipe in the small size, or the paper's in full."""
    full = replace(_CIFAR, epochs=_PAPER_EPOCHS)
    return _with_options(small if options.size == SIZES[0] else full, options)


def _best(options: Options, images: int, seeds: int) -> tuple[Run, ...]:
    def runs(model: str, teacher: Run | None = None) -> list[Run]:
        recipe = replace(recipe_for(model, options.dataset), distillation=None)
        recipe = _with_options(recipe.with_enough_epochs(images), options)
        part = f"{model}-taught" if teacher else model
        return [
            Run(f"{part}-{seed}", part, replace(recipe, seed=seed), teacher)
            for seed in range(seeds)
        ]

    teachers = runs(_TEACHER)
    students = [runs(model, teacher) for teacher in (None, teachers[0]) for model in _STUDENTS]
    return (*teachers, *chain.from_iterable(students))


EXPERIMENTS: dict[str, Experiment] = {
    name: Experiment.of(name, plan)
    for name, plan in (
        ("three-block", _over_seeds(_THREE_BLOCK)),
        ("resnet18-one-epoch", _over_seeds(_ONE_EPOCH)),
        ("depth", _depth),
        ("shortcuts", _shortcuts),
        ("best", _best),
    )
}


def experiment(name: str) -> Experiment:
    """The experiment of a name. EdgeError for an unknown one."""
    if name not in EXPERIMENTS:
        raise UsageError(f"there is no experiment '{name}': choose one of {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]
