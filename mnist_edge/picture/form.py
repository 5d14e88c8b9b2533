"""MNIST's own form (LeCun et al. 1998): how it is recognised, and how ink is brought into it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_edge.picture.components import Mask, components

SIDE = 28
_BOX = 20
_MASS = (14.5, 14.5)  # where MNIST has the centre of mass: the centre of pixel (14, 14)
_FINE = 5  # fine pixels, in which strokes are measured, to a pixel of the field
_INK = 0.15  # of the strongest ink: what is fainter is paper
# Mean stroke widths of MNIST, in pixels of the field: 5 % are below 1.65, 5 % above 3.9, half
# below 2.5 (all 60,000 training images, measured as `stroke_width` does).
_THIN, _THINNEST = 2.2, 1.9
_FAT, _FATTEST = 3.5, 3.9

# Masks of 28×28 pixels as integers, the first pixel the highest bit.
_ALL_BUT_LAST = int(("1" * (SIDE - 1) + "0") * SIDE, 2)
_BELOW = (1 << SIDE * (SIDE - 1)) - 1
_FIRST_AND_LAST_ROW = int("1" * SIDE + "0" * SIDE * (SIDE - 2) + "1" * SIDE, 2)
_OUTER_COLUMNS = int(("1" + "0" * (SIDE - 2) + "1") * SIDE, 2)
_MOMENTS = np.stack([np.ones(SIDE), np.arange(SIDE)], axis=1).astype(np.float32)  # (28, 2)

Grey = NDArray[np.uint8]


def is_formed(image: Grey) -> bool:
    """Whether a picture (H, W) lies as MNIST's images do: light on black, 28×28, 20 pixels long,
    its centre of mass in the middle, with strokes as wide as MNIST's.

    All 70,000 images of MNIST do. Thousands of files may be asked, so masks are integers of a bit
    a pixel: NumPy takes twice as long for so little.
    """
    if image.shape != (SIDE, SIDE) or image.max() < 200:
        return False
    (total, x), (y, _) = (_MOMENTS.T @ (image.astype(np.float32) @ _MOMENTS)).tolist()
    if abs(y / total - 14) > 0.75 or abs(x / total - 14) > 0.75:
        return False
    return 18 <= _longest(_bits(image > 25)) <= 21 and 0.85 <= _width(_bits(image > 127)) <= 9


def _bits(mask: Mask) -> int:
    """A mask (28, 28) as one integer: the first pixel is its highest bit."""
    return int.from_bytes(np.packbits(mask).tobytes(), "big")


def _longest(inked: int) -> int:
    """The longer side of the box of a mask that is not empty."""
    last = (inked & -inked).bit_length() - 1
    height = (inked.bit_length() - 1) // SIDE - last // SIDE + 1
    columns = 0
    while inked:
        columns |= inked
        inked >>= SIDE
    columns &= (1 << SIDE) - 1
    return max(height, columns.bit_length() - (columns & -columns).bit_length() + 1)


def _width(inked: int) -> float:
    """`stroke_width` of a mask (28, 28)."""
    edges = ((inked ^ inked << 1) & _ALL_BUT_LAST).bit_count()
    edges += ((inked ^ inked >> SIDE) & _BELOW).bit_count()
    edges += (inked & _FIRST_AND_LAST_ROW).bit_count() + (inked & _OUTER_COLUMNS).bit_count()
    return 2 * inked.bit_count() / max(1.0, edges * np.pi / 4)


def stroke_width(ink: Grey) -> float:
    """The mean width of the strokes of light ink (H, W), in its pixels: twice area over outline.

    The outline is counted in pixel edges, which run pi/4 longer than a line at random angles.
    """
    inked = ink > 127
    edges = np.count_nonzero(inked[1:] != inked[:-1])
    edges += np.count_nonzero(inked[:, 1:] != inked[:, :-1])
    edges += np.count_nonzero(inked[[0, -1]]) + np.count_nonzero(inked[:, [0, -1]])
    return 2 * np.count_nonzero(inked) / max(1.0, edges * np.pi / 4)


def formed(ink: Grey) -> Grey:
    """Light ink on black, (H, W), of any size -> (28, 28) in MNIST's form, strokes and all."""
    box = _inked_box(ink)
    if box is None:
        return np.zeros((SIDE, SIDE), np.uint8)
    fine = _even_strokes(_fit(ink[box], _BOX * _FINE, Image.Resampling.BICUBIC))
    image = centre(fine).astype(np.float32)
    return np.round(image * (255 / max(1.0, float(image.max())))).astype(np.uint8)


