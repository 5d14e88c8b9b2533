"""Where labels go beside their points: none on another, as near as there is room."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_GAP, _APART, _BESIDE = 3.0, 1.5, 6.0
_DOT, _HALF = 4.0, 0.5
_RINGS = (0.0, 8.0, 18.0, 30.0, 44.0, 60.0, 80.0, 105.0, 135.0, 170.0)
_DIRECTIONS = 24
_COVERED, _OUTSIDE, _CROSSED = 100.0, 1000.0, 0.3  # prices of a square unit


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in a plane, in any one unit."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.top - self.bottom)

    @property
    def middle(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2

    def common(self, other: "Box") -> float:
        """The area that lies in both."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return width * height if width > 0 and height > 0 else 0.0

    def touches(self, other: "Box", within: float = 0.0) -> bool:
        """Whether the two meet, or are no further apart than `within` in both directions."""
        return (
            self.left - other.right <= within
            and other.left - self.right <= within
            and self.bottom - other.top <= within
            and other.bottom - self.top <= within
        )

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """The box's own point that is nearest to another."""
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)


def place(
    marks: Sequence[Box], sizes: Sequence[tuple[float, float]], lines: Sequence[Box], frame: Box
) -> list[Box]:
    """A box of each size, width and height, beside the mark that it belongs to.

    Boxes keep off all marks, off each other and inside the frame as long as there is room at all;
    lines, and what leads from other boxes to their marks, they avoid where that costs little
    distance. One after the other, from top to bottom: no arrangement is the best one, but each is
    found again from the same input.
    """
    order = sorted(range(len(marks)), key=lambda at: (-marks[at].top, marks[at].left))
    placed: dict[int, Box] = {}
    leaders: list[Box] = []
    for at in order:
        others = [*marks[:at], *marks[at + 1 :], *placed.values()]
        placed[at] = _best(marks[at], sizes[at], _Around(others, lines, leaders, frame))
        leaders += leader(marks[at], placed[at])
    return [placed[at] for at in range(len(marks))]


@dataclass(frozen=True, slots=True)
class _Around:
    """What a box has to mind: other boxes and marks, lines, dots of leaders, and the frame."""

    others: Sequence[Box]
    lines: Sequence[Box]
    leaders: Sequence[Box]
    frame: Box

    def price(self, mark: Box, box: Box) -> float:
        """What it costs, beside its distance, to have the box there."""
        # A little more than the label itself, so that two of them do not read as one.
        wider = Box(box.left - _GAP, box.bottom - _APART, box.right + _GAP, box.top + _APART)
        covered = sum(wider.common(other) for other in [*self.others, mark, *self.leaders])
        covered += sum(dot.common(one) for dot in leader(mark, box) for one in self.others)
        crossed = sum(box.common(line) for line in self.lines)
        outside = box.area - box.common(self.frame)
        return _COVERED * covered + _CROSSED * crossed + _OUTSIDE * outside


def _best(mark: Box, size: tuple[float, float], around: _Around) -> Box:
    """The box with the lowest price, its distance from the mark being part of that."""
    lowest, best = math.inf, mark
    for box in _candidates(mark, *size):
        distance = math.dist(mark.middle, box.nearest(*mark.middle))
        if distance < lowest and (price := distance + around.price(mark, box)) < lowest:
            lowest, best = price, box
    return best


def leader(mark: Box, box: Box) -> list[Box]:
    """Dots on the line from a mark to its box; none where they are side by side."""
    if box.touches(mark, _BESIDE):
        return []
    (from_x, from_y), (to_x, to_y) = mark.middle, box.nearest(*mark.middle)
    count = int(math.dist((from_x, from_y), (to_x, to_y)) // _DOT)
    dots = []
    for step in range(1, count):
        x = from_x + (to_x - from_x) * step / count
        y = from_y + (to_y - from_y) * step / count
        dots.append(Box(x - _HALF, y - _HALF, x + _HALF, y + _HALF))
    return dots


def _candidates(mark: Box, width: float, height: float) -> Iterator[Box]:
    """Boxes around a mark; of those at equal distance the right side is first."""
    x, y = mark.middle
    reach_x = (mark.right - mark.left) / 2 + _GAP + width / 2
    reach_y = (mark.top - mark.bottom) / 2 + height / 2
    for ring in _RINGS:
        for step in range(_DIRECTIONS):
            angle = 2 * math.pi * step / _DIRECTIONS
            # Along a square: a label beside its point is flush with it, not a corner away.
            cosine, sine = math.cos(angle), math.sin(angle)
            longest = max(abs(cosine), abs(sine))
            middle_x = x + cosine / longest * (reach_x + ring)
            middle_y = y + sine / longest * (reach_y + ring)
            yield Box(
                middle_x - width / 2,
                middle_y - height / 2,
                middle_x + width / 2,
                middle_y + height / 2,
            )
