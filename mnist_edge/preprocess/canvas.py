"""Drawings: ink on a canvas that nothing else is on, so that nothing has to be looked for.

All is arithmetic on whole numbers, or rounded to them, so that the page of `mnist-edge export
--web` makes the same bytes (web/page/drawing.js): whatever changes here changes there.
"""

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess.components import Components, connected_components
from mnist_edge.preprocess.counting import count_digits
from mnist_edge.preprocess.mnist_format import INK_THRESHOLD, to_mnist_format
from mnist_edge.preprocess.selection import NO_STROKE, cluster, is_block, plausibility
from mnist_edge.types import Grey

_SPECK_RATIO = 50  # times as large the greatest piece is
_NEAR_RATIO = 12  # parts of its longer side: what lies within one of them is no speck
_MIN_SIDE = 56  # below, a stroke's edge is not told from its inside
_FULL_INK = 230
_MAX_PIECES = 4
_MAX_INK = 0.5  # of the picture
_MAX_SHADES = 0.6  # of the ink may be in between


def prepare_drawing(ink: Grey) -> Grey:
    """A drawing, uint8 (H, W), 0 = canvas, 255 = full ink, in MNIST's form: uint8 (28, 28).

    Specks are left out: the pen came down where it should not. All zeros for an empty canvas.
    """
    return to_mnist_format(_remove_specks(ink, _ink_components(ink)))


def match_drawing(pixels: NDArray[np.uint8]) -> Grey | None:
    """A picture (H, W) in MNIST's form, if it is a drawing: of one digit, in black on white or
    white on black, with nothing around it. None for another picture, and where that is not sure.
    """
    if pixels.ndim != 2 or min(pixels.shape) < _MIN_SIDE:
        return None
    paper = int(pixels[0, 0])
    if paper not in (0, 255):
        return None
    rim = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    if any((side != paper).any() for side in rim):
        return None
    ink = 255 - pixels if paper else pixels
    used = np.count_nonzero(ink)
    full = np.count_nonzero(ink > _FULL_INK)
    if used > _MAX_INK * ink.size or full < (1 - _MAX_SHADES) * used or not used:
        return None
    parts = _ink_components(ink)
    return to_mnist_format(_remove_specks(ink, parts)) if _is_one_digit(parts, ink) else None


def _is_one_digit(parts: Components, ink: Grey) -> bool:
    """Whether the pieces of a drawing are one digit and specks: no frame, page, or second digit."""
    main = int(parts.area.argmax())
    if len(parts) > _MAX_PIECES or is_block(parts, main) or plausibility(parts)[main] <= NO_STROKE:
        return False
    inked = parts.labels >= 0
    mass = np.bincount(parts.labels[inked], ink[inked], len(parts))
    strokes = parts.area * _SPECK_RATIO >= parts.area[main]
    within = (
        (parts.top > parts.top[main])
        & (parts.left > parts.left[main])
        & (parts.bottom < parts.bottom[main])
        & (parts.right < parts.right[main])
    )
    chosen = cluster(parts, main, mass)
    one = chosen[strokes].all() and not within.any()
    return bool(one and count_digits(parts, main, chosen, mass) == 1)


def _ink_components(ink: Grey) -> Components:
    return connected_components(ink > INK_THRESHOLD * ink.max(initial=1))


def _remove_specks(ink: Grey, parts: Components) -> Grey:
    """Without the pieces that are small, and not near the greatest one."""
    if len(parts) < 2:
        return ink
    main = int(parts.area.argmax())
    side = max(parts.height[main], parts.width[main])
    across = np.maximum(parts.left - parts.right[main], parts.left[main] - parts.right)
    along = np.maximum(parts.top - parts.bottom[main], parts.top[main] - parts.bottom)
    far = np.maximum(across, along) * _NEAR_RATIO > side
    specks = (parts.area * _SPECK_RATIO < parts.area[main]) & far
    return np.where(parts.mask_of(specks), 0, ink) if specks.any() else ink
