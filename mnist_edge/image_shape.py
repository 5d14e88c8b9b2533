"""The shape of the images that a network takes, and how pictures of other sizes are fitted into it.

A shape belongs to a data set, to the networks that are trained on it, and to their files.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the catalogue knows shapes, and --help needs no NumPy
    from numpy.typing import NDArray

MIN_SIDE, MAX_SIDE = 16, 96
"""Pixels along a side of an image: from the fewest to the most."""

_GREY, _RGB = 1, 3


class Fit(StrEnum):
    """How a picture becomes an image of a network's shape."""

    DIGIT = "digit"
    """The digit on it is looked for, and brought into MNIST's form (28×28 grey)."""
    PAD = "pad"
    """All of it, its aspect kept; what is left over gets the mean of its border."""
    CROP = "crop"
    """Its middle, its aspect kept."""
    ZERO_PAD = "zero-pad"
    """As PAD, with 0 in place of the mean: as files of version 1 of the contract learned it."""


@dataclass(frozen=True, slots=True)
class ImageShape:
    """`height` × `width` pixels, from 16 to 96 a side; `channels` is 1 (grey) or 3 (RGB).

    ValueError for any other.
    """

    height: int = 28
    width: int = 28
    channels: int = _GREY

    def __post_init__(self) -> None:
        sides = (self.height, self.width)
        if not all(type(side) is int and MIN_SIDE <= side <= MAX_SIDE for side in sides):
            raise ValueError(f"an image has {MIN_SIDE} to {MAX_SIDE} pixels a side, not {sides}")
        if self.channels not in (_GREY, _RGB):
            raise ValueError(f"an image has 1 or 3 channels, not {self.channels}")

    @property
    def is_color(self) -> bool:
        return self.channels == _RGB

    @property
    def dims(self) -> tuple[int, ...]:
        """Of one image as an array: (H, W), or (H, W, 3)."""
        size = (self.height, self.width)
        return (*size, self.channels) if self.is_color else size

    @property
    def values(self) -> int:
        """How many bytes an image has."""
        return self.height * self.width * self.channels

    @property
    def size(self) -> str:
        """Width × height, as sizes of pictures are given: 32×48."""
        return f"{self.width}×{self.height}"

    @property
    def array(self) -> str:
        """As a NumPy array of many is described: (N, 28, 28)."""
        return f"({', '.join(map(str, ('N', *self.dims)))})"

    def __str__(self) -> str:
        """28×28 grey; 32×32 colour."""
        return f"{self.size} {'colour' if self.is_color else 'grey'}"

    def can_become(self, other: "ImageShape") -> bool:
        """Whether images of a set that is not resized can be had in another shape: in grey."""
        return other in (self, replace(self, channels=_GREY))

    def holds(self, images: "NDArray[Any]") -> bool:
        """Whether these are images uint8 (N, H, W) or (N, H, W, 3) of this shape."""
        return images.dtype == "uint8" and images.shape[1:] == self.dims

    @classmethod
    def of(cls, images: "NDArray[Any]") -> "ImageShape":
        """The shape of images uint8 (N, H, W) or (N, H, W, 3). ValueError for any other array."""
        if images.dtype == "uint8":
            with suppress(ValueError):
                return cls.from_dims(images.shape[1:])
        raise ValueError(
            f"images must be uint8 (N, H, W) or (N, H, W, 3), of {MIN_SIDE} to {MAX_SIDE} pixels a "
            f"side, not {images.dtype} {images.shape}"
        )

    @classmethod
    def from_dims(cls, dims: tuple[int | None, ...]) -> "ImageShape":
        """From (H, W) or (H, W, 3), None where a size is unknown. ValueError for others."""
        if len(dims) not in (2, 3) or dims[2:] not in ((), (_RGB,)):
            raise ValueError(f"an image is (H, W) or (H, W, 3), not {dims}")
        height, width = dims[:2]
        return cls(height, width, _RGB if dims[2:] else _GREY)  # type: ignore[arg-type]


MNIST_SHAPE = ImageShape()
"""28×28 grey."""


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """What is asked of a data set's images. None leaves it to the set: a published one has a shape
    of its own, and the pictures of a folder choose one.

    `size` is (width, height), in pixels; `color` is whether they are RGB, else grey; `fit` is how
    pictures become images. ValueError for a size that no image has.
    """

    size: tuple[int, int] | None = None
    color: bool | None = None
    fit: Fit | None = None

    def __post_init__(self) -> None:
        self.apply(MNIST_SHAPE)

    @classmethod
    def of(cls, shape: ImageShape, fit: Fit) -> "ImageOptions":
        """Images of just this shape, as a checkpoint or a file names it."""
        return cls((shape.width, shape.height), shape.is_color, fit)

    def apply(self, shape: ImageShape) -> ImageShape:
        """A shape with what is asked for in place of its own."""
        width, height = self.size or (shape.width, shape.height)
        color = shape.is_color if self.color is None else self.color
        return ImageShape(height, width, _RGB if color else _GREY)
