"""Pictures that are in a data set twice: the same pixels, or the same picture saved anew.

A picture is compared by its grey values alone, whatever its size. Two descriptors find for each
picture those that may be copies of it: eight by eight means, and the magnitudes of its lowest
frequencies, which a shift leaves as they are. What they find is compared pixel by pixel, shifted
by up to two. The limits were chosen on CIFAR-10, Fashion-MNIST and MNIST with 50 copies in each
that were planted in the test split (JPEG at quality 60, darker, shifted by a pixel, made smaller
and larger again, noise): they find 50, 47 and 48 of them. Copies that were cropped are missed.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge.types import Images, Progress

_CERTAIN = 0.999  # a similarity that no two pictures have by chance
_LIKELY = 0.98  # one that some have, where all pictures are alike (ones of MNIST)
_STANDS_OUT = 0.5  # so small a part of the distance to any other picture is no chance, though
_THIRD = 0.995  # another picture as near as that may be a third copy
_NEAREST = 3  # pictures that each descriptor proposes
_SHIFT = 2  # pixels
_ROWS = 256  # pictures that are compared with all others at once: 60 MB for 60,000
_FLAT = 2.0  # a standard deviation, of each channel, below which a picture shows nothing

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two pictures of a data set, by their positions, `first` < `second`.

    `similarity` is the correlation of their pixels, 0..1; it is 1 where all pixels are the same.
    """

    first: int
    second: int
    similarity: float


def is_blank(images: Images) -> NDArray[np.bool_]:
    """Which of images, uint8 (N, H, W) or (N, H, W, 3), show nothing: bool (N,)."""
    # In every channel: shapes of one luminance may differ in colour alone.
    return np.array([image.std(axis=(0, 1)).max() < _FLAT for image in images], bool)


def find_duplicates(images: Images, progress: Progress | None = None) -> list[Duplicate]:
    """Pairs of images, uint8 (N, H, W) or (N, H, W, 3), that show the same; the most alike first.

    Of several that are the same to the pixel, each is paired with the first. Blank images are
    passed over.
    """
    groups = defaultdict(list)
    for at in np.flatnonzero(~is_blank(images)).tolist():
        groups[images[at].tobytes()].append(at)
    exact = [Duplicate(first, other, 1.0) for first, *others in groups.values() for other in others]
    different = np.array([members[0] for members in groups.values()], np.intp)
    near = _near(images[different], progress) if len(different) > 1 else []
    found = exact + [
        Duplicate(int(different[one.first]), int(different[one.second]), one.similarity)
        for one in near
    ]
    return sorted(found, key=lambda one: (-one.similarity, one.first, one.second))


def _near(images: Images, progress: Progress | None) -> list[Duplicate]:
    grey = np.concatenate([_grey(images[at : at + 4096]) for at in range(0, len(images), 4096)])
    candidates = np.concatenate(
        [
            _nearest(_means(grey), progress, 0, 2),
            _nearest(_frequencies(grey), progress, 1, 2),
        ],
        axis=1,
    )  # (N, at most 2 * _NEAREST)
    similarity = _aligned(grey, candidates)
    best = similarity.argmax(axis=1)
    rows = np.arange(len(images))
    nearest, highest = candidates[rows, best], similarity[rows, best]
    is_copy = (candidates == nearest[:, None]) | (similarity >= _THIRD)
    next_best = np.where(is_copy, -1.0, similarity).max(axis=1)
    stands_out = 1 - highest <= _STANDS_OUT**2 * (1 - next_best)  # distances squared
    chosen = (highest >= _CERTAIN) | ((highest >= _LIKELY) & stands_out)
    pairs: dict[tuple[int, int], float] = {}
    for at in np.flatnonzero(chosen).tolist():
        pair = min(at, int(nearest[at])), max(at, int(nearest[at]))
        pairs[pair] = max(pairs.get(pair, 0.0), float(min(highest[at], 1.0)))
    return [Duplicate(*pair, value) for pair, value in pairs.items()]


