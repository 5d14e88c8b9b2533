"""What a training run does, as one frozen value. Those that are shipped are in `recipes`."""

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mnist_edge.catalogue import DATASETS
from mnist_edge.dataset_names import parts_of, public_name
from mnist_edge.errors import EdgeError
from mnist_edge.image_kind import ImageKind
from mnist_edge.image_shape import ImageShape
from mnist_edge.lab.training.augment import NO_AUGMENTATION, Augmentation
from mnist_edge.lab.training.corruptions import Corruptions
from mnist_edge.lab.training.dataclass_schema import SchemaError, build_dataclass
from mnist_edge.lab.training.photograph_augmentation import PhotographAugmentation
from mnist_edge.model_file.older_names import rename_fields

OPTIMIZERS = ("adamw", "adam", "rmsprop", "sgd")
SCHEDULES = ("one-cycle", "steps", "constant")
MAX_EPOCHS = 10_000
_MAX_TEACHERS, _MAX_VIEWS = 100, 1000
_MIN_STEPS = 600  # fewer than this trains nothing well: small sets get more epochs
# Fields that recipes in files of version 1 do not have.
_LATER = (
    "photograph_augmentation",
    "class_weights",
    "pretrained",
    "part_share",
    "outlier_folder",
)


class RecipeError(EdgeError):
    """A field's value is out of its range."""

    def __init__(self, field: str, value: object) -> None:
        super().__init__(f"recipe: {field} cannot be {value}")
        self.field, self.value = field, value


@dataclass(frozen=True, slots=True)
class StrongAugmentation:
    """The `share` of every batch, 0..1, that gets a wider transform than the rest, and
    corruptions."""

    share: float = 0.5
    transform: Augmentation = field(default_factory=Augmentation)
    corruptions: Corruptions = field(default_factory=Corruptions)

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise EdgeError(f"recipe: the share of strong augmentation cannot be {self.share}")


