"""Where labels go beside their points: none on another, as near as there is room."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

_GAP, _APART, _BESIDE = 3.0, 1.5, 6.0
_DOT, _HALF = 4.0, 0.5
_DISTANCES = (0.0, 8.0, 18.0, 30.0, 44.0, 60.0, 80.0, 105.0, 135.0, 170.0)
_DIRECTIONS = 24
_COVERED, _OUTSIDE, _CROSSED = 100.0, 1000.0, 0.3  # costs of a square unit


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

    def overlap(self, other: "Box") -> float:
        """The area that lies in both."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return width * height if width > 0 and height > 0 else 0.0

    def grow(self, x: float, y: float) -> "Box":
        """The same with a margin on each side."""
        return Box(self.left - x, self.bottom - y, self.right + x, self.top + y)

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """The box's own point that is nearest to another."""
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)


def place_labels(
    marks: Sequence[Box], sizes: Sequence[tuple[float, float]], lines: Sequence[Box], frame: Box
) -> list[Box]:
    """A box of each size, width and height, beside the mark that it belongs to.

    Boxes keep off all marks, off each other, off what leads from others to their marks, and inside
    the frame as long as there is room at all; lines they avoid where that costs little distance.
    One after the other, from top to bottom: no arrangement is the best one, but each is found again
    from the same input.
    """
    placed: dict[int, Box] = {}
    leaders: list[Box] = []
    for at in sorted(range(len(marks)), key=lambda at: (-marks[at].top, marks[at].left)):
        mark, others = marks[at], [*marks[:at], *marks[at + 1 :], *placed.values()]
        lowest, best = math.inf, mark
        for box in _candidates(mark, *sizes[at]):
            distance = math.dist(mark.middle, box.nearest(*mark.middle))
            if distance < lowest:
                cost = distance + _cost(mark, box, others, leaders, lines, frame)
                lowest, best = min((lowest, best), (cost, box), key=itemgetter(0))
        placed[at] = best
        leaders += leader(mark, best)
    return [placed[at] for at in range(len(marks))]


def leader(mark: Box, box: Box) -> list[Box]:
    """Dots on the line from a mark to its box; none where they are side by side."""
    if mark.grow(_BESIDE, _BESIDE).overlap(box):
        return []
    start, end = mark.middle, box.nearest(*mark.middle)
    count = int(math.dist(start, end) // _DOT)
    dots = []
    for step in range(1, count):
        x, y = (one + (other - one) * step / count for one, other in zip(start, end, strict=True))
        dots.append(Box(x, y, x, y).grow(_HALF, _HALF))
    return dots


def _candidates(mark: Box, width: float, height: float) -> Iterator[Box]:
    """Boxes around a mark, near ones first; of those at equal distance the right side is first."""
    x, y = mark.middle
    reach_x = (mark.right - mark.left) / 2 + _GAP + width / 2
    reach_y = (mark.top - mark.bottom) / 2 + height / 2
    angles = [2 * math.pi * step / _DIRECTIONS for step in range(_DIRECTIONS)]
    for distance in _DISTANCES:
        for right, up in ((math.cos(angle), math.sin(angle)) for angle in angles):
            # Along a square: a label beside its point is flush with it, not a corner away.
            longest = max(abs(right), abs(up))
            middle_x = x + right / longest * (reach_x + distance)
            middle_y = y + up / longest * (reach_y + distance)
            yield Box(middle_x, middle_y, middle_x, middle_y).grow(width / 2, height / 2)


def _cost(
    mark: Box,
    box: Box,
    others: Sequence[Box],
    leaders: Sequence[Box],
    lines: Sequence[Box],
    frame: Box,
) -> float:
    """What it covers; two labels keep a little apart, lest they read as one."""
    wider = box.grow(_GAP, _APART)
    covered = sum(wider.overlap(other) for other in (mark, *others, *leaders))
    covered += sum(dot.overlap(other) for dot in leader(mark, box) for other in others)
    crossed = sum(box.overlap(line) for line in lines)
    outside = box.area - box.overlap(frame)
    return _COVERED * covered + _CROSSED * crossed + _OUTSIDE * outside
