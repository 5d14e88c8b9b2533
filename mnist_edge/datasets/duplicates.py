"""Pictures that are in a data set twice: the same pixels, or the same picture saved anew.

A picture is compared by its luminance and by its colours, whatever its size. Two descriptors find
for each picture those that may be copies of it: the means of its parts, and the magnitudes of its
lowest frequencies, which a shift leaves as they are. What they find is compared pixel by pixel,
shifted by up to two, and with either one blurred, as what was made smaller is. The limits were
chosen on copies that were planted in 12,000 to 23,000 images of CIFAR-10, Fashion-MNIST and MNIST
(JPEG at quality 60, darker, shifted by a pixel, made smaller and larger again): they find all of
400, 240 and 160 other ones. Copies that were cropped, or got other colours, are missed.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge.types import Images, Progress

_CERTAIN = 0.999  # a similarity that no two pictures have by chance
# From a lower one on, what part of the squared distance to any other picture that of a copy is at
# most: where all pictures are alike (ones of MNIST), some are very alike by chance.
_MOST_OF_NEXT = {0.96: 0.1, 0.98: 0.16, 0.998: 0.25}
_THIRD = 0.995  # another picture as near as that may be a third copy
_NEAREST = 3  # pictures that each descriptor proposes
_TOGETHER = 4  # candidates that may be copies together: more are pictures that are all alike
_SHIFT = 2  # pixels
_ROWS = 256  # pictures that are compared with all others at once: 60 MB for 60,000
_CHUNK = 512  # pictures that are compared pixel by pixel at once
_TINT = 8.0  # so far apart, mean colours of one brightness are two
_STEPS = 3  # of the search: two descriptors, and the comparison
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


def group_copies(count: int, copies: Sequence[Duplicate]) -> NDArray[np.intp]:
    """The position of the first copy of each of `count` pictures, its own where it has none: (N,).
    Copies of a copy are one group."""
    first = np.arange(count)
    for pair in copies:
        lower, higher = sorted((first[pair.first], first[pair.second]))
        first[first == higher] = lower
    return first


def _near(images: Images, progress: Progress | None) -> list[Duplicate]:
    candidates = np.concatenate(
        [
            _nearest(_describe(images, _means), progress, 0),
            _nearest(_describe(images, _frequencies), progress, 1),
        ],
        axis=1,
    )  # (N, at most 2 * _NEAREST)
    similarity = _aligned(images, candidates, progress)
    is_possible = _same_tint(images, candidates)
    best = np.where(is_possible, similarity, -1.0).argmax(axis=1)
    rows = np.arange(len(images))
    nearest, highest = candidates[rows, best], similarity[rows, best]
    is_copy = (candidates == nearest[:, None]) | ((similarity >= _THIRD) & is_possible)
    next_best = np.where(is_copy, -1.0, similarity).max(axis=1)
    chosen = _stands_out(highest, next_best) | _some_stand_out(similarity, is_possible)
    chosen &= is_possible[rows, best]
    pairs: dict[tuple[int, int], float] = {}
    for at in np.flatnonzero(chosen).tolist():
        pair = min(at, int(nearest[at])), max(at, int(nearest[at]))
        pairs[pair] = max(pairs.get(pair, 0.0), float(min(highest[at], 1.0)))
    return [Duplicate(*pair, value) for pair, value in pairs.items()]


def _stands_out(highest: Floats, next_best: Floats) -> NDArray[np.bool_]:
    """Whether what is as similar as `highest` is a copy, where another picture is as similar as
    `next_best`, of one shape."""
    steps = np.searchsorted(list(_MOST_OF_NEXT), highest, side="right")
    most = np.array([0.0, *_MOST_OF_NEXT.values()])[steps]
    return np.asarray((highest >= _CERTAIN) | (1 - highest <= most * (1 - next_best)))


def _some_stand_out(similarity: Floats, is_possible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the most similar candidates stand out together, as several copies do: (N,)."""
    order = np.argsort(-similarity, axis=1, kind="stable")
    ordered = np.take_along_axis(similarity, order, axis=1)
    possible = np.logical_and.accumulate(np.take_along_axis(is_possible, order, axis=1), axis=1)
    found = possible[:, :-1] & _stands_out(ordered[:, :-1], ordered[:, 1:])
    return np.asarray(found[:, :_TOGETHER].any(axis=1))


def _planes(images: Images) -> Floats:
    """Luminance (ITU-R BT.601), and of colours half of red and of blue without it, which count
    about as much as in RGB: (N, 1 or 3, H, W)."""
    if images.ndim == 3:
        return images[:, None].astype(np.float32)
    red, green, blue = np.moveaxis(images, 3, 0).astype(np.float32)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.stack([grey, 0.5 * (red - grey), 0.5 * (blue - grey)], axis=1)


def _describe(images: Images, describe: Callable[[Floats], Floats]) -> Floats:
    """What describes each picture's planes, as vectors without their means, of length 1: (N, D).
    Their products are correlations."""
    parts = [describe(_planes(images[at : at + _CHUNK])) for at in range(0, len(images), _CHUNK)]
    vectors = np.concatenate(parts)
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(length, 1e-6))


def _means(planes: Floats) -> Floats:
    """The means of eight by eight parts of the luminance, without its own, and of four by four
    parts of the colours, each of which counts as the four that it covers: (N, 64 or 96)."""
    return np.concatenate(
        [_means_of_parts(_grey(planes), 8), 2 * _means_of_parts(planes[:, 1:], 4)], axis=1
    )


def _grey(planes: Floats) -> Floats:
    """The luminance without its mean: (N, 1, H, W)."""
    return np.asarray(planes[:, :1] - planes[:, :1].mean(axis=(2, 3), keepdims=True))