@dataclass(frozen=True, slots=True)
class Distillation:
    """What teachers add: `share` of the loss asks for the mean of their probabilities, at
    `temperature`, in place of the label (Hinton et al. 2015, arXiv 1503.02531).

    They see what the student sees, which is what makes them good teachers (Beyer et al. 2021,
    arXiv 2106.05237): `views` warped copies of every training image, the same for every seed,
    which they answer once; each epoch learns from one of them. `teachers` are the SHA-256 of
    their checkpoints, `models` their names in the zoo.
    """

    teachers: tuple[str, ...]
    models: tuple[str, ...] = ()
    views: int = 8
    share: float = 0.7
    temperature: float = 2.0

    def __post_init__(self) -> None:
        for name in ("teachers", "models"):  # lists, in JSON
            object.__setattr__(self, name, tuple(getattr(self, name)))
        rules = {
            "teachers": 1 <= len(self.teachers) <= _MAX_TEACHERS,
            "models": len(self.models) <= _MAX_TEACHERS,
            "views": 1 <= self.views <= _MAX_VIEWS,
            "share": 0 < self.share <= 1,
            "temperature": 0 < self.temperature < math.inf,
        }
        for name, right in rules.items():
            if not right:
                raise EdgeError(f"distillation: {name} cannot be {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What a run started from in place of random weights: a file or a run by its `name`, without
    the way to it, the SHA-256 of the file or of the run's checkpoint, and the data set that it was
    trained on."""

    name: str
    sha256: str
    dataset: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """An optimizer under a learning rate's schedule, label smoothing, and an EMA of the weights.

    `lr` is the peak. Under the schedule "one-cycle", `warmup` is the fraction of all steps that
    rise to it, and the rest falls to 0 along a cosine (Smith 2018, arXiv 1803.09820); under
    "steps" it falls to a tenth after half of all steps, and to a tenth of that after three
    quarters (He et al. 2015, section 4.2). `ema_decay` is per step; 0 is no average. `images` is
    how many of the training images there are to be, None for all. `shortcut` is None where the
    model has no choice. What follows `augmentation` is for digits in MNIST's form, and means
    nothing on other data sets: `strong_augmentation` of a part of every batch, and the parts of all
    training images that are synthetic digits, and outliers (no digits at all).
    `photograph_augmentation` is None where the images are glyphs; with it, what `augmentation`
    moves comes before it, and is mirrored at the border. `class_weights` are those of the losses of
    each class's images, () where all count alike. `pretrained` is what it starts from, None for
    random weights. `part_share` is of a joined data set: the training images of its smaller parts
    are repeated until they are that share of the largest's. `outlier_folder` is where pictures of
    no class lie that are no part of the data set.
    """

    model: str = "edge"
    dataset: str = "mnist"
    epochs: int = 20
    batch_size: int = 128
    lr: float = 3e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    ema_decay: float = 0.998
    warmup: float = 0.2
    optimizer: str = "adamw"
    schedule: str = "one-cycle"
    images: int | None = None
    seed: int = 0
    shortcut: str | None = None
    augmentation: Augmentation = field(default_factory=Augmentation)
    strong_augmentation: StrongAugmentation | None = None
    synthetic_share: float = 0.0
    outlier_share: float = 0.0
    distillation: Distillation | None = None
    photograph_augmentation: PhotographAugmentation | None = None
    class_weights: tuple[float, ...] = ()
    pretrained: Pretrained | None = None
    part_share: float | None = None
    outlier_folder: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_weights", tuple(self.class_weights))  # a list, in JSON
        rules = {
            "epochs": 1 <= self.epochs <= MAX_EPOCHS,
            "batch_size": self.batch_size >= 2,  # batch norm has no variance from one image
            "lr": 0 < self.lr < math.inf,
            "weight_decay": 0 <= self.weight_decay < math.inf,
            "label_smoothing": 0 <= self.label_smoothing < 1,
            "ema_decay": 0 <= self.ema_decay < 1,
            "warmup": 0 < self.warmup < 1,
            "optimizer": self.optimizer in OPTIMIZERS,
            "schedule": self.schedule in SCHEDULES,
            "images": self.images is None or self.images >= 2,
            "seed": 0 <= self.seed < 2**31,
            "synthetic_share": 0 <= self.synthetic_share <= 0.5,
            "part_share": self.part_share is None or 0 < self.part_share <= 1,
            "class_weights": all(0 < weight < math.inf for weight in self.class_weights),
            "outlier_share": 0 <= self.outlier_share <= 0.4,
        }
        for name, right in rules.items():
            if not right:
                raise RecipeError(name, getattr(self, name))

    @property
    def of_digits(self) -> bool:
        """Whether it trains on the ten digits in MNIST's form."""
        first = parts_of(self.dataset)[0]  # whose classes come first in a joined set
        return first in DATASETS and DATASETS[first].mnist_digits

    @property
    def outlier_path(self) -> Path | None:
        """The way to the folder of pictures of no class, None without one."""
        return Path(self.outlier_folder) if self.outlier_folder else None

    @property
    def kind(self) -> ImageKind:
        """What it takes its images to be of."""
        is_glyphs = self.photograph_augmentation is None
        return ImageKind.GLYPHS if is_glyphs else ImageKind.PHOTOGRAPHS

    def learning_rate(self, step: int, steps: int) -> float:
        """The learning rate of `step` (from 0) out of `steps`: a pure function, so a resumed run
        needs no schedule of its own."""
        if self.schedule == "constant":
            return self.lr
        if self.schedule == "steps":
            return self.lr * 0.1 ** ((2 * step >= steps) + (4 * step >= 3 * steps))
        rise = max(1, round(steps * self.warmup))
        if step < rise:
            return self.lr * (step + 1) / rise
        fraction = (step - rise) / max(1, steps - rise)
        return self.lr * 0.5 * (1 + math.cos(math.pi * fraction))

    def with_enough_epochs(self, training_images: int) -> "Recipe":
        """The same recipe with epochs enough for a small training set, whose epochs are short."""
        steps = max(1, training_images // self.batch_size)
        return replace(self, epochs=max(self.epochs, math.ceil(_MIN_STEPS / steps)))

    def for_shape(self, shape: ImageShape) -> "Recipe":
        """The same recipe, without what images of a shape do not have: grey has no saturation."""
        photographs = self.photograph_augmentation
        if photographs is None or shape.is_color:
            return self
        return replace(self, photograph_augmentation=replace(photographs, saturation=0.0))

    def for_timing(self) -> "Recipe":
        """The same steps, for a trial: without what is prepared before the first of them (digits
        that are drawn, images that teachers have seen), and at a rate that lets nothing diverge."""
        plan = replace(self, lr=1e-6, synthetic_share=0.0, outlier_share=0.0)
        if self.distillation is None:
            return plan
        return replace(
            plan,
            distillation=None,
            augmentation=NO_AUGMENTATION,
            strong_augmentation=None,
            photograph_augmentation=None,
        )

    def without_paths(self) -> "Recipe":
        """As a file may tell it: folders by their names, without the way to them."""
        outliers = self.outlier_path.name if self.outlier_path else None
        return replace(self, dataset=public_name(self.dataset), outlier_folder=outliers)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, for checkpoints and metadata. What only later versions know
        is left out where it is off: files of digits stay as they were."""
        values = asdict(self)
        return {name: one for name, one in values.items() if one or name not in _LATER}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Recipe":
        """The inverse of `as_dict`, of older versions too: what they did not know is off.

        Raises EdgeError for fields that a recipe does not have, or values of another type.
        """
        try:
            return build_dataclass(cls, rename_fields(values), "recipe")
        except SchemaError as error:
            raise EdgeError(f"this recipe is not of this version of mnist-edge: {error}") from error
