"""MNIST's own form (LeCun et al. 1998): how it is recognised, and how ink is brought into it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_edge.preprocess.components import Mask, box_slices, connected_components
from mnist_edge.types import SIDE, Grey

_BOX_SIDE = 20
_CENTRE_OF_MASS = (14.5, 14.5)  # where MNIST has the centre of mass: the centre of pixel (14, 14)
_OVERSAMPLING = 5  # fine pixels, in which strokes are measured, to a pixel of the field
INK_THRESHOLD = 0.15  # of the strongest ink: what is fainter is paper
# Mean stroke widths of MNIST, in pixels of the field: 5 % are below 1.65, 5 % above 3.9, half
# below 2.5 (all 60,000 training images, measured as `stroke_width` does).
_THIN_TARGET, _THINNEST = 2.2, 1.9
_FAT_TARGET, _FATTEST = 3.5, 3.9

_POSITIONS = np.arange(SIDE, dtype=np.float32)
_MOMENTS = np.stack(  # total, row and column of every pixel: (784, 3)
    [np.ones(SIDE * SIDE, np.float32), np.repeat(_POSITIONS, SIDE), np.tile(_POSITIONS, SIDE)],
    axis=1,
)


def has_mnist_format(image: Grey) -> bool:
    """Whether a picture (H, W) lies as MNIST's images do; see `have_mnist_format`."""
    return image.shape == (SIDE, SIDE) and bool(have_mnist_format(image[np.newaxis])[0])


def have_mnist_format(images: Grey) -> NDArray[np.bool_]:
    """Which of images (N, 28, 28) lie as MNIST's do, (N,): light on black, 20 pixels long, the
    centre of mass in the middle, with strokes as wide as MNIST's. All 70,000 images of MNIST do.
    """
    total, y, x = (images.reshape(len(images), -1).astype(np.float32) @ _MOMENTS).T
    longest = np.maximum(*(_extent(images.max(axis=axis) > 25) for axis in (1, 2)))
    width = _stroke_widths(images > 127)
    total = np.maximum(total, 1)
    formed: NDArray[np.bool_] = (
        (images.max(axis=(1, 2)) >= 200)
        & (np.abs(y / total - 14) <= 0.75)
        & (np.abs(x / total - 14) <= 0.75)
        & (longest >= 18)
        & (longest <= 21)
        & (width >= 0.85)
        & (width <= 9)
    )
    return formed


def match_mnist_format(pictures: Sequence[Grey]) -> list[Grey | None]:
    """Of pictures (H, W) those that have the form, or, light and dark exchanged, have it inverted;
    None for the others. Many are told faster together."""
    found: list[Grey | None] = [None] * len(pictures)
    small = [at for at, pixels in enumerate(pictures) if pixels.shape == (SIDE, SIDE)]
    for inverted in (False, True):
        if not small:
            break
        images = np.stack([pictures[at] for at in small])
        images = 255 - images if inverted else images
        for at, image, is_one in zip(small, images, have_mnist_format(images), strict=True):
            if is_one:
                found[at] = image
        small = [at for at in small if found[at] is None]
    return found


def _extent(used: Mask) -> NDArray[np.int64]:
    """From the first to the last that is set, along the rows of (N, 28): how many."""
    return np.asarray(SIDE - used.argmax(axis=1) - used[:, ::-1].argmax(axis=1))


def _stroke_widths(inked: Mask) -> NDArray[np.float32]:
    """`stroke_width` of masks (N, H, W): (N,)."""
    edges = _count(inked[:, 1:] != inked[:, :-1]) + _count(inked[:, :, 1:] != inked[:, :, :-1])
    edges += _count(inked[:, [0, -1]]) + _count(inked[:, :, [0, -1]])
    outline = np.maximum(1, edges * np.float32(np.pi / 4))
    return np.asarray(2 * _count(inked) / outline, np.float32)


def _count(masks: Mask) -> NDArray[np.float32]:
    """How many pixels of each mask (N, H, W) are set: by a product, which is what NumPy does
    fastest."""
    flat = masks.reshape(len(masks), -1).astype(np.float32)
    counts: NDArray[np.float32] = flat @ np.ones(flat.shape[1], np.float32)
    return counts


def stroke_width(ink: Grey) -> float:
    """The mean width of the strokes of light ink (H, W), in its pixels: twice area over outline.

    The outline is counted in pixel edges, which run pi/4 longer than a line at random angles.
    """
    return float(_stroke_widths(ink[np.newaxis] > 127)[0])


def to_mnist_format(ink: Grey) -> Grey:
    """Light ink on black, (H, W), of any size -> (28, 28) in MNIST's form, strokes and all."""
    box = _ink_box(ink)
    if box is None:
        return np.zeros((SIDE, SIDE), np.uint8)
    fine = _normalise_stroke_width(
        _resize_to_fit(ink[box], _BOX_SIDE * _OVERSAMPLING, Image.Resampling.BICUBIC)
    )
    image = centre(fine).astype(np.float32)
    return np.round(image * (255 / max(1.0, float(image.max())))).astype(np.uint8)


