"""Pictures with transparent parts -> the same on a plain ground, in integers and in stripes."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_STRIPE_LINES = 256  # at once


def is_opaque(image: Image.Image) -> bool:
    """Whether nothing of an image with an alpha channel shows through."""
    return image.getchannel("A").getextrema()[0] == 255


def flatten_alpha(image: Image.Image) -> NDArray[np.uint8]:
    """An LA or RGBA image put on a plain ground: uint8 (H, W, 1 or 3).

    Where most is opaque, what is transparent gets the colour of the rest. Ink on a transparent
    canvas gets the ground that it contrasts with: black under light ink, white under dark.
    """
    twice = _doubled_background(image)
    width, height = image.size
    flat = np.empty((height, width, len(twice)), np.uint8)
    for top, colour, alpha in _stripes(image):
        mixed = 2 * colour * alpha + twice * (255 - alpha)
        flat[top : top + len(mixed)] = (mixed + 255) // 510
    return flat


def _doubled_background(image: Image.Image) -> NDArray[np.uint32]:
    """Twice the colour of the ground, (1 or 3,): a median may lie between two."""
    channels = len(image.getbands()) - 1
    visible = np.zeros((channels, 256), np.int64)
    ink = weight = 0
    for _, colour, alpha in _stripes(image):
        seen = alpha[:, :, 0] > 127
        for channel, counts in enumerate(visible):
            counts += np.bincount(colour[:, :, channel][seen], minlength=256)
        ink += int((colour * alpha).sum(dtype=np.int64))
        weight += channels * int(alpha.sum(dtype=np.int64))
    if 2 * int(visible[0].sum()) > image.width * image.height:
        return np.array([_doubled_median(counts) for counts in visible], np.uint32)
    light = 2 * ink >= 255 * weight and weight > 0
    return np.full(channels, 0 if light else 510, np.uint32)


def _doubled_median(counts: NDArray[np.int64]) -> int:
    below = np.cumsum(counts)
    total = int(below[-1])
    low, high = np.searchsorted(below, [(total - 1) // 2, total // 2], "right")
    return int(low + high)


def _stripes(
    image: Image.Image,
) -> Iterator[tuple[int, NDArray[np.uint32], NDArray[np.uint32]]]:
    """The first line of each stripe, its colour (h, W, 1 or 3) and its alpha (h, W, 1)."""
    width, height = image.size
    for top in range(0, height, _STRIPE_LINES):
        stripe = image.crop((0, top, width, min(height, top + _STRIPE_LINES)))
        pixels = np.asarray(stripe).astype(np.uint32)
        yield top, pixels[:, :, :-1], pixels[:, :, -1:]
