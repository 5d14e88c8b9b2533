"""The recipes that are shipped: one per model of the zoo and kind of images."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mnist_edge.catalogue import DATASETS
from mnist_edge.dataset_names import parts_of
from mnist_edge.datasets import Dataset
from mnist_edge.datasets.class_names import composed
from mnist_edge.datasets.concatenated import repeat_small_parts
from mnist_edge.errors import CheckpointError, UsageError
from mnist_edge.image_kind import ImageKind
from mnist_edge.lab.training.augment import NO_AUGMENTATION, Augmentation
from mnist_edge.lab.training.class_weights import IMBALANCED_FROM, class_weights, imbalance
from mnist_edge.lab.training.corruptions import Corruptions
from mnist_edge.lab.training.models import architecture
from mnist_edge.lab.training.photograph_augmentation import PhotographAugmentation
from mnist_edge.lab.training.recipe import Pretrained, Recipe, StrongAugmentation

_MODEL, _DATASET = "edge", "mnist"

# Chosen on validation images, as they are and as other pens and cameras would have left them.
_STRONG_AUGMENTATION = StrongAugmentation(
    share=0.5,
    transform=Augmentation(rotation_deg=18.0, scale=0.18, shear=0.25, shift=0.10, elastic_px=0.9),
    corruptions=Corruptions(
        probability=0.3,
        erode=0.8,
        dilate=1.0,
        blur=0.8,
        dropout=1.2,
        speckle=1.1,
        downsample=0.8,
        contrast=4.0,
        gamma=0.6,
        fade=0.4,
        noise=0.12,
    ),
)
_SYNTHETIC_SHARE, _OUTLIER_SHARE = 0.12, 0.08

RECIPES: dict[str, Recipe] = {
    "edge": Recipe(
        model="edge",
        epochs=60,
        lr=4e-3,
        weight_decay=0.05,
        ema_decay=0.999,
        strong_augmentation=_STRONG_AUGMENTATION,
        synthetic_share=_SYNTHETIC_SHARE,
        outlier_share=_OUTLIER_SHARE,
    ),
    "edge-xs": Recipe(
        model="edge-xs",
        epochs=60,
        lr=5e-3,
        label_smoothing=0.02,
        strong_augmentation=_STRONG_AUGMENTATION,
        synthetic_share=_SYNTHETIC_SHARE,
        outlier_share=_OUTLIER_SHARE,
    ),
    "resnet3": Recipe(
        model="resnet3",
        epochs=16,
        lr=1e-3,
        weight_decay=0.05,
        label_smoothing=0.02,  # little: smoothed teachers teach less (Müller et al. 2019)
        ema_decay=0.999,
        strong_augmentation=_STRONG_AUGMENTATION,
        synthetic_share=_SYNTHETIC_SHARE,
        outlier_share=_OUTLIER_SHARE,
    ),
    "resnet8": Recipe(model="resnet8", epochs=20, lr=4e-3),
    "resnet18": Recipe(model="resnet18", epochs=12, lr=1e-3),
    "resnet20": Recipe(model="resnet20", epochs=16),
    "resnet56": Recipe(model="resnet56", epochs=16, lr=2e-3),
    "plain20": Recipe(model="plain20", epochs=16),
    "plain56": Recipe(model="plain56", epochs=16, lr=1e-3),
}


# A network of few parameters learns less from images that are changed much.
_LIGHT = PhotographAugmentation(brightness=0.1, contrast=0.1, saturation=0.1, cutout=0.0)

_SGD = Recipe(
    optimizer="sgd",
    lr=0.1,
    weight_decay=5e-4,
    ema_decay=0.999,
    augmentation=NO_AUGMENTATION,
    photograph_augmentation=PhotographAugmentation(),
)

PHOTOGRAPH_RECIPES: dict[str, Recipe] = {
    "edge": Recipe(
        model="edge",
        epochs=60,
        lr=4e-3,
        weight_decay=0.05,
        ema_decay=0.999,
        augmentation=NO_AUGMENTATION,
        photograph_augmentation=_LIGHT,
    ),
    "resnet8": replace(
        _SGD, model="resnet8", epochs=100, label_smoothing=0.0, photograph_augmentation=_LIGHT
    ),
    "resnet20": replace(_SGD, model="resnet20", epochs=120),
}

# Chosen on hands and draws of their own, see docs/fine-tuning.md; the first is a share.
_FINE_TUNING_LR, _FINE_TUNING_EPOCHS = 0.05, 2
_FINE_TUNING_WARMUP, _FINE_TUNING_EMA_DECAY = 0.1, 0.99
# A last layer for new classes begins with random weights: of 382 UCI digits under new names, 231
# are right after 165 steps without this, 374 with it.
_NEW_CLASSES_LR = 5.0
_PART_SHARE = 0.1  # of the largest part of a joined data set


@dataclass(frozen=True, slots=True)
class RecipeRequest:
    """What a person asks of a recipe: `fields` by their names; the `kind` of the images, whether
    photographs are mirrored, and whether the classes' losses are weighted, None where the data and
    the recipe decide; what is fine-tuned, if anything is, and the
    classes that it knows."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    kind: ImageKind | None = None
    flip: bool | None = None
    balance: bool | None = None
    pretrained: Pretrained | None = None
    pretrained_classes: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        return str(self.fields.get("model", _MODEL))

    def resolve(self, found: ImageKind | None = None) -> Recipe:
        """The model's own recipe for images that were `found` to be of a kind, with what is asked
        for. RecipeError for a field that cannot have its value, UsageError for an unknown model,
        and for what digits or glyphs cannot be.

        Of a folder, before it is read, it is preliminary.
        """
        dataset = self.fields.get("dataset", _DATASET)
        kind = self.kind or found or _published_kind(dataset)
        own = recipe_for(self.model, dataset, kind)
        if self.pretrained:
            own = for_fine_tuning(own, self.pretrained)
        if len(parts_of(dataset)) > 1:
            own = replace(own, part_share=_PART_SHARE)
        recipe = replace(own, **self.fields)
        if recipe.of_digits and kind is not ImageKind.GLYPHS:
            raise UsageError(f"{dataset} is of digits, which are glyphs: leave --kind away")
        return self.change(recipe) if kind else recipe

    def for_data(self, data: Dataset) -> Recipe:
        """The recipe for a data set: by the kind and the number of its images, and by how many of
        them each class has."""
        recipe = self.resolve(data.kind).for_shape(data.shape)
        training = repeat_small_parts(data, recipe.part_share)
        labels, classes = training.labels, len(data.classes)
        is_imbalanced = imbalance(labels, classes) >= IMBALANCED_FROM
        if is_imbalanced if self.balance is None else self.balance:
            recipe = replace(recipe, class_weights=class_weights(labels, classes))
        is_new = not set(map(composed, data.classes)) <= set(map(composed, self.pretrained_classes))
        if self.pretrained and is_new and "lr" not in self.fields:
            recipe = replace(recipe, lr=recipe.lr * _NEW_CLASSES_LR)
        return recipe if "epochs" in self.fields else recipe.with_enough_epochs(len(labels))

    def check(self, saved: Recipe) -> None:
        """CheckpointError where a saved run was begun with another kind, or other weights."""
        again = "train again without --resume"
        if self.kind not in (None, saved.kind):
            raise CheckpointError(f"this run was trained as {saved.kind}, not {self.kind}: {again}")
        photographs = saved.photograph_augmentation
        if photographs and self.flip not in (None, photographs.flip):
            with_or_without = "with" if photographs.flip else "without"
            raise CheckpointError(f"this run was trained {with_or_without} flips: {again}")
        if self.balance not in (None, bool(saved.class_weights)):
            with_or_without = "with" if saved.class_weights else "without"
            raise CheckpointError(
                f"this run was trained {with_or_without} weights of its classes: {again}"
            )

    def change(self, recipe: Recipe) -> Recipe:
        """A recipe for images of a known kind, mirroring them or not as is asked for."""
        photographs = recipe.photograph_augmentation
        if self.flip is None or (photographs is None and not self.flip):
            return recipe
        if photographs is None:
            if recipe.of_digits:
                raise UsageError(f"{recipe.dataset} is of digits, which are not mirrored")
            raise UsageError(
                "--flip is for photographs: mirrored glyphs are others. --kind photographs says "
                "that these images are no glyphs"
            )
        return replace(recipe, photograph_augmentation=replace(photographs, flip=self.flip))


