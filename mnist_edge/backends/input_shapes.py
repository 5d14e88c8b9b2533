"""Which images the input of an ONNX classifier holds, by the sizes that it states."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise, product
from math import isqrt

from mnist_edge.image_shape import ImageShape
from mnist_edge.model_file.graph import Shape

FREE = -1
"""A number of images that is whatever comes."""

_MOST_DIMENSIONS = 6

Sizes = tuple[int, ...]


def stated_images(shape: Shape) -> list[ImageShape]:
    """The shapes of images that an input can be meant for by its own sizes; none where these leave
    some of it open, as rows of values do."""
    if any(not isinstance(size, int) for size in shape[1:]):
        return []
    sizes = tuple(size for size in shape if isinstance(size, int))
    found = []
    for whole in (sizes[-len(shape[1:]) :] if len(shape) > 1 else (), sizes):
        with suppress(ValueError):
            found.append(_image(tuple(size for size in whole if size != 1)))
    return list(dict.fromkeys(found))


def _image(sizes: Sizes) -> ImageShape:
    """ValueError for sizes that are no image's."""
    if len(sizes) == 3 and sizes[0] == 3:
        sizes = (*sizes[1:], sizes[0])
    return ImageShape.from_dims(sizes)


def square_image(shape: Shape) -> ImageShape | None:
    """The square image whose values are a row of an input: one at most, as no number is k² and
    3 m²."""
    values = shape[-1] if shape else None
    if not isinstance(values, int):
        return None
    for channels in (1, 3):
        side = isqrt(values // channels)
        if side**2 * channels == values:
            with suppress(ValueError):
                return ImageShape(side, side, channels)
    return None


def call_shapes(shape: Shape, image: ImageShape) -> list[tuple[Sizes, bool]]:
    """The shapes that a call with such images may have, FREE first where it is, and whether
    channels come before rows; none where it holds no such images. Sizes that are free further
    back are filled in as an image needs them. What is likely comes first: a picture before a row,
    and channels first."""
    if not shape or len(shape) > _MOST_DIMENSIONS:
        return []
    first = [shape[0] if isinstance(shape[0], int) else FREE]
    choices = dict.fromkeys([1, *_dims(image, first=True), image.values])
    rest = [[size] if isinstance(size, int) else list(choices) for size in shape[1:]]
    found = [
        ((*first, *sizes), channels_first)
        for sizes in product(*rest)
        for channels_first in _orders((*first, *sizes), image)
    ]
    return sorted(found, key=lambda one: (one[0].count(image.values), not one[1]))


def _dims(image: ImageShape, first: bool) -> Sizes:
    size = (image.height, image.width)
    if not image.is_color:
        return size
    return (image.channels, *size) if first else (*size, image.channels)


def _orders(sizes: Sizes, image: ImageShape) -> Iterator[bool]:
    """Whether channels come first, for each order in which such a shape holds images; grey ones
    have one channel, which is as well first."""
    whole = _holds(sizes, (image.values,))
    for first in (True, False) if image.is_color else (True,):
        if whole or _holds(sizes, _dims(image, first)):
            yield first


def _holds(sizes: Sizes, dims: Sizes) -> bool:
    """Whether these are the sizes of one image of such dimensions, or of several."""
    for batch, own in (((), sizes), (sizes[:1], sizes[1:])):
        if batch == (0,) or tuple(size for size in own if size != 1) != dims:
            continue
        places = [at for at, size in enumerate(own) if size != 1]
        if all(later - earlier == 1 for earlier, later in pairwise(places)):
            return True
    return False