def _even_strokes(fine: Grey) -> Grey:
    """Strokes too thin or too fat for MNIST brought to its range, at 100 pixels a side."""
    width = stroke_width(fine) / _FINE
    if _pieces(fine) > 4:  # grains of chalk or pencil: a fuller stroke joins them
        fine = _grown(fine, 2)
        width = stroke_width(fine) / _FINE
    if width < _THINNEST:
        return _grown(fine, (_THIN - width) / 2 * _FINE)
    if width > _FATTEST:
        return _shrunk(fine, (width - _FAT) / 2 * _FINE)
    return fine


def _grown(fine: Grey, radius: float) -> Grey:
    steps = round(radius)
    field = np.pad(fine, steps + 1)
    for step in range(steps):
        field = _spread(field, square=step % 2 == 1)
    return field


def _shrunk(fine: Grey, radius: float) -> Grey:
    """Eroded, by half or a quarter where the strokes would not stay in one piece."""
    field = np.pad(fine, 1)
    pieces = _pieces(field)
    for steps in (round(radius), round(radius / 2), round(radius / 4)):
        smaller = 255 - field
        for step in range(steps):
            smaller = _spread(smaller, square=step % 2 == 1)
        smaller = 255 - smaller
        if _pieces(smaller) == pieces:
            return smaller
    return field


def _pieces(fine: Grey) -> int:
    return len(components(fine > 127))


def _spread(field: Grey, square: bool) -> Grey:
    """One step of a dilation; crosses and squares in turn make an octagon."""
    grown = field.copy()
    np.maximum(grown[1:], field[:-1], out=grown[1:])
    np.maximum(grown[:-1], field[1:], out=grown[:-1])
    across = grown if square else field
    result = grown.copy()
    np.maximum(result[:, 1:], across[:, :-1], out=result[:, 1:])
    np.maximum(result[:, :-1], across[:, 1:], out=result[:, :-1])
    return result


def letterbox(grey: Grey) -> Grey:
    """Fit a picture (H, W) into (28, 28): aspect kept, the rest filled with 0."""
    if grey.shape == (SIDE, SIDE):
        return grey
    small = _fit(grey, SIDE, Image.Resampling.BICUBIC)
    return _place(small, (SIDE / 2, SIDE / 2), (small.shape[0] / 2, small.shape[1] / 2))


def centre(ink: Grey) -> Grey:
    """Light ink on black, (H, W), cropped, scaled into 20×20, centred by mass in (28, 28)."""
    box = _inked_box(ink)
    if box is None:
        return np.zeros((SIDE, SIDE), np.uint8)
    cropped = ink[box]
    # By area where it shrinks, as MNIST was made.
    shrinks = max(cropped.shape) > _BOX
    kind = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    small = _fit(cropped, _BOX, kind)
    weight = small.astype(np.float64)
    rows, columns = np.arange(small.shape[0]) + 0.5, np.arange(small.shape[1]) + 0.5
    total = weight.sum()
    if not total:
        return np.zeros((SIDE, SIDE), np.uint8)
    mass = ((weight.sum(1) @ rows) / total, (weight.sum(0) @ columns) / total)
    return _place(small, _MASS, mass)


def _inked_box(ink: Grey) -> tuple[slice, slice] | None:
    strong = ink > _INK * ink.max(initial=1)
    rows, columns = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    if not len(rows):
        return None
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _fit(grey: Grey, side: int, kind: Image.Resampling) -> Grey:
    """Resample so that the longer side is `side` pixels."""
    height, width = grey.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(grey).resize(size, kind))


def _place(small: Grey, point: tuple[float, float], middle: tuple[float, float]) -> Grey:
    """Put a small picture on a black field, its `middle` at `point` (row, column).

    Points are distances from the upper left corner: the centre of the first pixel is 0.5.
    """
    height, width = small.shape
    top = int(np.clip(round(point[0] - middle[0]), 0, SIDE - height))
    left = int(np.clip(round(point[1] - middle[1]), 0, SIDE - width))
    field = np.zeros((SIDE, SIDE), np.uint8)
    field[top : top + height, left : left + width] = small
    return field
