"""Labels beside their marks, with marks anywhere."""

from itertools import combinations

import numpy as np
import pytest

from mnist_edge.report.plots.label_placement import Box, leader, place_labels

FRAME = Box(0, 0, 300, 300)


def marks_at(places: list[tuple[float, float]]) -> list[Box]:
    return [Box(x - 5, y - 5, x + 5, y + 5) for x, y in places]


@pytest.mark.parametrize("seed", range(8))
def test_labels_meet_neither_each_other_nor_any_mark_and_stay_inside(seed: int) -> None:
    random = np.random.default_rng(seed)
    count = int(random.integers(2, 13))
    marks = marks_at([(x, y) for x, y in random.uniform(10, 290, (count, 2))])
    sizes = [(float(width), 12.0) for width in random.uniform(40, 110, count)]

    placed = place_labels(marks, sizes, [], FRAME)

    for box, size in zip(placed, sizes, strict=True):
        assert (box.right - box.left, box.top - box.bottom) == pytest.approx(size)
        assert box.overlap(FRAME) == pytest.approx(box.area)
        assert all(box.overlap(mark) == 0 for mark in marks)
    assert all(one.overlap(other) == 0 for one, other in combinations(placed, 2))


def test_ten_marks_in_one_place_have_ten_readable_labels() -> None:
    placed = place_labels(
        marks_at([(150.0, 150.0 + at) for at in range(10)]), [(90, 12)] * 10, [], FRAME
    )
    assert all(one.overlap(other) == 0 for one, other in combinations(placed, 2))


def test_a_lonely_label_is_right_beside_its_mark() -> None:
    (mark,) = marks_at([(150, 150)])
    (box,) = place_labels([mark], [(60, 12)], [], FRAME)
    assert box.left == pytest.approx(mark.right + 3)
    assert (box.bottom + box.top) / 2 == pytest.approx(150)


def test_a_line_is_avoided() -> None:
    (mark,) = marks_at([(150, 150)])
    line = Box(100, 149, 200, 151)
    (box,) = place_labels([mark], [(60, 12)], [line], FRAME)
    assert box.overlap(line) == 0
    assert not leader(mark, box)


def test_the_same_input_has_the_same_places() -> None:
    marks = marks_at([(50, 50), (55, 52), (54, 48), (200, 210)])
    assert place_labels(marks, [(80, 12)] * 4, [], FRAME) == place_labels(
        marks, [(80, 12)] * 4, [], FRAME
    )


def test_boxes_know_what_they_have_in_common() -> None:
    box = Box(0, 0, 10, 10)
    assert box.overlap(Box(5, 5, 20, 20)) == 25
    assert box.overlap(Box(10, 0, 20, 10)) == 0
    assert box.grow(1, 2) == Box(-1, -2, 11, 12)
    assert box.nearest(20, 5) == (10, 5)
