"""The data to score contenders on, and the images to time them with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from mnist_edge import datasets
from mnist_edge.backends import Contender, Examples, ModelInfo
from mnist_edge.backends.registry import FOREIGN_FIT
from mnist_edge.backends.timing_images import sample_images
from mnist_edge.benchmark.record import Data
from mnist_edge.datasets import Dataset, Split
from mnist_edge.datasets.class_names import align_classes
from mnist_edge.datasets.compatibility import (
    check_published_shape,
    check_shape,
    options_as_trained,
)
from mnist_edge.errors import DataError, EdgeError, try_each
from mnist_edge.image_shape import MNIST_SHAPE, ImageOptions, ImageShape
from mnist_edge.types import Images

_TIMED_IMAGES = 1000
_EXAMPLES = 500


def match_data(
    contenders: Sequence[Contender], dataset: str | None, data_dir: Path | None
) -> tuple[tuple[Contender, ...], Data, list[EdgeError]]:
    """The contenders that their data fit, these, and what is wrong with others: `dataset` for all
    of them, or each one's own, in the shape that each takes.

    Their own sets count only where they are on this machine: nothing is downloaded. Raises
    DataError for a set that is damaged, or has other classes or images of another shape, where no
    contender is left.
    """

    @cache
    def load(name: str, options: ImageOptions) -> Dataset | None:
        find = datasets.load if dataset else datasets.load_if_here
        return find(name, data_dir, options=options)

    def data_of(contender: Contender) -> Dataset | None:
        info, name = contender.info, dataset or contender.info.dataset
        misfit = info.shape, info.name, f"{_OTHER_SET}, or leave the file out"
        check_published_shape(name, *misfit)
        data = load(name, options_as_trained(name, info.shape, info.fit))
        if data is not None:
            check_shape(data, *misfit)
            _check_classes(data, info)
        return data

    refused: list[EdgeError] = []
    pairs = try_each(contenders, data_of, refused)
    found = {one.info.images: data for one, data in pairs if data is not None}
    return tuple(one for one, _ in pairs), found, refused


_OTHER_SET = "name the set that it was trained on with --dataset"


def _check_classes(data: Dataset, info: ModelInfo) -> None:
    """DataError for classes of other names; of a file that names none, for another number."""
    if info.names is not None:
        align_classes(data, info.names, info.name, _OTHER_SET)
    elif len(data.classes) != info.classes:
        raise DataError(
            f"{data.name} has {len(data.classes)} classes, and {info.name} gives "
            f"{info.classes} values for each image: {_OTHER_SET}, or leave the file out"
        )


def load_examples(
    name: str | None, data_dir: Path | None, shape: ImageShape | None = None
) -> Examples:
    """Labelled training images to find out what form of input a file of others takes: never test
    images. They are of the named set, a folder's pictures in this shape, or of MNIST; digits drawn
    in a font where that is not here.
    """
    options = options_as_trained(name, shape, FOREIGN_FIT) if name and shape else ImageOptions()
    here = (
        datasets.load(name, data_dir, options=options)
        if name
        else datasets.load_if_here("mnist", data_dir)
    )
    if here is None:
        labels = np.arange(_EXAMPLES, dtype=np.int64) % 10
        return Examples.of(Split(sample_images(_EXAMPLES, MNIST_SHAPE), labels), 10)
    return Examples.of(here.train, len(here.classes))


@dataclass(frozen=True, slots=True)
class TimingImages:
    """The images that contenders are timed with, by their shape, and where they come from."""

    by_shape: Mapping[ImageShape, Images]
    source: str

    @classmethod
    def choose(cls, contenders: Sequence[Contender], data: Data) -> "TimingImages":
        """Real test images where there are any: zeros would flatter, and one image too."""
        found = {
            shape: _images_of(shape, data)
            for shape in dict.fromkeys(one.info.shape for one in contenders)
        }
        sources = dict.fromkeys(source for _, source in found.values())
        return cls({shape: images for shape, (images, _) in found.items()}, " and ".join(sources))

    def of(self, contender: Contender) -> Images:
        """Those in the shape that it takes."""
        return self.by_shape[contender.info.shape]


def _images_of(shape: ImageShape, data: Data) -> tuple[Images, str]:
    for _, dataset in sorted(data.items(), key=lambda pair: pair[0].dataset):
        if dataset.shape == shape:
            return dataset.test.images[:_TIMED_IMAGES], f"test images of {dataset.name}"
    what = "digits drawn in a font" if shape == MNIST_SHAPE else "patches of random levels"
    return sample_images(_TIMED_IMAGES, shape), f"{what}: no data set is here"
