"""Strokes of a row -> atoms: the smallest parts of which digits are joined together.

Broken digits are several atoms, and touching ones are cut into more than there are digits.
Which atoms together are a digit is decided later (`cheapest_path` in `segmentation`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess.components import Components, Labels, Mask, connected_components
from mnist_edge.preprocess.foreground import Plane
from mnist_edge.preprocess.mnist_format import stroke_width
from mnist_edge.preprocess.several.seams import Seams, find_seams
from mnist_edge.preprocess.several.strokes import Strokes
from mnist_edge.preprocess.view import Box

_SMALL_HEIGHT = 0.45  # of a digit's height: what is lower is a bar, a dot, a comma, a speck
_MIN_OVERLAP = 0.7  # of a small part's width lies above or below another: they are one


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
    """The atoms of a row, and `labels` int32 (h, w): their number, -1 elsewhere.

    The labels are those of a part of the view that begins at column `left` and line `top`, and has
    the row in it. Its digits are about `high` pixels high, written with a pen `pen` pixels wide.
    """

    atoms: list[Atom]
    labels: Labels
    left: int
    top: int
    high: float
    pen: float

    def labels_within(self, box: Box) -> Labels:
        """The labels of a box of the view that lies in the row's part."""
        left, top, right, bottom = box
        return self.labels[top - self.top : bottom - self.top, left - self.left : right - self.left]


def split_into_atoms(found: Strokes, row: NDArray[np.int64], widest: float) -> Row:
    """The atoms of a row of components; those wider than `widest` digit heights are cut."""
    pieces = [_Piece.of(found, members) for members in _group_pieces(found, row)]
    wide = [piece for piece in pieces
            if piece.mask.shape[1] > widest * found.high
            and piece.mask.shape[0] > _SMALL_HEIGHT * found.high]  # fmt: skip
    seams = find_seams([piece.soft(found) for piece in wide], found.high)
    cut = dict(zip(map(id, wide), seams, strict=True))
    left = min(piece.left for piece in pieces)
    top = min(piece.top for piece in pieces)
    right = max(piece.left + piece.mask.shape[1] for piece in pieces)
    bottom = max(piece.top + piece.mask.shape[0] for piece in pieces)
    labels = np.full((bottom - top, right - left), -1, np.int32)
    atoms: list[Atom] = []
    for number, piece in enumerate(pieces):
        strips, costs = _cut_into_strips(piece.mask, cut.get(id(piece)))
        window = labels[piece.top - top :, piece.left - left :]
        window = window[: strips.shape[0], : strips.shape[1]]
        window[piece.mask] = strips[piece.mask] + len(atoms)
        atoms += _strips_to_atoms(strips, costs, piece, number)
    pen = stroke_width(np.where(labels >= 0, np.uint8(255), np.uint8(0)))
    return Row(atoms, labels, left, top, found.high, pen)


def _group_pieces(found: Strokes, row: NDArray[np.int64]) -> list[list[int]]:
    """The components of a row, small ones with the large one above or below which they lie."""
    parts, high = found.parts, found.high
    tall = [int(at) for at in row if parts.height[at] >= _SMALL_HEIGHT * high]
    pieces = {at: [at] for at in tall}
    for at in (int(at) for at in row if parts.height[at] < _SMALL_HEIGHT * high):
        best, most = at, _MIN_OVERLAP
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


@dataclass(frozen=True, slots=True)
class _Piece:
    """The `mask` (h, w) of components that hang together; its place in the view."""

    mask: Mask
    left: int
    top: int

    @classmethod
    def of(cls, found: Strokes, members: list[int]) -> "_Piece":
        parts = found.parts
        left, top = int(parts.left[members].min()), int(parts.top[members].min())
        right, bottom = int(parts.right[members].max()), int(parts.bottom[members].max())
        labels = parts.labels[top:bottom, left:right]
        mask = labels == members[0] if len(members) == 1 else np.isin(labels, members)
        return cls(mask, left, top)

    def soft(self, found: Strokes) -> Plane:
        """Its ink, 0..1."""
        height, width = self.mask.shape
        ink = found.ink.strength[self.top : self.top + height, self.left : self.left + width]
        return np.asarray(np.clip(ink / found.full, 0, 1) * self.mask, np.float32)


