"""Pictures and the images that they become, for every language that fits pictures.

    python -m tests.preprocess.fit_vectors

writes fit_vectors.json again: a list of objects with the picture's `width`, `height`, `channels`
and `seed`; the `shape` of the image (height, width, channels), the `fit`, the `sha256` of the
image's bytes, row by row, channels last, and its `first` pixel.

The pictures are drawn in whole numbers. A state begins as `seed`, and for each value, row by row,
pixel by pixel, channel by channel (y, x, c), becomes (1664525 * state + 1013904223) mod 2^32. The
value is ((7 + seed) * x + 5 * y + 60 * c + x * y // 16 + (state >> 27)) mod 256.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mnist_edge.image_shape import Fit, ImageShape
from mnist_edge.preprocess import Pixels, fit_image

FILE = Path(__file__).with_name("fit_vectors.json")
_GREY, _RGB = 1, 3
_SQUARE = ImageShape(32, 32, _RGB)
_UPRIGHT, _LEVEL = ImageShape(96, 48, _RGB), ImageShape(20, 64, _RGB)


@dataclass(frozen=True, slots=True)
class Picture:
    width: int
    height: int
    channels: int
    seed: int

    def pixels(self) -> Pixels:
        """uint8 (H, W) or (H, W, 3)."""
        values, state = [], self.seed
        for y in range(self.height):
            for x in range(self.width):
                for c in range(self.channels):
                    state = (1664525 * state + 1013904223) % 2**32
                    value = (7 + self.seed) * x + 5 * y + 60 * c + x * y // 16 + (state >> 27)
                    values.append(value % 256)
        dims = (self.height, self.width, self.channels)[: 3 if self.channels == _RGB else 2]
        return np.array(values, np.uint8).reshape(dims)


CASES = [
    (picture, shape, fit)
    for picture, shapes in (
        (Picture(75, 50, _RGB, 0), (_SQUARE, _UPRIGHT, _LEVEL, ImageShape(28, 28))),
        (Picture(41, 90, _RGB, 1), (_SQUARE, _UPRIGHT, ImageShape(64, 64, _RGB))),
        (Picture(60, 33, _GREY, 2), (_SQUARE, ImageShape(28, 28), ImageShape(16, 96))),
        (Picture(32, 32, _RGB, 3), (_SQUARE, ImageShape(32, 32), _UPRIGHT)),
        (Picture(33, 32, _RGB, 4), (_SQUARE,)),  # an odd pixel to leave out, or to fill
        (Picture(9, 11, _RGB, 5), (ImageShape(96, 96, _RGB), ImageShape(28, 28))),  # enlarged
        (Picture(8, 300, _RGB, 6), (_SQUARE, _LEVEL)),  # one pixel wide
        (Picture(56, 27, _GREY, 7), (ImageShape(28, 28),)),  # halves, which go to the even
    )
    for shape in shapes
    for fit in (Fit.PAD, Fit.CROP, Fit.ZERO_PAD)
]


def expected(picture: Picture, shape: ImageShape, fit: Fit) -> dict[str, object]:
    image = fit_image(picture.pixels(), shape, fit)
    return {
        **asdict(picture),
        "shape": asdict(shape),
        "fit": str(fit),
        "sha256": hashlib.sha256(image.tobytes()).hexdigest(),
        "first": np.atleast_1d(image[0, 0]).tolist(),
    }


if __name__ == "__main__":
    FILE.write_text("[\n" + ",\n".join(json.dumps(expected(*case)) for case in CASES) + "\n]\n")
