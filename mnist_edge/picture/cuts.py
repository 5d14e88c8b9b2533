"""Strokes of a row -> atoms: the smallest parts of which digits are joined together.

Broken digits are several atoms, and touching ones are cut into more than there are digits.
Which atoms together are a digit is decided later (`chosen` in `paths`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge.picture.components import Mask, components, grown
from mnist_edge.picture.form import stroke_width
from mnist_edge.picture.ink import Plane
from mnist_edge.picture.strokes import Strokes
from mnist_edge.picture.view import Box

_SMALL = 0.45  # of a digit's height: what is lower is a bar, a dot, a comma, a speck
_INSIDE = 0.7  # of a small part's width lies above or below another: they are one
_NEAREST_CUTS = 0.12  # of a digit's height
_LEAST_PART = 0.1
_MOST_INK = 0.6  # on a cut, of a digit's height
_BEND = 0.06  # what a step aside costs a cut, in pixels of full ink
_FREE = 0.02  # and a pixel of paper


@dataclass(frozen=True, slots=True)
class Atom:
    """A part of a row that is not divided further: `box` in the view, `area` in pixels.

    Atoms of one `piece` hang together; `cut` is how much ink was cut to part this one from the
    one before, in pixels along the cut; 0 for the first of a piece.
    """

    box: Box
    area: int
    piece: int
    cut: float


@dataclass(frozen=True, slots=True)
class Row:
    """The atoms of a row, and `labels` int32 (H, W) of the view: their number, -1 elsewhere.

    Its digits are about `high` pixels high, written with a pen `pen` pixels wide.
    """

    atoms: list[Atom]
    labels: NDArray[np.int32]
    high: float
    pen: float


def atoms_of(found: Strokes, row: NDArray[np.int64], widest: float) -> Row:
    """The atoms of a row of components; those wider than `widest` digit heights are cut."""
    labels = np.full(found.parts.labels.shape, -1, np.int32)
    atoms: list[Atom] = []
    for piece, members in enumerate(_pieces(found, row)):
        window, mask = _window(found, members)
        strips, costs = [mask], [0.0]
        if mask.shape[1] > widest * found.high and mask.shape[0] > _SMALL * found.high:
            soft = np.clip(found.ink.strength[window] / found.full, 0, 1) * mask
            strips, costs = _cut(np.asarray(soft, np.float32), mask, found.high)
        for strip, cost in zip(strips, costs, strict=True):
            labels[window][strip] = len(atoms)
            box = _box(strip, window[1].start, window[0].start)
            atoms.append(Atom(box, int(strip.sum()), piece, cost))
    pen = stroke_width(np.where(labels >= 0, np.uint8(255), np.uint8(0)))
    return Row(atoms, labels, found.high, pen)


def _pieces(found: Strokes, row: NDArray[np.int64]) -> list[list[int]]:
    """The components of a row, small ones with the large one above or below which they lie."""
    parts, high = found.parts, found.high
    tall = [int(at) for at in row if parts.height[at] >= _SMALL * high]
    pieces = {at: [at] for at in tall}
    for at in (int(at) for at in row if parts.height[at] < _SMALL * high):
        best, most = at, _INSIDE
        for other in tall:
            beside = min(parts.right[at], parts.right[other]) - max(
                parts.left[at], parts.left[other]
            )
            gap = max(parts.top[at], parts.top[other]) - min(parts.bottom[at], parts.bottom[other])
            share = beside / parts.width[at]
            if share > most and gap < 0.25 * high:
                best, most = other, share
        pieces.setdefault(best, []).append(at)
    middle = {at: (parts.left[members].min() + parts.right[members].max()) / 2
              for at, members in pieces.items()}  # fmt: skip
    return [pieces[at] for at in sorted(pieces, key=lambda at: float(middle[at]))]


def _window(found: Strokes, members: list[int]) -> tuple[tuple[slice, slice], Mask]:
    parts = found.parts
    rows = slice(int(parts.top[members].min()), int(parts.bottom[members].max()))
    columns = slice(int(parts.left[members].min()), int(parts.right[members].max()))
    return (rows, columns), np.isin(parts.labels[rows, columns], members)


def _box(mask: Mask, left: int, top: int) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        left + int(columns[0]),
        top + int(rows[0]),
        left + int(columns[-1]) + 1,
        top + int(rows[-1]) + 1,
    )


def _cut(soft: Plane, mask: Mask, high: float) -> tuple[list[Mask], list[float]]:
    """The strips of a piece between the cuts on which there is least ink, and that ink."""
    seams, costs = _seams(soft, high)
    columns = np.arange(mask.shape[1])
    index = np.zeros(mask.shape, int)
    for seam in seams:
        index += columns >= seam[:, None]
    strips = [mask & (index == at) for at in range(len(seams) + 1)]
    strips = _tidied(strips)
    kept = [at for at, strip in enumerate(strips) if strip.any()]
    return [strips[at] for at in kept], [0.0] + [costs[at - 1] for at in kept[1:]]


def _seams(soft: Plane, high: float) -> tuple[list[NDArray[np.int64]], list[float]]:
    """Paths from top to bottom with little ink on them: a column for each row; and the ink.

    Shortest paths through the grey values, which may bend by 45° (Wang and Jean 1994, "Segmentation
    of merged characters by neural networks and shortest path"), one through each local minimum.
    """
    down, steps_down = _shortest(soft)
    up, steps_up = _shortest(soft[::-1])
    middle = len(soft) // 2
    back = len(soft) - 1 - middle
    total = down[middle] + up[back] - soft[middle] - _FREE * len(soft)
    order = np.argsort(total, kind="stable")
    least = _LEAST_PART * high
    taken: list[int] = []
    for x in order:
        if total[x] > _MOST_INK * high:
            break
        near = [abs(x - other) < _NEAREST_CUTS * high for other in taken]
        if least <= x < soft.shape[1] - least and not any(near):
            taken.append(int(x))
    taken.sort()
    seams = []
    for x in taken:
        upper = _followed(steps_down, middle, x)
        lower = _followed(steps_up, back, x)
        seams.append(np.concatenate([upper, lower[::-1][1:]]))
    return seams, [max(0.0, float(total[x])) for x in taken]


def _shortest(soft: Plane) -> tuple[Plane, NDArray[np.int8]]:
    """The least ink on a path from the first row to each pixel, and the step that leads there."""
    cost = np.empty_like(soft)
    steps = np.zeros(soft.shape, np.int8)
    cost[0] = soft[0] + _FREE
    for row in range(1, len(soft)):
        before = np.pad(cost[row - 1], 1, constant_values=np.inf)
        options = np.stack([before[1:-1], before[:-2] + _BEND, before[2:] + _BEND])
        choice = options.argmin(axis=0)
        cost[row] = options.min(axis=0) + soft[row] + _FREE
        steps[row] = np.array([0, -1, 1], np.int8)[choice]
    return cost, steps


def _followed(steps: NDArray[np.int8], row: int, x: int) -> NDArray[np.int64]:
    """The columns of a path that ends at (row, x), from the first row on."""
    path = np.empty(row + 1, np.int64)
    for at in range(row, -1, -1):
        path[at] = x
        x += int(steps[at, x])
    return path


def _tidied(strips: list[Mask]) -> list[Mask]:
    """Strips whose splinters, cut off from the rest of them, go to the neighbour they touch."""
    strips = [strip.copy() for strip in strips]
    for at, strip in enumerate(strips):
        parts = components(strip)
        if len(parts) < 2:
            continue
        for splinter in np.flatnonzero(parts.area < 0.3 * parts.area.max()):
            mask = parts.labels == splinter
            around = grown(mask)
            touched = [
                int((around & strips[other]).sum()) if 0 <= other < len(strips) else 0
                for other in (at - 1, at + 1)
            ]
            if max(touched):
                strips[at - 1 if touched[0] >= touched[1] else at + 1] |= mask
                strip &= ~mask
    return strips
