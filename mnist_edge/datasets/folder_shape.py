"""Which shape the images of a folder have: what is asked for, and else what its pictures have."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mnist_edge import preprocess
from mnist_edge.datasets.folder_pictures import PictureFile
from mnist_edge.errors import DataError
from mnist_edge.image_shape import ImageOptions, ImageShape

SIDES = (28, 32, 48, 64, 96)
"""Pixels along a side, of which one is chosen: the nearest to the median of the longer sides."""
MOST_BYTES = 2_000_000_000
"""All images of a set, which lie in memory together."""
_COLORED_SHARE = 0.01  # of all pictures, from which on colour is kept
_SAMPLE = 20  # pictures that are decoded for their size where no header has one


def possible_shapes(files: Sequence[PictureFile], options: ImageOptions) -> list[ImageShape]:
    """The shape of the images, or that in colour and that in grey where only their pixels tell
    which: headers are enough for all else."""
    if options.size is None:
        side = _nearest_side(files)
        options = replace(options, size=(side, side))
    if options.color is None and any(file.may_have_color for file in files):
        both = (replace(options, color=True), replace(options, color=False))
        return [one.apply(ImageShape()) for one in both]
    return [options.apply(ImageShape())]


def choose_shape(shapes: Sequence[ImageShape], colored: int, pictures: int) -> ImageShape:
    """The one of `possible_shapes`: colour where enough of the pictures have any."""
    in_color = colored > 0 and colored >= _COLORED_SHARE * pictures
    return shapes[0] if in_color else shapes[-1]


def check_memory(pictures: int, shape: ImageShape) -> None:
    """DataError for more pictures than fit into memory in a shape, with a size that does."""
    total = pictures * shape.values
    if total <= MOST_BYTES:
        return
    fitting = [
        side for side in SIDES if pictures * side * side * shape.values <= MOST_BYTES * _area(shape)
    ]
    smaller = f"--size {fitting[-1]} fits" if fitting else "use fewer pictures"
    grey = ", and so may --grey" if shape.is_color and total <= 3 * MOST_BYTES else ""
    raise DataError(
        f"{pictures:,} pictures of {shape} are {total / 1e9:.1f} GB, more than the "
        f"{MOST_BYTES // 10**9} GB that are held in memory: {smaller}{grey}"
    )


def _area(shape: ImageShape) -> int:
    return shape.width * shape.height


def _nearest_side(files: Sequence[PictureFile]) -> int:
    sizes = [file.header.size for file in files if file.header]
    if not sizes:
        sizes = list(_decoded_sizes(files[:: max(1, len(files) // _SAMPLE)]))
    if not sizes:  # nothing can be read, which is said where it is
        return SIDES[0]
    median = float(np.median([max(size) for size in sizes]))
    return min(reversed(SIDES), key=lambda side: abs(side - median))


def _decoded_sizes(files: Sequence[PictureFile]) -> list[tuple[int, int]]:
    sizes = []
    for file in files:
        try:
            sizes.append(preprocess.load(file.path).size)
        except DataError:
            continue
    return sizes
