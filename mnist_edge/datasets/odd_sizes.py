"""Pictures whose own size says that something is wrong with them: tiny ones, and those that are of
another size or shape than nearly all others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge.image_shape import Fit, ImageShape

ENLARGED = 2.0
"""From so many times its own sides on, a picture that is enlarged shows little."""
_TOO_MANY = 0.1  # of all pictures: what as many are is no fault of single ones
_FEW = 10  # pictures that are always named
_BEYOND = 2.0  # times as far from the median as all but that part
_LEAST = 1.0  # doublings of a size or an aspect, less than which is never odd


@dataclass(frozen=True, slots=True)
class SizeFindings:
    """What the `sizes` of pictures tell, int64 (N, 2), width and height; 0×0 where it is not known.

    `tiny` says of the positions of pictures that are enlarged to `ENLARGED` times their own sides
    or more how many times it is, the smallest first. `odd` are the positions of others that differ
    much from the rest.
    """

    sizes: NDArray[np.int64]
    tiny: dict[int, float]
    odd: tuple[int, ...]

    @property
    def is_of_tiny(self) -> bool:
        """Whether so many pictures are tiny that this is a property of the set, not of them."""
        return len(self.tiny) > max(_FEW, _TOO_MANY * len(self.sizes))

    @property
    def median(self) -> tuple[int, int]:
        """The width and the height that half of the pictures have at most."""
        width, height = np.median(self.sizes[_are_known(self.sizes)], axis=0)
        return round(float(width)), round(float(height))


def find_odd_sizes(
    sizes: NDArray[np.int64], labels: NDArray[np.int64], shape: ImageShape, fit: Fit
) -> SizeFindings | None:
    """What sizes, int64 (N, 2), tell of pictures with labels, int64 (N,), that become images of a
    shape; None where none is known."""
    if not _are_known(sizes).any():
        return None
    times = enlargement(sizes, shape, fit)
    is_tiny = times >= ENLARGED
    found = np.argsort(-times, kind="stable")[: int(is_tiny.sum())].tolist()
    odd = is_odd_sized(sizes, labels) & ~is_tiny
    return SizeFindings(
        sizes, {at: float(times[at]) for at in found}, tuple(np.flatnonzero(odd).tolist())
    )


def enlargement(sizes: NDArray[np.int64], shape: ImageShape, fit: Fit) -> NDArray[np.float64]:
    """How many times its own sides a picture gets in an image of a shape, float64 (N,); 0 where its
    size is not known."""
    each_side = np.array([shape.width, shape.height]) / np.maximum(sizes, 1)
    times = each_side.max(axis=1) if fit is Fit.CROP else each_side.min(axis=1)
    return np.where(_are_known(sizes), times, 0.0)


def is_odd_sized(sizes: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of sizes, int64 (N, 2), differ much both from all others and from those of their class,
    bool (N,).

    By the side of a square of as many pixels, or by width over height: by a factor of 2 or more
    from the median, and more than twice as far from it, in doublings, as nine of ten pictures are.
    Where sizes vary by nature few are so odd, and none where classes differ in size.
    """
    known = _are_known(sizes)
    odd = _differs(sizes, known)
    for label in np.unique(labels[odd]):
        own = labels == label
        odd &= ~own | _differs(sizes, known & own)
    return odd


def _differs(sizes: NDArray[np.int64], among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of those that are compared differ from the rest of them, bool (N,)."""
    odd = np.zeros(len(sizes), bool)
    if among.any():
        width, height = np.log2(sizes[among]).T
        odd[among] = _is_far_out((width + height) / 2) | _is_far_out(width - height)
    return odd


def _is_far_out(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    away = np.abs(values - np.median(values))
    usual = np.quantile(away, 1 - _TOO_MANY, method="lower")
    return np.asarray((away >= _LEAST) & (away > _BEYOND * usual))


def _are_known(sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray(sizes.min(axis=1) > 0)
