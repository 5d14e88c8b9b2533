"""Copies of a picture that are not the same to the pixel: what a search for duplicates must find.

Each takes uint8 (H, W) or (H, W, 3), and gives the same.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

Picture = NDArray[np.uint8]


def saved_anew(picture: Picture, quality: int = 75) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def darker(picture: Picture) -> Picture:
    return np.asarray(ImageEnhance.Brightness(Image.fromarray(picture)).enhance(0.8))


def shifted(picture: Picture) -> Picture:
    return np.roll(picture, (1, -1), (0, 1))


def resized(picture: Picture) -> Picture:
    """Made smaller, and as large as before."""
    image = Image.fromarray(picture)
    smaller = image.resize((image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.BICUBIC)
    return np.asarray(smaller.resize(image.size, Image.Resampling.BICUBIC))
