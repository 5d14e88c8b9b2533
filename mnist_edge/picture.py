"""Any picture a person has -> uint8 (28, 28), 0 = background, the way the model was trained.

Digits are brought into MNIST's form (LeCun et al. 1998): scaled into a 20×20 box with their
aspect kept, then placed so that the centre of mass is at pixel (14, 14) of the 28×28 field.
Pictures of a `folder:` set have no such form: they are fitted into the square and left as they
are.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from mnist_edge.errors import DataError

SIDE = 28
_BOX = 20
_MASS = (14.5, 14.5)  # where MNIST has the centre of mass: the centre of pixel (14, 14)
_INK = 0.15  # of the strongest ink: what is fainter is paper

Grey = NDArray[np.uint8]


def prepare(path: Path, dataset: str) -> Grey:
    """Read a picture and bring it into the form in which `dataset` shows its images."""
    grey = read(path)
    try:
        return letterbox(grey) if dataset.startswith("folder:") else digit(grey)
    except DataError as error:
        raise DataError(f"{path} {error}") from None


def read(path: Path) -> Grey:
    """A picture's grey values, uint8 (H, W), upright, on a plain ground where it is transparent.

    Raises DataError when the file is missing or is no picture.
    """
    try:
        if not path.is_file():
            raise DataError(f"there is no picture {path}")
        with Image.open(path) as image:
            return _grey(ImageOps.exif_transpose(image))
    except (OSError, SyntaxError, ValueError, TypeError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} is not a picture that can be read: {error}") from error


def _grey(image: Image.Image) -> Grey:
    if image.mode.startswith(("I", "F")):  # 16 bits and more, which convert("L") would clip
        values = np.asarray(image, np.float64)
        top = 65535.0 if image.mode.startswith("I") else max(1.0, float(values.max(initial=0)))
        return np.round(values.clip(0, top) * (255 / top)).astype(np.uint8)
    if not image.has_transparency_data:
        return np.asarray(image.convert("L"))
    grey, alpha = (np.asarray(band, np.float64) for band in image.convert("LA").split())
    # The ground that contrasts with what is drawn: black ink needs white, white ink black.
    ground = 255.0 if (grey * alpha).sum() < 127.5 * alpha.sum() else 0.0
    return np.round((grey * alpha + ground * (255 - alpha)) / 255).astype(np.uint8)


def letterbox(grey: Grey) -> Grey:
    """Fit a picture (H, W) into (28, 28): aspect kept, the rest filled with 0."""
    if grey.shape == (SIDE, SIDE):
        return grey
    return _place(_fit(grey, SIDE), (SIDE / 2, SIDE / 2), centred_on=None)


def digit(grey: Grey) -> Grey:
    """Bring a drawn character (H, W) into MNIST's form. DataError when it is blank.

    Dark on light is inverted; grey paper becomes 0 and the strongest ink 255. A 28×28 picture is
    taken to have that form already: it is inverted at most.
    """
    paper = _paper(grey)
    ink = 255 - grey if paper - grey.min() > grey.max() - paper else grey
    if np.ptp(ink) < 16:
        raise DataError("is blank: there is nothing to read")
    if ink.shape == (SIDE, SIDE):
        return ink
    above = ink.astype(np.float64) - _paper(ink)
    return centre(np.round(above.clip(0) * (255 / above.max())).astype(np.uint8))


def _paper(grey: Grey) -> float:
    """The grey of the ground: what most of the border shows."""
    return float(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))


def centre(ink: Grey) -> Grey:
    """Light ink on black, (H, W), cropped, scaled into 20×20, centred by mass in (28, 28)."""
    strong = ink > _INK * ink.max(initial=1)
    rows, columns = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    if not len(rows):
        return np.zeros((SIDE, SIDE), np.uint8)
    cropped = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _place(_fit(cropped, _BOX), _MASS, centred_on="mass")


def _fit(grey: Grey, side: int) -> Grey:
    """Resample so that the longer side is `side` pixels."""
    height, width = grey.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC))


def _place(small: Grey, point: tuple[float, float], centred_on: str | None) -> Grey:
    """Put a small picture on a black field, its middle or its mass at `point` (row, column).

    Points are distances from the upper left corner: the centre of the first pixel is 0.5.
    """
    height, width = small.shape
    middle = (height / 2, width / 2)
    if centred_on == "mass" and small.any():
        weight = small.astype(np.float64)
        rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
        total = weight.sum()
        middle = ((weight.sum(1) @ rows) / total, (weight.sum(0) @ columns) / total)
    top = int(np.clip(round(point[0] - middle[0]), 0, SIDE - height))
    left = int(np.clip(round(point[1] - middle[1]), 0, SIDE - width))
    field = np.zeros((SIDE, SIDE), np.uint8)
    field[top : top + height, left : left + width] = small
    return field


def drawn_digits(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Digits in Pillow's own font, uint8 (count, 28, 28), each of another size and place.

    They stand in for test images where no data set is at hand: inputs to time, not to score.
    """
    random = np.random.default_rng(seed)
    fonts = [ImageFont.load_default(size=size) for size in range(16, 27, 2)]
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for at in range(count):
        field = Image.new("L", (SIDE, SIDE))
        place = tuple(random.uniform(10, 18, 2))
        font = fonts[random.integers(len(fonts))]
        ImageDraw.Draw(field).text(place, str(at % 10), 255, font, anchor="mm")
        images[at] = np.asarray(field)
    return images
