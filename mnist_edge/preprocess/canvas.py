"""Drawings: ink on a canvas that nothing else is on, so that nothing has to be looked for.

All is arithmetic on whole numbers, or rounded to them, so that the page of `mnist-edge export
--web` makes the same bytes (web/page/drawing.js): whatever changes here changes there.
"""

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess.components import Components, components
from mnist_edge.preprocess.counting import count_digits
from mnist_edge.preprocess.mnist_format import INK, formed
from mnist_edge.preprocess.selection import NO_STROKE, cluster, is_block, plausible

Grey = NDArray[np.uint8]

_SPECK = 50  # times as large the greatest piece is
_NEAR = 12  # parts of its longer side: what lies within one of them is no speck
_LEAST_SIDE = 56  # below, a stroke's edge is not told from its inside
_FULL = 230
_MOST_PIECES = 4
_MOST_INK = 0.5  # of the picture
_SHADES = 0.6  # of the ink may be in between


def drawn(ink: Grey) -> Grey:
    """A drawing, uint8 (H, W), 0 = canvas, 255 = full ink, in MNIST's form: uint8 (28, 28).

    Specks are left out: the pen came down where it should not. All zeros for an empty canvas.
    """
    return formed(_without_specks(ink, _pieces(ink)))


def as_drawn(pixels: NDArray[np.uint8]) -> Grey | None:
    """A picture (H, W) in MNIST's form, if it is a drawing: of one digit, in black on white or
    white on black, with nothing around it. None for another picture, and where that is not sure.
    """
    if pixels.ndim != 2 or min(pixels.shape) < _LEAST_SIDE:
        return None
    paper = int(pixels[0, 0])
    if paper not in (0, 255):
        return None
    rim = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    if any((side != paper).any() for side in rim):
        return None
    ink = 255 - pixels if paper else pixels
    used = np.count_nonzero(ink)
    full = np.count_nonzero(ink > _FULL)
    if used > _MOST_INK * ink.size or full < (1 - _SHADES) * used or not used:
        return None
    parts = _pieces(ink)
    return formed(_without_specks(ink, parts)) if _is_one_digit(parts, ink) else None


def _is_one_digit(parts: Components, ink: Grey) -> bool:
    """Whether the pieces of a drawing are one digit and specks: no frame, page, or second digit."""
    main = int(parts.area.argmax())
    if len(parts) > _MOST_PIECES or is_block(parts, main) or plausible(parts)[main] <= NO_STROKE:
        return False
    inked = parts.labels >= 0
    mass = np.bincount(parts.labels[inked], ink[inked], len(parts))
    strokes = parts.area * _SPECK >= parts.area[main]
    within = (
        (parts.top > parts.top[main])
        & (parts.left > parts.left[main])
        & (parts.bottom < parts.bottom[main])
        & (parts.right < parts.right[main])
    )
    chosen = cluster(parts, main, mass)
    one = chosen[strokes].all() and not within.any()
    return bool(one and count_digits(parts, main, chosen, mass) == 1)


def _pieces(ink: Grey) -> Components:
    return components(ink > INK * ink.max(initial=1))


def _without_specks(ink: Grey, parts: Components) -> Grey:
    """Without the pieces that are small, and not near the greatest one."""
    if len(parts) < 2:
        return ink
    main = int(parts.area.argmax())
    side = max(parts.height[main], parts.width[main])
    across = np.maximum(parts.left - parts.right[main], parts.left[main] - parts.right)
    along = np.maximum(parts.top - parts.bottom[main], parts.top[main] - parts.bottom)
    far = np.maximum(across, along) * _NEAR > side
    specks = (parts.area * _SPECK < parts.area[main]) & far
    return np.where(parts.only(specks), 0, ink) if specks.any() else ink
