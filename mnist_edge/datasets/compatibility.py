"""Whether the images of a data set are such as a model takes, and how they become so."""

from mnist_edge.dataset_names import has_folder
from mnist_edge.datasets.base import Dataset
from mnist_edge.errors import DataError
from mnist_edge.image_shape import Fit, ImageOptions, ImageShape


def options_as_trained(name: str, shape: ImageShape, fit: Fit) -> ImageOptions:
    """What to ask of a set for a model of this shape and fit: pictures of a folder become such
    images; those of a published set are what they are (see `check_shape`)."""
    return ImageOptions.of(shape, fit) if has_folder(name) else ImageOptions()


def check_shape(data: Dataset, shape: ImageShape, whose: str, advice: str) -> None:
    """DataError, which says both and ends with `advice`, for images of another shape than the model
    takes; `whose` names that."""
    if data.shape != shape:
        raise DataError(
            f"{data.name} has images of {data.shape}, and {whose} takes {shape}: {advice}"
        )