def _grey(images: Images) -> Floats:
    """float32 (N, H, W); ITU-R BT.601 of colours."""
    if images.ndim == 3:
        return images.astype(np.float32)
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.asarray(images.astype(np.float32) @ weights)


def _normalized(vectors: Floats) -> Floats:
    """Vectors (N, D) without their means, of length 1: their products are correlations."""
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(length, 1e-6))


def _means(grey: Floats) -> Floats:
    """The means of eight by eight parts of a picture, normalized: (N, 64)."""
    for axis, size in ((1, grey.shape[1]), (2, grey.shape[2])):
        edges = np.linspace(0, size, 9).astype(int)
        lengths = np.diff(edges).reshape([-1 if at == axis else 1 for at in range(3)])
        sums = np.add.reduceat(grey, edges[:-1], axis=axis)
        grey = (sums / lengths).astype(np.float32)
    return _normalized(grey.reshape(len(grey), -1))


def _frequencies(grey: Floats) -> Floats:
    """The magnitudes of the lowest frequencies, which no shift changes: (N, D)."""
    size = min(8, grey.shape[1] // 2, grey.shape[2] // 2)
    parts = []
    for at in range(0, len(grey), 4096):
        some = grey[at : at + 4096]
        spectrum = np.abs(np.fft.rfft2(some - some.mean(axis=(1, 2), keepdims=True)))
        low = np.concatenate([spectrum[:, :size, :size], spectrum[:, -size:, :size]], axis=1)
        parts.append(np.sqrt(low).reshape(len(some), -1).astype(np.float32))
    return _normalized(np.concatenate(parts))


def _nearest(vectors: Floats, progress: Progress | None, done: int, of: int) -> NDArray[np.intp]:
    """The positions of the vectors nearest to each one, the nearest first: (N, _NEAREST)."""
    count = min(_NEAREST, len(vectors) - 1)
    found = np.empty((len(vectors), count), np.intp)
    for at in range(0, len(vectors), _ROWS):
        products = vectors[at : at + _ROWS] @ vectors.T
        rows = np.arange(len(products))
        products[rows, at + rows] = -2  # itself
        for place in range(count):
            best = products.argmax(axis=1)
            found[at : at + _ROWS, place] = best
            products[rows, best] = -2
        if progress:
            end = min(at + _ROWS, len(vectors))
            progress("looking for duplicates", done * len(vectors) + end, of * len(vectors))
    return found


def _aligned(grey: Floats, candidates: NDArray[np.intp]) -> Floats:
    """The highest correlation of each picture with each of its candidates, over shifts of up to
    `_SHIFT` pixels: (N, candidates). Both are blurred a little, as saving anew does."""
    best = np.full(candidates.shape, -1.0, np.float32)
    for at in range(0, len(grey), 1024):
        part = slice(at, at + 1024)
        inner = _normalized(_inner(_blurred(grey[part]), _SHIFT, _SHIFT))
        for column in range(candidates.shape[1]):
            other = _blurred(grey[candidates[part, column]])
            for down in range(2 * _SHIFT + 1):
                for across in range(2 * _SHIFT + 1):
                    shifted = _normalized(_inner(other, down, across))
                    product = np.einsum("nd,nd->n", inner, shifted)
                    best[part, column] = np.maximum(best[part, column], product)
    return best


def _inner(grey: Floats, down: int, across: int) -> Floats:
    """Pictures without a rim of `_SHIFT` pixels in all, from a corner on, as vectors (N, D)."""
    height, width = (size - 2 * _SHIFT for size in grey.shape[1:])
    return grey[:, down : down + height, across : across + width].reshape(len(grey), -1)


def _blurred(grey: Floats) -> Floats:
    """Each pixel's mean with its four neighbours, of which it counts as two."""
    rim = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    beside = rim[:, 1:-1, :-2] + rim[:, 1:-1, 2:] + rim[:, :-2, 1:-1] + rim[:, 2:, 1:-1]
    return np.asarray((2 * grey + beside) / 6)
