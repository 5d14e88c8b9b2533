"""Where on a picture its one digit is: sheets, polarities and lights tried until one is clear."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess.candidate import Candidate, candidate
from mnist_edge.preprocess.foreground import FLAT, WIDEST, Plane, is_flat, lightness
from mnist_edge.preprocess.page import onto_sheets
from mnist_edge.preprocess.selection import NO_STROKE, is_block
from mnist_edge.preprocess.turned import upright
from mnist_edge.preprocess.view import View, closer, look

Grey = NDArray[np.uint8]
Find = Callable[[View, bool | None], Candidate | None]
"""Finds the digit of a view: of light ink, of dark ink, or, where it is None, of either."""

_LOOKS = 4
_UNCLEAR = 0.5  # quality so little that the other polarity is tried too
_SURE = 2.0  # of `flat_lightness`
_PLAIN = 0.9  # sharpness enough to look no further
_AT_EDGES = 0.3  # freedom of what touches an edge of the picture
_LAYERED = 0.02  # of ink may be far stronger than the rest
_SHARP = 0.8  # enough of an edge to be no shadow
_GOOD = 0.9  # quality enough to be preferred for a little more
_CLEAR = 0.95  # quality enough not to look for a better
_BETTER = 0.1  # quality more that it takes to prefer a less likely reading
_FAR_BETTER = 0.25  # and where the likely one has sharp edges all around


@dataclass(frozen=True, slots=True)
class Seen:
    """A digit on a picture: its `ink` uint8 (H, W), light on black, cut out, and how many
    `digits` there are, of which it is the clearest."""

    ink: Grey
    digits: int


def find_digit(grey: Plane) -> Seen | None:
    """The one digit on a picture (H, W), or the clearest. None when blank.

    It is looked for on the innermost sheet in the picture, and, if it is not clear there, on the
    whole of it: half of a picture that lies in a shadow looks like a sheet too.
    """
    sheet = upright(grey)
    seen = None if sheet is None else _found(sheet)
    return seen or _found(grey)


def _found(grey: Plane) -> Seen | None:
    """As `find_digit`, without a look for a sheet that is turned."""
    whole = _whole(grey)
    best = _on_plain_paper(grey, whole)
    for part in onto_sheets(grey) if best is None else ():
        view = whole if part.grey is grey else _whole(part.grey)
        found = _closest(part.grey, _sharpest, view)
        if not found or not found.is_ink or (part.grey is not grey and _is_rim(found)):
            continue
        if best is None or found.quality > best.quality + _doubt(best, found):
            best = found
        if best and best.quality > _CLEAR:
            break
    return None if best is None else Seen(best.cut_out(), best.digits)


def _is_rim(found: Candidate) -> bool:
    """Whether a sheet's digit is what was left of its own edge when that was taken away."""
    return found.trimmed and found.freedom < _AT_EDGES


def _on_plain_paper(grey: Plane, whole: View) -> Candidate | None:
    """The digit of a picture whose paper is of one grey and lies all around it, as in a drawing
    or in a clean scan, however tightly it is cropped. None where that is not sure.

    Most of the pictures that there are; nothing else has to be looked for in them.
    """
    side = whole.flat_lightness
    if abs(side) <= _SURE or not is_flat(whole.grey, whole.split, side < 0):
        return None
    found = _closest(grey, lambda view, _: candidate(view, side > 0, FLAT), whole)
    if found is None or found.trimmed or found.sharpness < _PLAIN:
        return None
    if found.freedom <= NO_STROKE or (found.freedom < _AT_EDGES and not found.is_ink):
        return None
    return None if found.layered > _LAYERED or is_block(found.parts, found.main) else found


def _whole(grey: Plane) -> View:
    return look(grey, (0, 0, grey.shape[1], grey.shape[0]))


def _closest(grey: Plane, find: Find, view: View) -> Candidate | None:
    """The digit of a picture, first looked for in a `view` of it all, then as near as need be."""
    found: Candidate | None = None
    for _ in range(_LOOKS):
        nearer = find(view, found.ink.light if found else None)
        if nearer is None:
            break
        trimmed = nearer.trimmed or (found is not None and found.trimmed)
        digits = max(nearer.counted(), found.digits if found else 1)
        found = replace(nearer, trimmed=trimmed, digits=digits)
        part = closer(view, found.box, grey.shape)
        if part is None:
            break
        view = look(grey, part)
    return found


def _sharpest(view: View, light: bool | None) -> Candidate | None:
    """The digit of a view, taking the light for as uneven as it must be.

    With an even light the widest strokes can be read. Under a shadow that leaves the shadow's
    corners as ink; they have no edge of their own in the picture, where strokes have one all
    around. The same tells ink from paper where the border does not.
    """
    # Half a picture in a shadow is of two greys too, but its border does not tell which is paper.
    side = view.flat_lightness
    if not view.fine or (abs(side) > _SURE and is_flat(view.grey, view.split, side < 0)):
        sides = [light] if light is not None else _polarities(side, _SURE)
        best = _likelier(view, sides, FLAT)
        if best and best.sharpness > _SHARP and best.layered <= _LAYERED:
            return best
    sides = [light] if light is not None else _polarities(lightness(view.grey), 3)
    best = None
    for widest in WIDEST if view.fine else WIDEST[:1]:
        found = _likelier(view, sides, widest)
        # Narrower strokes of a fat digit are pieces of it: they must look far better.
        if found and (best is None or found.score > best.score + _doubt(best, found)):
            best = found
        if best and best.quality > _CLEAR:
            break
    return best


def _polarities(side: float, sure: float) -> list[bool]:
    """Whether ink is light: which answers are worth a try."""
    return [side > 0] if abs(side) > sure else [True, False]


def _likelier(view: View, sides: Sequence[bool], widest: float) -> Candidate | None:
    """The likelier digit of a view of those that ink, light or not, would be."""
    tries = [candidate(view, side, widest) for side in sides]
    if len(sides) == 1 and (tries[0] is None or tries[0].quality < _UNCLEAR) and widest != FLAT:
        tries.append(candidate(view, not sides[0], widest))
    return max(filter(None, tries), key=lambda found: found.score, default=None)


def _doubt(best: Candidate, other: Candidate) -> float:
    """How much better a less likely reading must be to be preferred."""
    if other.quality > _GOOD:
        return 0.0 if other.freedom > best.freedom else _BETTER
    return _BETTER if best.sharpness < _SHARP else _FAR_BETTER
