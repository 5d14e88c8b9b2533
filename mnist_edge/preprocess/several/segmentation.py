"""Which atoms of a row together are digits: the path of least cost through all ways to join them.

Every run of neighbouring atoms may be one digit; a network tells how much each looks like one, and
dynamic programming finds the best way from the left to the right end: the segmentation graph of
LeCun, Bottou, Bengio and Haffner 1998 (section VI), after Matan et al. 1992, "Reading handwritten
digits: a ZIP code recognition system".
"""

from dataclasses import dataclass

import numpy as np

from mnist_edge.preprocess.several.oversegment import Atom, Row
from mnist_edge.preprocess.view import Box

_MAX_ATOMS = 8  # in a digit
_MAX_ASPECT = 1.5  # digit heights, if it is joined from several
_MIN_HEIGHT = 0.45  # digit heights
_STROKE_AREA = 0.3  # of the square of its height is a digit's ink
# Costs in nats of the network's word, found on numbers written with held-out training images.
_CUT, _CUT_INK = 0.01, 0.075  # of a cut, and of the ink on it in widths of the pen
_NECK, _NECK_BOTH, _NECK_INK = 0.45, 5.4, 1.46  # of not cutting where two digits may touch
_DIGIT = 0.06  # of one digit more
_JOIN, _JOIN_SMALL, _JOIN_GAP = 0.25, 0.025, 1.0  # of joining; the gap in digit heights
_LOW, _LOW_WHOLE, _LOW_PART = 2.0, 0.6, 0.85  # of being lower than that: whole, or cut off
_WIDE, _WIDE_BY = 0.71, 0.97  # widths, in heights, beyond which a digit is unlikely, and how fast
_NARROW, _NARROW_COST = 0.11, 5.5  # and below which a part that was cut off is
_SKIP, _SKIP_INK, _SKIP_TALL = 0.015, 2.0, 10.0  # of leaving an atom out


@dataclass(frozen=True, slots=True)
class Run:
    """Atoms `first` to `last` of a row, taken for one digit at a cost, by shape alone."""

    first: int
    last: int
    cost: float


def find_runs(row: Row) -> list[Run]:
    """The runs of atoms that could be digits."""
    atoms, high, found = row.atoms, row.high, []
    for first in range(len(atoms)):
        for last in range(first, min(len(atoms), first + 24)):
            whole = _is_whole(atoms, first, last)
            left, top, right, bottom = bounding_box(atoms[first : last + 1])
            fits = right - left <= _MAX_ASPECT * high and last - first < _MAX_ATOMS
            if not fits and not whole:
                if atoms[last].piece != atoms[first].piece:
                    break
                continue
            if bottom - top >= _MIN_HEIGHT * high:
                found.append(Run(first, last, _join_cost(row, first, last)))
    return found


def bounding_box(atoms: list[Atom]) -> Box:
    """The box around atoms."""
    lefts, tops, rights, bottoms = zip(*(atom.box for atom in atoms), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _is_whole(atoms: list[Atom], first: int, last: int) -> bool:
    """Whether a run is one piece, uncut."""
    inside = {atom.piece for atom in atoms[first : last + 1]}
    before = first > 0 and atoms[first - 1].piece in inside
    after = last + 1 < len(atoms) and atoms[last + 1].piece in inside
    return len(inside) == 1 and not before and not after


def _join_cost(row: Row, first: int, last: int) -> float:
    """What it costs to take atoms for one digit, and to part it from the atom before."""
    atoms, high = row.atoms[first : last + 1], row.high
    cost = _DIGIT
    if atoms[0].cut:
        cost += _CUT + _CUT_INK * atoms[0].cut / row.pen
    neck = 0.0
    for at in range(1, len(atoms)):
        if atoms[at].piece == atoms[at - 1].piece:
            neck = max(neck, _neck_likelihood(atoms, at, row))
        else:
            cost += _gap_cost(atoms[:at], atoms[at], high)
    cost += _NECK * neck
    _, top, _, bottom = bounding_box(atoms)
    return cost + _LOW * max(0.0, _LOW_WHOLE - (bottom - top) / high)


def _neck_likelihood(atoms: list[Atom], at: int, row: Row) -> float:
    """How much it looks as if two digits touched before an atom: 0..1.

    Much ink on both sides, and less between them than a stroke is wide.
    """
    lighter = min(sum(atom.area for atom in part) for part in (atoms[:at], atoms[at:]))
    both = min(1.0, lighter / (_NECK_BOTH * row.high * row.pen))
    return both * max(0.0, 1 - atoms[at].cut / (_NECK_INK * row.pen))


def _gap_cost(before: list[Atom], atom: Atom, high: float) -> float:
    """What it costs to join an atom to those before, from which paper parts it."""
    box = bounding_box(before)
    gap = (atom.box[0] - box[2]) / high
    heights = (box[3] - box[1], atom.box[3] - atom.box[1])
    small = min(heights) < 0.5 * high
    narrowest = min(box[2] - box[0], atom.box[2] - atom.box[0]) / high
    # Of two strokes one above the other, a small overlap in x makes one digit.
    beside = min(box[3], atom.box[3]) - max(box[1], atom.box[1])
    inside = -gap / narrowest > (0.5 if beside > 0.5 * min(heights) else 0.15)
    return (_JOIN_SMALL if small or inside else _JOIN) + _JOIN_GAP * max(0.0, gap)


def shape_cost(row: Row, run: Run) -> float:
    """How unlike a digit the width of a run is, and the height of one that was cut off."""
    left, top, right, bottom = bounding_box(row.atoms[run.first : run.last + 1])
    width = (right - left) / max(row.high, bottom - top)
    cost = (max(0.0, width - _WIDE) / _WIDE_BY) ** 2
    if not _is_whole(row.atoms, run.first, run.last):
        cost += _NARROW_COST * max(0.0, _NARROW - width)
        cost += _LOW * max(0.0, _LOW_PART - (bottom - top) / row.high)
    return cost


def cheapest_path(row: Row, runs: list[Run], costs: list[float]) -> list[int]:
    """The runs, by their place, whose costs add up to least from the first atom to the last.

    Small atoms may be left out, at a cost of their own.
    """
    atoms, high = row.atoms, row.high
    least = np.full(len(atoms) + 1, np.inf)
    least[0] = 0
    taken = [-1] * (len(atoms) + 1)
    ending: dict[int, list[int]] = {}
    for at, run in enumerate(runs):
        ending.setdefault(run.last + 1, []).append(at)
    for end in range(1, len(atoms) + 1):
        least[end] = least[end - 1] + _skip_cost(atoms[end - 1], high)
        for at in ending.get(end, ()):
            cost = least[runs[at].first] + costs[at]
            if cost < least[end]:
                least[end], taken[end] = cost, at
    path, end = [], len(atoms)
    while end > 0:
        if taken[end] < 0:
            end -= 1
        else:
            path.append(taken[end])
            end = runs[taken[end]].first
    return path[::-1]


def _skip_cost(atom: Atom, high: float) -> float:
    cost = _SKIP + _SKIP_INK * atom.area / (_STROKE_AREA * high * high)
    # What is as high as a digit is one, or belongs to one.
    return cost + _SKIP_TALL * (atom.box[3] - atom.box[1] > 0.5 * high)
