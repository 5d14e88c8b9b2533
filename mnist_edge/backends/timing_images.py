"""Images that are at hand everywhere: inputs to time, not to score."""

import numpy as np
from PIL import Image

from mnist_edge.image_shape import MNIST_SHAPE, ImageShape
from mnist_edge.preprocess import render_digits
from mnist_edge.types import Images

_PATCHES = 5


def sample_images(count: int, shape: ImageShape, seed: int = 0) -> Images:
    """So many images of a shape, all different: digits in a font for MNIST's, else smooth patches
    of random levels. They stand in for test images where no data set is at hand."""
    if shape == MNIST_SHAPE:
        return render_digits(count, seed)
    random = np.random.default_rng(seed)
    size = (shape.width, shape.height)
    patches = random.integers(0, 256, (count, _PATCHES, _PATCHES, 3), np.uint8)
    mode = "RGB" if shape.is_color else "L"
    drawn = [Image.fromarray(one).convert(mode).resize(size) for one in patches]
    return np.stack([np.asarray(one) for one in drawn])
