"""The data to score contenders on, and the images to time them with."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_edge import datasets
from mnist_edge.backends import Contender, Examples, ModelInfo
from mnist_edge.benchmark.record import Data
from mnist_edge.datasets import Dataset, Split
from mnist_edge.datasets.class_names import align_classes
from mnist_edge.errors import DataError, EdgeError, try_each
from mnist_edge.image_shape import ImageOptions, ImageShape
from mnist_edge.preprocess import render_digits

_TIMED_IMAGES = 1000
_EXAMPLES = 500


def match_data(
    contenders: Sequence[Contender], dataset: str | None, data_dir: Path | None
) -> tuple[tuple[Contender, ...], Data, list[EdgeError]]:
    """The contenders that their data fit, these, and what is wrong with others: `dataset` for all
    of them, or each one's own.

    Their own sets count only where they are on this machine: nothing is downloaded. Raises
    DataError for a set that is damaged or has other classes, where no contender is left.
    """

    @cache
    def load(name: str, options: ImageOptions) -> Dataset | None:
        find = datasets.load_if_here if dataset is None else datasets.load
        return find(name, data_dir, options=options)

    def data_of(contender: Contender) -> Dataset | None:
        data = load(dataset or contender.info.dataset, contender.info.options)
        if data is not None:
            _check_classes(data, contender.info)
            _check_shape(data, contender.info, shapes.setdefault(data.name, data.shape))
        return data

    shapes: dict[str, ImageShape] = {}
    refused: list[EdgeError] = []
    pairs = try_each(contenders, data_of, refused)
    found = {one.info.dataset: data for one, data in pairs if data is not None}
    return tuple(one for one, _ in pairs), found, refused


def _check_classes(data: Dataset, info: ModelInfo) -> None:
    """DataError for classes of other names; of a file that names none, for another number."""
    advice = "name the set that it was trained on with --dataset"
    if info.names is not None:
        align_classes(data, info.names, info.name, advice)
    elif len(data.classes) != info.classes:
        raise DataError(
            f"{data.name} has {len(data.classes)} classes, and {info.name} gives "
            f"{info.classes} values for each image: {advice}, or leave the file out"
        )


def _check_shape(data: Dataset, info: ModelInfo, first: ImageShape) -> None:
    """DataError for a contender that takes another shape of a data set than those before it."""
    if data.shape != first:
        raise DataError(
            f"{info.name} takes images of {data.shape}, others of {data.name} take {first}: "
            "measure those of one shape together"
        )


def load_examples(name: str | None, data_dir: Path | None) -> Examples:
    """Labelled training images to find out what form of input a file of others takes: never test
    images. They are of the named set, or of MNIST; digits drawn in a font where that is not here.
    """
    here = datasets.load(name, data_dir) if name else datasets.load_if_here("mnist", data_dir)
    if here is None:
        labels = np.arange(_EXAMPLES, dtype=np.int64) % 10
        return Examples.of(Split(render_digits(_EXAMPLES), labels), 10)
    return Examples.of(here.train, len(here.classes))


def timing_images(data: Data) -> tuple[NDArray[np.uint8], str]:
    """Real test images where there are any: zeros would flatter, and one image too."""
    for _, dataset in sorted(data.items()):
        return dataset.test.images[:_TIMED_IMAGES], f"test images of {dataset.name}"
    return render_digits(_TIMED_IMAGES), "digits drawn in a font: no data set is here"
