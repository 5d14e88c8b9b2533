"""Any picture a person has -> an image of a network's shape, the way the model was trained.

Where the network reads digits, a digit is looked for: uint8 (28, 28), 0 = background. For all
others nothing is: `loading` reads the picture, and `fit` fits it into the shape.

The way of a photograph of a digit, step by step:
1. `loading`, `pixels`: a file -> upright pixels, less than 2,304 a side. Only usual formats are
   decoded (`formats`), within bounds (`limits`), AVIF and HEIF in a process of their own
   (`decoder_process`); what is transparent is put on a plain ground (`transparency`).
2. `mnist_format`, `canvas`: 28×28 as MNIST's images lie passes as it is, bit by bit; in a clean
   drawing nothing has to be looked for.
3. `colour`: one grey value a pixel, along the direction in which ink and paper differ.
4. `rectify`, `page`: a sheet that lies on a table is set upright, and cut out.
5. `search`: parts of it are looked at (`view`), with light and dark ink, even and uneven light
   where it is in doubt. `foreground` tells ink from paper, `candidate` takes the likeliest
   component for the digit.
6. `selection`, `fading`, `counting`: what else belongs to the digit, and how many digits there are.
7. `mnist_format`: strokes as wide as MNIST's, 20 pixels long, centred by mass (LeCun et al. 1998).

What is unusual:
- There is no learned detector: every step is arithmetic in NumPy and Pillow.
- Polarity is no setting: where it is in doubt both are tried, and the likelier reading wins.
- Strokes are brought to the widths that MNIST has, so that a thin pen and a marker read alike.
- A picture with no digit, or several, says so instead of guessing.
- `canvas` has a twin in JavaScript (web/page/drawing.js) that makes the same bytes.
- `several` reads lines and sheets: it cuts too often, and the network decides what to join.
- `fit` has one too, by the definition in its head.

Where a tuned number of these modules was measured or fitted, its comment says how. How the others
were found is not recorded, nor how much each may change, and no program fits them again. Whoever
changes one runs `benchmarks.difficult_pictures` (with and without --nondigits), `lines_read` and
`uncommon_strokes` before and after, and chooses by seeds from 200 on: 0, 100 and 101 are for
counting.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge.image_shape import MNIST_SHAPE, Fit, ImageShape
from mnist_edge.preprocess.canvas import match_drawing, prepare_drawing
from mnist_edge.preprocess.colour import project_to_grey
from mnist_edge.preprocess.fit import fit_image, to_luminance, to_rgb
from mnist_edge.preprocess.foreground import is_even
from mnist_edge.preprocess.loading import Loaded, Source, load
from mnist_edge.preprocess.mnist_format import centre, match_mnist_format, to_mnist_format
from mnist_edge.preprocess.sample_digits import render_digits
from mnist_edge.preprocess.search import find_digit
from mnist_edge.preprocess.several.lines import FoundDigit, read_grid, read_line
from mnist_edge.types import SIDE, Grey

__all__ = [
    "FoundDigit",
    "Loaded",
    "PreparedImage",
    "Source",
    "centre",
    "extract_digit",
    "fit_image",
    "load",
    "prepare_drawing",
    "prepare_images",
    "read_grid",
    "read_line",
    "read_picture",
    "render_digits",
    "to_luminance",
    "to_rgb",
]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """What was found on a picture: the `image` of its digit in MNIST's form, uint8 (28, 28), and
    how many `digits` there are: of several the image shows the clearest, of none it is all zeros.
    A `blank` picture has no ink at all. Where no digit was looked for, it is the picture in the
    network's shape, uint8 (H, W) or (H, W, 3), and 1."""

    image: Pixels
    digits: int
    blank: bool = False

    def note(self, noun: str = "digit") -> str | None:
        """What a person should know, of a picture in which one `noun` was looked for."""
        if self.digits == 1:
            return None
        if self.digits:
            return f"several {noun}s ({self.digits}) are here: --line or --grid"
        return (
            "is blank: there is nothing to read" if self.blank else f"shows no {noun} that is clear"
        )


def read_picture(source: Source, shape: ImageShape = MNIST_SHAPE, fit: Fit = Fit.DIGIT) -> Pixels:
    """A picture of one digit in MNIST's form: uint8 (28, 28), 0 = background, 255 = ink.

    `source` is the path of a file, an open binary file, or a Pillow image: PNG, JPEG, GIF, BMP,
    TIFF, WebP, AVIF, PPM, ICO, or HEIF where pillow-heif is installed, from 8×8 to 64 megapixels
    (24 of WebP, AVIF and HEIF), ink lighter or darker than its paper. A blank page gives all zeros.
    Raises DataError, in one line with the file's name, for what cannot be read.

    With any other `fit` no digit is looked for: the picture becomes an image of `shape`, uint8
    (H, W) or (H, W, 3). `Classifier.read` does it as its file wants it.

    >>> Classifier("exported/edge.onnx").predict(read_picture("seven.png")).labels
    """
    return prepare_images([load(source).pixels], shape, fit)[0].image


def extract_digit(pixels: Pixels) -> Grey:
    """The digit on a picture, uint8 (H, W) or (H, W, 3), in MNIST's form; all zeros when blank.

    What has that form already, or has it inverted, is left as it is.
    """
    return prepare_images([pixels])[0].image


def prepare_images(
    pictures: Sequence[Pixels], shape: ImageShape = MNIST_SHAPE, fit: Fit = Fit.DIGIT
) -> list[PreparedImage]:
    """Pixels (H, W) or (H, W, 3) of any size as images of `shape`, by `fit`. Only with DIGIT are
    digits looked for, and counted: ValueError where the shape is not MNIST's.

    Those that have MNIST's form already are told faster together.
    """
    if fit is not Fit.DIGIT:
        return [PreparedImage(fit_image(pixels, shape, fit), 1) for pixels in pictures]
    if shape != MNIST_SHAPE:
        raise ValueError(f"a digit becomes an image of {MNIST_SHAPE}, not of {shape}")
    return [
        _prepare_digit(pixels) if image is None else PreparedImage(image, 1)
        for pixels, image in zip(pictures, match_mnist_format(pictures), strict=True)
    ]


def _prepare_digit(pixels: Pixels) -> PreparedImage:
    image = match_drawing(pixels)
    if image is not None:
        return PreparedImage(image, 1)
    grey = project_to_grey(pixels)
    found = find_digit(grey)
    if found is None:
        return PreparedImage(np.zeros((SIDE, SIDE), np.uint8), 0, blank=is_even(grey))
    return PreparedImage(to_mnist_format(found.ink), found.digits)