def _normalise_stroke_width(fine: Grey) -> Grey:
    """Strokes too thin or too fat for MNIST brought to its range, at 100 pixels a side."""
    width = stroke_width(fine) / _OVERSAMPLING
    if _count_pieces(fine) > 4:  # grains of chalk or pencil: a fuller stroke joins them
        fine = _dilate(fine, 2)
        width = stroke_width(fine) / _OVERSAMPLING
    if width < _THINNEST:
        return _widen_strokes(fine, width)
    if width > _FATTEST:
        return _erode(fine, (width - _FAT_TARGET) / 2 * _OVERSAMPLING)
    return fine


def _widen_strokes(fine: Grey, width: float) -> Grey:
    """Grown until the strokes, of a mean `width` in pixels of the field, are as near to
    `_THIN_TARGET` as whole steps bring them: turns and soft edges make a step wider than its two
    fine pixels."""
    steps = round((_THIN_TARGET - width) / 2 * _OVERSAMPLING)
    field = np.pad(fine, steps + 1)
    for step in range(steps):
        wider = _dilate_once(field, square=step % 2 == 1)
        reached = stroke_width(wider) / _OVERSAMPLING
        if abs(reached - _THIN_TARGET) > abs(width - _THIN_TARGET):
            break
        field, width = wider, reached
    return field


def _dilate(fine: Grey, radius: float) -> Grey:
    steps = round(radius)
    field = np.pad(fine, steps + 1)
    for step in range(steps):
        field = _dilate_once(field, square=step % 2 == 1)
    return field


def _erode(fine: Grey, radius: float) -> Grey:
    """Eroded, by half or a quarter where the strokes would not stay in one piece."""
    field = np.pad(fine, 1)
    pieces = _count_pieces(field)
    for steps in (round(radius), round(radius / 2), round(radius / 4)):
        smaller = 255 - field
        for step in range(steps):
            smaller = _dilate_once(smaller, square=step % 2 == 1)
        smaller = 255 - smaller
        if _count_pieces(smaller) == pieces:
            return smaller
    return field


def _count_pieces(fine: Grey) -> int:
    return len(connected_components(fine > 127))


def _dilate_once(field: Grey, square: bool) -> Grey:
    """One step of a dilation; crosses and squares in turn make an octagon."""
    grown = field.copy()
    np.maximum(grown[1:], field[:-1], out=grown[1:])
    np.maximum(grown[:-1], field[1:], out=grown[:-1])
    across = grown if square else field
    result = grown.copy()
    np.maximum(result[:, 1:], across[:, :-1], out=result[:, 1:])
    np.maximum(result[:, :-1], across[:, 1:], out=result[:, :-1])
    return result


def centre(ink: Grey) -> Grey:
    """Light ink on black, (H, W), cropped, scaled into 20×20, centred by mass in (28, 28)."""
    box = _ink_box(ink)
    if box is None:
        return np.zeros((SIDE, SIDE), np.uint8)
    cropped = ink[box]
    # By area where it shrinks, as MNIST was made.
    shrinks = max(cropped.shape) > _BOX_SIDE
    kind = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    small = _resize_to_fit(cropped, _BOX_SIDE, kind)
    weight = small.astype(np.float64)
    rows, columns = np.arange(small.shape[0]) + 0.5, np.arange(small.shape[1]) + 0.5
    total = weight.sum()
    if not total:
        return np.zeros((SIDE, SIDE), np.uint8)
    mass = ((weight.sum(1) @ rows) / total, (weight.sum(0) @ columns) / total)
    return _place_at(small, _CENTRE_OF_MASS, mass)


def _ink_box(ink: Grey) -> tuple[slice, slice] | None:
    strong = ink > INK_THRESHOLD * ink.max(initial=1)
    return box_slices(strong) if strong.any() else None


def _resize_to_fit(grey: Grey, side: int, kind: Image.Resampling) -> Grey:
    """Resample so that the longer side is `side` pixels."""
    height, width = grey.shape
    scale = side / max(height, width)
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    # First along the rows: in which order one call does both depends on Pillow's version.
    return np.asarray(Image.fromarray(grey).resize((wide, height), kind).resize((wide, high), kind))


def _place_at(small: Grey, point: tuple[float, float], middle: tuple[float, float]) -> Grey:
    """Put a small picture on a black field, its `middle` at `point` (row, column).

    Points are distances from the upper left corner: the centre of the first pixel is 0.5.
    """
    height, width = small.shape
    top = int(np.clip(round(point[0] - middle[0]), 0, SIDE - height))
    left = int(np.clip(round(point[1] - middle[1]), 0, SIDE - width))
    field = np.zeros((SIDE, SIDE), np.uint8)
    field[top : top + height, left : left + width] = small
    return field
