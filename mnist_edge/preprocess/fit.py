"""Any picture -> an image of a network's shape, and nothing is looked for on it.

All of it is whole numbers and doubles as every language has them, so that a twin in JavaScript
makes the same bytes; tests/preprocess/fit_vectors.json holds examples. With a picture of w × h
pixels, an image of W × H, and `round` to the nearest whole number, halves to the even one:

1. Channels. RGB becomes grey where the image is grey: (19595 R + 38470 G + 7471 B + 32768) >> 16,
   which is Pillow's "L" (ITU-R BT.601). Grey becomes RGB by repeating.
2. A picture of W × H pixels is done.
3. CROP cuts the middle out, in whole pixels, of the aspect W : H. Where w·H > h·W its width is
   max(1, (2·h·W + H) // (2·H)), and (w - width) // 2 columns are left out before it; else its
   height is max(1, (2·w·H + W) // (2·W)), and (h - height) // 2 rows are left out above it.
   The middle is resampled to W × H: done.
4. PAD and ZERO_PAD resample the whole picture to max(1, round(w·s)) × max(1, round(h·s)) pixels,
   where s is the lesser of W / w and H / h, in doubles.
5. It is put at column round((W - its width) / 2) and row round((H - its height) / 2).
6. What is left over is 0 with ZERO_PAD. With PAD it is, in each channel, the mean of the border of
   the resampled picture: its outermost pixels, each once, of the sum S and the count n:
   (2·S + n) // (2·n).

Resampling is Pillow's, antialiased and bicubic (Catmull-Rom, a = -0.5; src/libImaging/Resample.c):
first along the rows, then along the columns, a pass that changes no length being left out. Each
weight is a double, divided by the sum of its window's, then fixed to 22 bits, halves away from
zero; each sum begins at 2^21, is shifted right by 22 bits, and clipped to 0..255. Between the
passes there are 8 bits.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_edge.image_shape import Fit, ImageShape

_Pixels = NDArray[np.uint8]


def fit_image(pixels: _Pixels, shape: ImageShape, fit: Fit) -> _Pixels:
    """A picture, uint8 (H, W) grey or (H, W, 3) RGB of any size, as an image: uint8 `shape.dims`.

    One of that size keeps its pixels. `fit` is PAD, CROP or ZERO_PAD: ValueError for DIGIT.
    """
    if fit is Fit.DIGIT:
        raise ValueError("digits are looked for: prepare_images does it")
    if pixels.ndim == 3 and not shape.is_color:
        pixels = to_luminance(pixels)
    if pixels.shape[:2] != (shape.height, shape.width):
        pixels = _crop(pixels, shape) if fit is Fit.CROP else _pad(pixels, shape, fit)
    # Last: one channel is resampled in a third of the time, to the same values.
    return to_rgb(pixels) if shape.is_color else pixels


def to_luminance(pixels: _Pixels) -> _Pixels:
    """The luminance, uint8 (H, W), of grey or RGB pixels."""
    return pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))


def to_rgb(pixels: _Pixels) -> _Pixels:
    """Grey or RGB pixels as RGB, uint8 (H, W, 3)."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, np.newaxis], 3, axis=2)


def _crop(pixels: _Pixels, shape: ImageShape) -> _Pixels:
    high, wide = pixels.shape[:2]
    if wide * shape.height > high * shape.width:
        width = max(1, (2 * high * shape.width + shape.height) // (2 * shape.height))
        left = (wide - width) // 2
        middle = pixels[:, left : left + width]
    else:
        height = max(1, (2 * wide * shape.height + shape.width) // (2 * shape.width))
        top = (high - height) // 2
        middle = pixels[top : top + height]
    return _resample(middle, shape.width, shape.height)


def _pad(pixels: _Pixels, shape: ImageShape, fit: Fit) -> _Pixels:
    high, wide = pixels.shape[:2]
    scale = min(shape.height / high, shape.width / wide)
    small = _resample(pixels, max(1, round(wide * scale)), max(1, round(high * scale)))
    height, width = small.shape[:2]
    top, left = round((shape.height - height) / 2), round((shape.width - width) / 2)
    image = np.zeros((shape.height, shape.width, *pixels.shape[2:]), np.uint8)
    if fit is Fit.PAD:
        image[:] = _border_mean(small)
    image[top : top + height, left : left + width] = small
    return image


def _border_mean(pixels: _Pixels) -> NDArray[np.int64]:
    """The mean of the outermost pixels, halves rounded up: () of grey, (3,) of RGB."""
    at_border = np.ones(pixels.shape[:2], bool)
    at_border[1:-1, 1:-1] = False
    border = pixels[at_border]
    total = border.sum(axis=0, dtype=np.int64)
    return np.asarray((2 * total + len(border)) // (2 * len(border)))


def _resample(pixels: _Pixels, width: int, height: int) -> _Pixels:
    kind = Image.Resampling.BICUBIC
    image = Image.fromarray(np.ascontiguousarray(pixels))
    # First along the rows: in which order one call does both depends on Pillow's version.
    return np.asarray(image.resize((width, image.height), kind).resize((width, height), kind))