def _strips_to_atoms(strips: Labels, costs: list[float], piece: _Piece, number: int) -> list[Atom]:
    """The strips of a piece as atoms, in one pass over it."""
    ys, xs = np.nonzero(strips >= 0)
    of = strips[ys, xs]
    count = len(costs)
    area = np.bincount(of, minlength=count)
    lefts, tops = np.full(count, strips.shape[1]), np.full(count, strips.shape[0])
    rights, bottoms = np.zeros(count, np.int64), np.zeros(count, np.int64)
    np.minimum.at(lefts, of, xs)
    np.minimum.at(tops, of, ys)
    np.maximum.at(rights, of, xs + 1)
    np.maximum.at(bottoms, of, ys + 1)
    boxes = zip(
        (lefts + piece.left).tolist(),
        (tops + piece.top).tolist(),
        (rights + piece.left).tolist(),
        (bottoms + piece.top).tolist(),
        strict=True,
    )
    return [
        Atom(box, size, number, cost)
        for box, size, cost in zip(boxes, area.tolist(), costs, strict=True)
    ]


def _cut_into_strips(mask: Mask, seams: Seams | None) -> tuple[Labels, list[float]]:
    """The strips of a piece between its seams: int32 (h, w), -1 outside of the piece, and the ink
    on the seam before each."""
    strips = np.where(mask, np.int32(0), np.int32(-1))
    if seams is None or not len(seams.costs):
        return strips, [0.0]
    height, width = mask.shape
    steps = np.zeros((height, width), np.int32)
    np.add.at(steps, (np.arange(height)[:, None], seams.columns), 1)
    strips[mask] = np.cumsum(steps, axis=1)[mask]
    _reassign_splinters(strips, 1 + len(seams.costs))
    kept = np.unique(strips[mask])
    strips[mask] = np.searchsorted(kept, strips[mask])
    return strips, [0.0] + [seams.costs[at - 1] for at in kept[1:]]


def _reassign_splinters(strips: Labels, count: int) -> None:
    """Give splinters of strips, cut off from the rest of them, to the neighbour they touch most."""
    columns = [np.flatnonzero((strips == at).any(axis=0)) for at in range(count)]
    spans = [(int(inked[0]), int(inked[-1]) + 1) if len(inked) else (0, 0) for inked in columns]
    for at in range(count):
        left = max(0, spans[at][0] - 1)
        view = strips[:, left : spans[at][1] + 1]
        parts = connected_components(view == at)
        if len(parts) < 2:
            continue
        small = parts.area < 0.3 * parts.area.max()
        before = _count_touched(parts, view == at - 1) if at else np.zeros(len(parts), np.int64)
        after = _count_touched(parts, view == at + 1)
        for other, goes in ((at - 1, before >= after), (at + 1, before < after)):
            goes &= small & (np.maximum(before, after) > 0)
            if goes.any():
                view[parts.mask_of(goes)] = other
                first, last = int(parts.left[goes].min()), int(parts.right[goes].max())
                spans[other] = _unite_spans(spans[other], (left + first, left + last))


def _unite_spans(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return (min(one[0], other[0]), max(one[1], other[1])) if one[1] else other


def _count_touched(parts: Components, mask: Mask) -> NDArray[np.int64]:
    """How many pixels of a mask each component touches, at a corner too."""
    rows, columns = np.nonzero(mask)
    around = np.pad(parts.labels, 1, constant_values=-1)
    near = np.stack(
        [around[rows + down, columns + across] for down in range(3) for across in range(3)]
    )
    near.sort(axis=0)
    first = np.ones(near.shape, bool)
    first[1:] = near[1:] != near[:-1]
    return np.bincount(near[first & (near >= 0)], minlength=len(parts))