def _photograph_recipe(model: str) -> Recipe:
    """That of a model, edge's for a chain; where the zoo's has none of its own, what it has for
    glyphs with the usual augmentation of photographs."""
    if own := PHOTOGRAPH_RECIPES.get(model):
        return own
    if model not in RECIPES:
        return PHOTOGRAPH_RECIPES["edge"]
    return replace(
        RECIPES[model],
        augmentation=NO_AUGMENTATION,
        photograph_augmentation=PhotographAugmentation(),
    )


def recipe_for(model: str, dataset: str = "mnist", kind: ImageKind | None = None) -> Recipe:
    """The shipped recipe of a model for images of a kind, edge's for a chain, without what means
    nothing on a data set of other things than digits.

    Without a `kind` it is the data set's own, where the catalogue says it, else glyphs. Raises
    EdgeError for an unknown name.
    """
    architecture(model)
    is_glyphs = (kind or _published_kind(dataset)) is not ImageKind.PHOTOGRAPHS
    own = RECIPES.get(model, RECIPES["edge"]) if is_glyphs else _photograph_recipe(model)
    recipe = replace(own, model=model, dataset=dataset)
    if recipe.of_digits:
        return recipe
    return replace(recipe, strong_augmentation=None, synthetic_share=0.0, outlier_share=0.0)


def for_fine_tuning(recipe: Recipe, pretrained: Pretrained) -> Recipe:
    """A recipe for the steps that follow a training: a lower learning rate, fewer epochs."""
    return replace(
        recipe,
        lr=recipe.lr * _FINE_TUNING_LR,
        epochs=_FINE_TUNING_EPOCHS,
        warmup=_FINE_TUNING_WARMUP,
        ema_decay=_FINE_TUNING_EMA_DECAY,
        pretrained=pretrained,
    )


def _published_kind(dataset: str) -> ImageKind | None:
    """Of a set of the catalogue, where that says it."""
    first = parts_of(dataset)[0]
    return DATASETS[first].kind if first in DATASETS else None
