"""Any picture a person has -> uint8 (28, 28), 0 = background, the way the model was trained.

`reading` opens it, `ink` tells ink from paper, `find` finds the digit, `form` brings it into
MNIST's form (LeCun et al. 1998). In drawings (`canvas`) nothing has to be looked for. Pictures of
a `folder:` set have no such form: they are fitted into the square and left as they are.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_edge.picture.canvas import as_drawn, drawn
from mnist_edge.picture.find import find_digit
from mnist_edge.picture.form import SIDE, as_formed, centre, formed, letterbox
from mnist_edge.picture.ink import plane
from mnist_edge.picture.lines import Found, grid, line, read_grid, read_line
from mnist_edge.picture.reading import Loaded, Source, load
from mnist_edge.picture.samples import drawn_digits

__all__ = [
    "SIDE",
    "Found",
    "Loaded",
    "Source",
    "centre",
    "digit",
    "digits",
    "drawn",
    "drawn_digits",
    "grey",
    "grid",
    "letterbox",
    "line",
    "load",
    "prepare",
    "prepared",
    "read_grid",
    "read_line",
    "read_picture",
]

Grey = NDArray[np.uint8]
Pixels = NDArray[np.uint8]
_FOLDER = "folder:"


def read_picture(source: Source) -> Grey:
    """A picture of one digit in MNIST's form: uint8 (28, 28), 0 = background, 255 = ink.

    `source` is the path of a file, an open binary file, or a Pillow image: PNG, JPEG, GIF, BMP,
    TIFF, WebP, AVIF, PPM, ICO, or HEIF where pillow-heif is installed, from 8×8 to 64 megapixels
    (24 of WebP, AVIF and HEIF), ink lighter or darker than its paper. A blank page gives all zeros.
    Raises DataError, in one line with the file's name, for what cannot be read.

    >>> Classifier("exported/edge.onnx").predict(read_picture("seven.png")).labels
    """
    return digit(load(source).pixels)


def prepare(source: Source, dataset: str) -> Grey:
    """Read a picture and bring it into the form in which `dataset` shows its images."""
    return prepared([load(source).pixels], dataset)[0]


def prepared(pictures: Sequence[Pixels], dataset: str) -> list[Grey]:
    """Pixels (H, W) or (H, W, 3) in the form, (28, 28), in which `dataset` shows its images."""
    if dataset.startswith(_FOLDER):
        return [letterbox(grey(pixels)) for pixels in pictures]
    return digits(pictures)


def grey(pixels: NDArray[np.uint8]) -> Grey:
    """The luminance, uint8 (H, W), of grey or RGB pixels."""
    return pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))


def digit(pixels: Pixels) -> Grey:
    """The digit on a picture, uint8 (H, W) or (H, W, 3), in MNIST's form; all zeros when blank.

    What has that form already, or has it inverted, is left as it is.
    """
    return digits([pixels])[0]


def digits(pictures: Sequence[Pixels]) -> list[Grey]:
    """As `digit`, of many pictures: those that have the form are told faster together."""
    return [
        _looked_for(pixels) if image is None else image
        for pixels, image in zip(pictures, as_formed(pictures), strict=True)
    ]


def _looked_for(pixels: Pixels) -> Grey:
    image = as_drawn(pixels)
    if image is not None:
        return image
    found = find_digit(plane(pixels))
    return np.zeros((SIDE, SIDE), np.uint8) if found is None else formed(found)