def _means_of_parts(planes: Floats, count: int) -> Floats:
    for axis, size in ((2, planes.shape[2]), (3, planes.shape[3])):
        edges = np.linspace(0, size, count + 1).astype(int)
        lengths = np.diff(edges).reshape([-1 if at == axis else 1 for at in range(4)])
        planes = (np.add.reduceat(planes, edges[:-1], axis=axis) / lengths).astype(np.float32)
    return planes.reshape(len(planes), -1)


def _frequencies(planes: Floats) -> Floats:
    """The magnitudes of the lowest frequencies of the luminance, without its mean, and of half as
    many each way of other planes: (N, D). No shift changes them."""
    size = min(8, planes.shape[2] // 2, planes.shape[3] // 2)
    return np.concatenate([_lowest(_grey(planes), size), _lowest(planes[:, 1:], size // 2)], axis=1)


def _lowest(planes: Floats, size: int) -> Floats:
    spectrum = np.sqrt(np.abs(np.fft.rfft2(planes)))
    low = np.concatenate([spectrum[..., :size, :size], spectrum[..., -size:, :size]], axis=2)
    return low.reshape(len(low), -1).astype(np.float32)


def _nearest(vectors: Floats, progress: Progress | None, step: int) -> NDArray[np.intp]:
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
        _show(progress, step, min(at + _ROWS, len(vectors)), len(vectors))
    return found


def _show(progress: Progress | None, step: int, done: int, of: int) -> None:
    if progress:
        progress("looking for duplicates", step * of + done, _STEPS * of)


def _same_tint(images: Images, candidates: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether the mean colours of each picture and each of its candidates are one, up to their
    brightness: (N, candidates). All greys are."""
    if images.ndim == 3:
        return np.ones(candidates.shape, bool)
    tints = images.mean(axis=(1, 2))
    lengths = np.maximum(np.linalg.norm(tints, axis=1), 1e-6)
    directions = tints / lengths[:, None]
    cosines = np.einsum("nc,nkc->nk", directions, directions[candidates])
    sines = np.sqrt(np.maximum(1 - cosines**2, 0))
    return np.asarray(sines * np.minimum(lengths[:, None], lengths[candidates]) <= _TINT)


def _aligned(images: Images, candidates: NDArray[np.intp], progress: Progress | None) -> Floats:
    """The correlation of each picture with each of its candidates: (N, candidates)."""
    best = np.empty(candidates.shape, np.float32)
    for at in range(0, len(images), _CHUNK):
        part = slice(at, at + _CHUNK)
        own = _planes(images[part])
        for column in range(candidates.shape[1]):
            best[part, column] = _correlate(own, _planes(images[candidates[part, column]]))
        _show(progress, 2, min(at + _CHUNK, len(images)), len(images))
    return best


def _correlate(own: Floats, other: Floats) -> Floats:
    """The highest correlation of pairs of pictures (N, planes, H, W), over shifts of up to `_SHIFT`
    pixels: (N,). Both are blurred a little, as saving anew does; then, at the best shift, one of
    them once more, as making a picture smaller does."""
    own, other = (_softened(one - one.mean(axis=(2, 3), keepdims=True)) for one in (own, other))
    side = 2 * _SHIFT + 1
    shifts = [(down, across) for down in range(side) for across in range(side)]
    middle = _unit(_window(own, _SHIFT, _SHIFT))
    found = np.stack([_correlation(middle, _window(other, *shift)) for shift in shifts])
    best, at = found.max(axis=0), found.argmax(axis=0)
    softer_middle, softer = _unit(_window(_blurred(own), _SHIFT, _SHIFT)), _blurred(other)
    for number in np.unique(at):
        here = at == number
        for first, second in ((softer_middle, other), (middle, softer)):
            again = _correlation(first[here], _window(second[here], *shifts[number]))
            best[here] = np.maximum(best[here], again)
    return np.asarray(best)


def _window(planes: Floats, down: int, across: int) -> Floats:
    """Pictures without a rim of `_SHIFT` pixels in all, from a corner on: (N, planes, D)."""
    height, width = (size - 2 * _SHIFT for size in planes.shape[2:])
    window = planes[:, :, down : down + height, across : across + width]
    return window.reshape(*planes.shape[:2], -1)


def _unit(window: Floats) -> Floats:
    """Pictures (N, planes, D) without the means of their planes, of length 1."""
    centred = window - window.mean(axis=2, keepdims=True)
    lengths = np.sqrt(np.einsum("npd,npd->n", centred, centred))
    return np.asarray(centred / np.maximum(lengths, 1e-3)[:, None, None])


def _correlation(unit: Floats, window: Floats) -> Floats:
    """Of pictures (N, planes, D), of which the first are as `_unit` gives them: (N,)."""
    sums = window.sum(axis=2)
    squares = np.einsum("npd,npd->n", window, window)
    squares -= np.einsum("np,np->n", sums, sums) / window.shape[2]
    product = np.einsum("npd,npd->n", unit, window)  # the one has no means: the other's are as good
    return np.asarray(product / np.sqrt(np.maximum(squares, 1e-6)))


def _softened(planes: Floats) -> Floats:
    """Blurred; other planes than the luminance more, of which JPEG keeps half the resolution."""
    softened = _blurred(planes)
    softened[:, 1:] = _blurred(_blurred(softened[:, 1:]))
    return softened


def _blurred(planes: Floats) -> Floats:
    """Each pixel's mean with its four neighbours, of which it counts as two."""
    rim = np.pad(planes, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    beside = rim[..., 1:-1, :-2] + rim[..., 1:-1, 2:] + rim[..., :-2, 1:-1] + rim[..., 2:, 1:-1]
    return np.asarray((2 * planes + beside) / 6)
