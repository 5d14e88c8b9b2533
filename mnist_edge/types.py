"""Types that several wings share."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SIDE = 28
"""Pixels along each side of an image in MNIST's form."""

Grey = NDArray[np.uint8]
"""A picture (H, W) of any size, 0 = black."""

Images = NDArray[np.uint8]
"""Images (N, H, W), grey, or (N, H, W, 3), RGB; digits have 0 as their background."""

Labels = NDArray[np.int64]
"""Classes (N,), by their positions."""

Logits = NDArray[np.float32]
"""Answers (N, classes)."""

LogitsFunction = Callable[[Images], Logits]
"""What answers images with logits."""

Progress = Callable[[str, float, float], None]
"""Told what is under way, how much of it is done, and how much there is (0: unknown)."""
