"""Whether the images of a data set are such as a model takes, and how they become so."""

from mnist_edge.catalogue import DATASETS
from mnist_edge.dataset_names import has_folder, parts_of
from mnist_edge.datasets.base import Dataset
from mnist_edge.errors import DataError
from mnist_edge.image_shape import Fit, ImageOptions, ImageShape


def options_as_trained(name: str, shape: ImageShape, fit: Fit) -> ImageOptions:
    """What to ask of a set for a model of this shape and fit: pictures of a folder become such
    images; those of a published set are what they are (see `check_shape`), or grey."""
    if has_folder(name):
        return ImageOptions.of(shape, fit)
    return ImageOptions(color=None if shape.is_color else False)


def check_shape(data: Dataset, shape: ImageShape, whose: str, advice: str) -> None:
    """DataError, which says both and ends with `advice`, for images of another shape than the model
    takes; `whose` names that."""
    if data.shape != shape:
        raise _misfit(data.name, data.shape, shape, whose, advice)


def check_published_shape(name: str, shape: ImageShape, whose: str, advice: str) -> None:
    """`check_shape` for what the catalogue knows, before any of it is fetched."""
    for part in parts_of(name):
        if part in DATASETS and not DATASETS[part].shape.can_become(shape):
            raise _misfit(part, DATASETS[part].shape, shape, whose, advice)


def _misfit(name: str, has: ImageShape, takes: ImageShape, whose: str, advice: str) -> DataError:
    return DataError(f"{name} has images of {has}, and {whose} takes {takes}: {advice}")
