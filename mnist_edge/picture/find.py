"""Where on a picture its one digit is: sheets, polarities and lights tried until one is clear."""

import numpy as np
from numpy.typing import NDArray

from mnist_edge.picture.candidate import Candidate, candidate
from mnist_edge.picture.ink import FLAT, WIDEST, Plane, flat_lightness, is_flat, lightness
from mnist_edge.picture.sheet import onto_sheets
from mnist_edge.picture.view import Box, View, closer, look

Grey = NDArray[np.uint8]

_LOOKS = 4
_NOTHING = 0.1  # sharpness of what is no ink but a change of the light
_UNCLEAR = 0.5  # quality so little that the other polarity is tried too
_CLEAR = 0.8  # quality enough not to look for a better
_BETTER = 0.1  # quality more that it takes to prefer a less likely reading
_FAR_BETTER = 0.25  # and where the likely one has sharp edges all around


def find_digit(grey: Plane) -> Grey | None:
    """The ink of the one digit on a picture (H, W): light on black, cut out. None when blank.

    It is looked for on the innermost sheet in the picture, and, if it is not clear there, on the
    whole of it: half of a picture that lies in a shadow looks like a sheet too.
    """
    best: Candidate | None = None
    for part in onto_sheets(grey):
        found = _closest(part.grey)
        if found and (best is None or found.quality > best.quality + _doubt(best)):
            best = found
        if best and best.quality > _CLEAR:
            break
    return None if best is None or best.sharpness < _NOTHING else best.cut_out()


def _closest(grey: Plane) -> Candidate | None:
    """The digit of a picture, looked at from as near as it must be."""
    height, width = grey.shape
    box: Box = (0, 0, width, height)
    found: Candidate | None = None
    for _ in range(_LOOKS):
        view = look(grey, box)
        nearer = _sharpest(view, found.ink.light if found else None)
        if nearer is None:
            break
        found = nearer
        part = closer(view, found.box, (height, width))
        if part is None:
            break
        box = part
    return found


def _sharpest(view: View, light: bool | None) -> Candidate | None:
    """The digit of a view, taking the light for as uneven as it must be.

    With an even light the widest strokes can be read. Under a shadow that leaves the shadow's
    corners as ink; they have no edge of their own in the picture, where strokes have one all
    around. The same tells ink from paper where the border does not.
    """
    # Half a picture in a shadow is of two greys too, but its border does not tell which is paper.
    if not view.fine or (abs(flat_lightness(view.grey)) > 2 and is_flat(view.grey)):
        best = _likelier(view, light, FLAT)
        if best and best.sharpness > _CLEAR:
            return best
    best = None
    for widest in WIDEST if view.fine else WIDEST[:1]:
        found = _likelier(view, light, widest)
        # Narrower strokes of a fat digit are pieces of it: they must look far better.
        if found and (best is None or found.score > best.score + _doubt(best)):
            best = found
        if best and best.quality > _CLEAR:
            break
    return best


def _likelier(view: View, light: bool | None, widest: float) -> Candidate | None:
    """The likelier digit of a view of the two that ink of either polarity would be."""
    if light is None:
        sure = flat_lightness(view.grey) / 2 if widest == FLAT else lightness(view.grey) / 3
        sides = [sure > 0] if abs(sure) > 1 else [True, False]
    else:
        sides = [light]
    tries = [candidate(view, side, widest) for side in sides]
    if len(sides) == 1 and (tries[0] is None or tries[0].quality < _UNCLEAR) and widest != FLAT:
        tries.append(candidate(view, not sides[0], widest))
    return max(filter(None, tries), key=lambda found: found.score, default=None)


def _doubt(best: Candidate) -> float:
    """How much better a less likely reading must be to be preferred."""
    return _BETTER if best.sharpness < _CLEAR else _FAR_BETTER
