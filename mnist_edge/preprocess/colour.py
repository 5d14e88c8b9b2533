"""Colours -> grey values in which ink and paper differ, though they be of one luminance."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from mnist_edge.preprocess.foreground import Plane

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def project_to_grey(pixels: NDArray[np.uint8]) -> Plane:
    """One grey value for each pixel, along the direction in which ink and paper differ most.

    For most pictures that is their luminance. Colours of one luminance (red ink on green paper)
    differ along another direction, which the strokes tell: the first principal component of what
    is left of a reduced copy when its smooth part is taken away.
    """
    if pixels.ndim == 2:
        return pixels.astype(np.float32)
    luminance = pixels.astype(np.float32) @ _LUMINANCE
    small = _reduce_rgb(pixels)
    detail = (small - _blur_rgb(small)).reshape(-1, 3)
    covariance = detail.T @ detail / len(detail)
    variances, directions = np.linalg.eigh(covariance)
    along = float(_LUMINANCE @ covariance @ _LUMINANCE) / float(_LUMINANCE @ _LUMINANCE)
    if variances[-1] < 2 * along or variances[-1] < 4:
        return luminance
    direction = directions[:, -1].astype(np.float32)
    direction /= np.abs(direction).sum()
    values = pixels.astype(np.float32) @ direction
    return np.asarray(values - min(0.0, float(255 * direction[direction < 0].sum())), np.float32)


def _reduce_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    image = Image.fromarray(pixels)
    image.thumbnail((128, 128), Image.Resampling.BOX)
    return np.asarray(image, np.float32)


def _blur_rgb(small: NDArray[np.float32]) -> NDArray[np.float32]:
    image = Image.fromarray(small.astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.BoxBlur(max(small.shape[:2]) // 6)), np.float32)
