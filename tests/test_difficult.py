"""The difficult pictures: seeded, labelled, readable files; and the shipped model reads them."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from benchmarks.difficult_pictures import answers, baseline, ours
from mnist_edge.classifier import Classifier
from mnist_edge.errors import EdgeError
from mnist_edge.model_file import model_paths
from tests.difficult import KINDS, LARGE, Case, cases, files, nondigits, screens
from tests.difficult.strokes import LABELS, Drawn, has_its_loops, thinned


@pytest.fixture(scope="module")
def some() -> list[Case]:
    """A small set from drawn strokes, which are everywhere: 9 of each kind that is made quickly,
    and one of each other but the two that are very large."""
    small = [*screens.KINDS, *files.KINDS]
    slow = [kind for kind in KINDS if kind not in small]
    quick = cases([Drawn()], seed=1, per_kind=9, only=small)
    return [*quick, *cases([Drawn()], seed=1, per_kind=1, only=slow)]


def test_the_set_is_large_and_has_all_labels_and_kinds(some: list[Case]) -> None:
    assert len(some) >= 200
    assert {case.label for case in some} == set(LABELS)
    assert {case.kind for case in some} == set(KINDS)
    assert len({case.name for case in some}) == len(some)


def test_every_picture_is_a_file_that_opens_and_shows_something(some: list[Case]) -> None:
    for case in some:
        with Image.open(io.BytesIO(case.data)) as image:
            low, high = np.asarray(image).min(), np.asarray(image).max()
            assert min(image.size) >= 8, case.name
            assert high > low, case.name


def test_the_seed_alone_makes_the_pictures(some: list[Case]) -> None:
    kinds = ["paint", "transparent", "figure"]
    again = list(cases([Drawn()], seed=1, per_kind=3, only=kinds))
    by_name = {case.name: case.data for case in some}
    assert all(case.data == by_name[case.name] for case in again)
    other = list(cases([Drawn()], seed=2, per_kind=3, only=kinds))
    assert all(case.data != by_name[case.name] for case in other)


def test_the_large_pictures_are_large() -> None:
    sizes = [Image.open(io.BytesIO(case.data)).size
             for case in cases([Drawn()], per_kind=1, only=list(LARGE))]  # fmt: skip
    assert sizes == [(4000, 3000), (1500, 1500)]


def test_nondigits_have_no_label() -> None:
    found = list(nondigits(seed=1, per_kind=1))
    assert {case.label for case in found} == {None}
    assert all(Image.open(io.BytesIO(case.data)).size >= (8, 8) for case in found)


@pytest.mark.parametrize("label", LABELS)
def test_a_drawn_digit_has_the_loops_of_its_label_mostly(label: str) -> None:
    random = np.random.default_rng(0)
    shapes = [Drawn().shape(label, random) for _ in range(20)]
    assert np.mean([has_its_loops(shape.distance < 0.03, label) for shape in shapes]) >= 0.5


def test_a_skeleton_is_thin_and_keeps_the_loops() -> None:
    rows, columns = np.mgrid[:60, :60]
    away = np.hypot(rows - 30, columns - 30)
    line = thinned((away < 25) & (away > 15))
    assert ndimage.label(~line)[1] == 2
    assert np.abs(away[line] - 20).max() < 3


def test_the_shipped_model_reads_them_better_than_behind_a_simple_threshold(
    some: list[Case],
) -> None:
    try:
        model = Classifier(model_paths.default())
    except EdgeError as error:
        pytest.skip(str(error))
    found = [
        sum(answer.right for answer in answers(some, read, model)) for read in (ours, baseline)
    ]
    assert found[0] >= 0.95 * len(some)
    assert found[0] > found[1]
