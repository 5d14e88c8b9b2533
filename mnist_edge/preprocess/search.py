"""Where on a picture its one digit is: sheets, polarities and lights tried until one is clear."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mnist_edge.preprocess.candidate import Candidate, find_candidate
from mnist_edge.preprocess.foreground import FLAT_LIGHT, STROKE_WIDTHS, Plane, is_flat, lightness
from mnist_edge.preprocess.page import find_sheets
from mnist_edge.preprocess.rectify import rectify_sheet
from mnist_edge.preprocess.selection import NO_STROKE, is_block
from mnist_edge.preprocess.view import View, closer_box, view_of
from mnist_edge.types import Grey

Find = Callable[[View, bool | None], Candidate | None]
"""Finds the digit of a view: of light ink, of dark ink, or, where it is None, of either."""

_MAX_LOOKS = 4
_UNCLEAR_QUALITY = 0.5  # quality so little that the other polarity is tried too
_SURE_LIGHTNESS = 2.0  # of `flat_lightness`
_PLAIN_SHARPNESS = 0.9  # sharpness enough to look no further
_EDGE_FREEDOM = 0.3  # freedom of what touches an edge of the picture
_MAX_LAYERED = 0.02  # of ink may be far stronger than the rest
_SHARP = 0.8  # enough of an edge to be no shadow
_GOOD_QUALITY = 0.9  # quality enough to be preferred for a little more
_CLEAR_QUALITY = 0.95  # quality enough not to look for a better
_GAIN = 0.1  # quality more that it takes to prefer a less likely reading
_LARGE_GAIN = 0.25  # and where the likely one has sharp edges all around


@dataclass(frozen=True, slots=True)
class DigitInk:
    """A digit on a picture: its `ink` uint8 (H, W), light on black, cut out, and how many
    `digits` there are, of which it is the clearest."""

    ink: Grey
    digits: int


def find_digit(grey: Plane) -> DigitInk | None:
    """The one digit on a picture (H, W), or the clearest. None when blank.

    It is looked for on the innermost sheet in the picture, and, if it is not clear there, on the
    whole of it: half of a picture that lies in a shadow looks like a sheet too.
    """
    sheet = rectify_sheet(grey)
    seen = None if sheet is None else _find_on_sheets(sheet)
    return seen or _find_on_sheets(grey)


def _find_on_sheets(grey: Plane) -> DigitInk | None:
    """As `find_digit`, without a look for a sheet that is turned."""
    whole = _whole_view(grey)
    best = _find_on_plain_paper(grey, whole)
    for part in find_sheets(grey) if best is None else ():
        view = whole if part.grey is grey else _whole_view(part.grey)
        found = _find_closest(part.grey, _find_sharpest, view)
        if not found or not found.is_ink or (part.grey is not grey and _is_rim(found)):
            continue
        if best is None or found.quality > best.quality + _required_gain(best, found):
            best = found
        if best and best.quality > _CLEAR_QUALITY:
            break
    return None if best is None else DigitInk(best.cut_out(), best.digits)


def _is_rim(found: Candidate) -> bool:
    """Whether a sheet's digit is what was left of its own edge when that was taken away."""
    return found.trimmed and found.freedom < _EDGE_FREEDOM


def _find_on_plain_paper(grey: Plane, whole: View) -> Candidate | None:
    """The digit of a picture whose paper is of one grey and lies all around it, as in a drawing
    or in a clean scan, however tightly it is cropped. None where that is not sure.

    Most of the pictures that there are; nothing else has to be looked for in them.
    """
    side = whole.flat_lightness
    if abs(side) <= _SURE_LIGHTNESS or not is_flat(whole.grey, whole.split, side < 0):
        return None
    found = _find_closest(grey, lambda view, _: find_candidate(view, side > 0, FLAT_LIGHT), whole)
    if found is None or found.trimmed or found.sharpness < _PLAIN_SHARPNESS:
        return None
    if found.freedom <= NO_STROKE or (found.freedom < _EDGE_FREEDOM and not found.is_ink):
        return None
    return None if found.layered > _MAX_LAYERED or is_block(found.parts, found.main) else found


def _whole_view(grey: Plane) -> View:
    return view_of(grey, (0, 0, grey.shape[1], grey.shape[0]))


def _find_closest(grey: Plane, find: Find, view: View) -> Candidate | None:
    """The digit of a picture, first looked for in a `view` of it all, then as near as need be."""
    found: Candidate | None = None
    for _ in range(_MAX_LOOKS):
        nearer = find(view, found.ink.light if found else None)
        if nearer is None:
            break
        trimmed = nearer.trimmed or (found is not None and found.trimmed)
        digits = max(nearer.digit_count(), found.digits if found else 1)
        found = replace(nearer, trimmed=trimmed, digits=digits)
        part = closer_box(view, found.box, grey.shape)
        if part is None:
            break
        view = view_of(grey, part)
    return found


def _find_sharpest(view: View, light: bool | None) -> Candidate | None:
    """The digit of a view, taking the light for as uneven as it must be.

    With an even light the widest strokes can be read. Under a shadow that leaves the shadow's
    corners as ink; they have no edge of their own in the picture, where strokes have one all
    around. The same tells ink from paper where the border does not.
    """
    # Half a picture in a shadow is of two greys too, but its border does not tell which is paper.
    side = view.flat_lightness
    if not view.fine or (abs(side) > _SURE_LIGHTNESS and is_flat(view.grey, view.split, side < 0)):
        sides = [light] if light is not None else _polarities(side, _SURE_LIGHTNESS)
        best = _find_likelier(view, sides, FLAT_LIGHT)
        if best and best.sharpness > _SHARP and best.layered <= _MAX_LAYERED:
            return best
    sides = [light] if light is not None else _polarities(lightness(view.grey), 3)
    best = None
    for widest in STROKE_WIDTHS if view.fine else STROKE_WIDTHS[:1]:
        found = _find_likelier(view, sides, widest)
        # Narrower strokes of a fat digit are pieces of it: they must look far better.
        if found and (best is None or found.score > best.score + _required_gain(best, found)):
            best = found
        if best and best.quality > _CLEAR_QUALITY:
            break
    return best


def _polarities(side: float, sure: float) -> list[bool]:
    """Whether ink is light: which answers are worth a try."""
    return [side > 0] if abs(side) > sure else [True, False]


def _find_likelier(view: View, sides: Sequence[bool], widest: float) -> Candidate | None:
    """The likelier digit of a view of those that ink, light or not, would be."""
    tries = [find_candidate(view, side, widest) for side in sides]
    if (
        len(sides) == 1
        and (tries[0] is None or tries[0].quality < _UNCLEAR_QUALITY)
        and widest != FLAT_LIGHT
    ):
        tries.append(find_candidate(view, not sides[0], widest))
    return max(filter(None, tries), key=lambda found: found.score, default=None)


def _required_gain(best: Candidate, other: Candidate) -> float:
    """How much better a less likely reading must be to be preferred."""
    if other.quality > _GOOD_QUALITY:
        return 0.0 if other.freedom > best.freedom else _GAIN
    return _GAIN if best.sharpness < _SHARP else _LARGE_GAIN
