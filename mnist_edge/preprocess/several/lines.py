"""Several digits on one picture: a number written on a line, or a sheet of rows.

`strokes` finds the ink and its components, without `frames`; `rows` tells which stand on one line;
`cuts` cuts what touches; `paths` joins what belongs together.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge.errors import DataError
from mnist_edge.preprocess.colour import project_to_grey
from mnist_edge.preprocess.components import dilate
from mnist_edge.preprocess.foreground import opacity
from mnist_edge.preprocess.loading import Loaded
from mnist_edge.preprocess.mnist_format import match_mnist_format, to_mnist_format
from mnist_edge.preprocess.page import find_sheets
from mnist_edge.preprocess.several.oversegment import Row, split_into_atoms
from mnist_edge.preprocess.several.rows import group_rows
from mnist_edge.preprocess.several.segmentation import (
    Run,
    bounding_box,
    cheapest_path,
    find_runs,
    shape_cost,
)
from mnist_edge.preprocess.several.strokes import Strokes, find_strokes
from mnist_edge.preprocess.view import Box
from mnist_edge.types import SIDE, Grey

Score = Callable[[Grey], NDArray[np.floating]]
"""How much images uint8 (N, 28, 28) look like one digit each: (N,), 0..1. A network's greatest
probabilities do."""

_MAX_LINE_SKEW, _MAX_SHEET_SKEW = 14.0, 8.0  # degrees
_UNCUT_WIDTH_SCORED = 0.42  # digit heights: what is wider may be several
_UNCUT_WIDTH_UNSCORED = 0.95
_UNSCORED_COST = 0.13  # the cost of one digit more where there is no score
_MIN_SCORE = 1e-3
_CLEAR_QUALITY = 0.9  # quality enough not to look for a sheet
_MAX_DIGITS, _MAX_PIECES = 1500, 5000  # on a page: each takes some milliseconds
_MAX_RUNS = 1200  # that are worth a look; more are texture, not a row of digits
_BATCH_SIZE = 256  # images


@dataclass(frozen=True, slots=True)
class FoundDigit:
    """A digit on a picture: `image` uint8 (28, 28) in MNIST's form, and where it lies.

    `box` is (left, top, right, bottom), half-open, in pixels of the upright picture in its file.
    """

    image: Grey
    box: Box


def read_line(loaded: Loaded, score: Score | None = None) -> list[FoundDigit]:
    """The digits of a number that is written on one line, left to right; [] on a blank page.

    The line may be skewed by up to 14°. Where there are several lines, the one with most ink is
    read. Dots, commas and dashes are left out. With `score` touching and broken digits are told
    by how they look; without it, by their shape alone. DataError where there are more than 1,500
    pieces as high as digits: texture, not writing.
    """
    rows = _find_rows(loaded, score, _MAX_LINE_SKEW, only_one=True)
    return rows[0] if rows else []


def read_grid(loaded: Loaded, score: Score | None = None) -> list[list[FoundDigit]]:
    """The digits of a sheet, rows from the top, digits left to right; [] on a blank page.

    The sheet may be turned by up to 8°. Printed squares, tables and ruled lines are left out, and
    all else as in `read_line`.
    """
    return _find_rows(loaded, score, _MAX_SHEET_SKEW, only_one=False)


def _find_rows(
    loaded: Loaded, score: Score | None, most_skewed: float, only_one: bool
) -> list[list[FoundDigit]]:
    pixels = loaded.pixels
    (image,) = match_mnist_format([pixels])
    if image is not None:
        return [[FoundDigit(image, _box_in_file((0, 0, SIDE, SIDE), loaded))]]
    found = _clearest_strokes(project_to_grey(pixels))
    if found is None:
        return []
    _refuse_texture(found)
    rows = group_rows(found, most_skewed)
    if only_one:
        rows = [max(rows, key=lambda row: int(found.parts.area[row].sum()))]
    widest = _UNCUT_WIDTH_UNSCORED if score is None else _UNCUT_WIDTH_SCORED
    parted = [split_into_atoms(found, row, widest) for row in rows]
    read = [_segment_row(found, row, runs, score) for row, runs in zip(
        parted, [find_runs(row) for row in parted], strict=True)]  # fmt: skip
    return [[FoundDigit(image, _box_in_file(found.view.box_of(box), loaded)) for image, box in row]
            for row in read if row]  # fmt: skip


def _refuse_texture(found: Strokes) -> None:
    if found.count > _MAX_DIGITS or found.digits.sum() > _MAX_PIECES:
        raise DataError(
            f"{int(found.digits.sum()):,} pieces of ink: this is no page of digits, or one to be "
            f"cut into parts of at most {_MAX_DIGITS:,}"
        )


def _clearest_strokes(grey: NDArray[np.float32]) -> Strokes | None:
    """The strokes of a picture, or of the sheet on it where those are clearer."""
    *inner, outer = find_sheets(grey)
    best = find_strokes(outer)
    for sheet in inner if best is None or best.quality < _CLEAR_QUALITY else []:
        found = find_strokes(sheet)
        if found and (
            best is None
            or (found.quality > best.quality + 0.05 and found.count >= 0.4 * best.count)
        ):
            best = found
    return best


def _segment_row(
    found: Strokes, row: Row, runs: list[Run], score: Score | None
) -> list[tuple[Grey, Box]]:
    """The digits of a row: their images, and their boxes in the view."""
    shapes = [shape_cost(row, run) for run in runs]
    if score is None or len(runs) > _MAX_RUNS:
        costs = [run.cost + shape + _UNSCORED_COST for run, shape in zip(runs, shapes, strict=True)]
        best = cheapest_path(row, runs, costs)
        images = {at: _run_image(found, row, runs[at]) for at in best}
    else:
        best, images = _cheapest_scored_path(found, row, runs, shapes, score)
    return [
        (images[at], bounding_box(row.atoms[runs[at].first : runs[at].last + 1])) for at in best
    ]


def _cheapest_scored_path(
    found: Strokes, row: Row, runs: list[Run], shapes: list[float], score: Score
) -> tuple[list[int], dict[int, Grey]]:
    """The path of least cost by shape and score, and the images of its runs.

    A score only adds to a cost. So runs are scored when they are on the path that is best so far,
    until all on it are: it is the best of all, and few runs had to be looked at (Dellin and
    Srinivasa 2016, "A unifying formalism for shortest path problems with expensive edge
    evaluations via lazy best-first search over paths with edge selectors").
    """
    costs = [run.cost + shape for run, shape in zip(runs, shapes, strict=True)]
    images: dict[int, Grey] = {}
    while True:
        best = cheapest_path(row, runs, costs)
        unseen = [at for at in best if at not in images]
        if not unseen:
            return best, images
        images |= {at: _run_image(found, row, runs[at]) for at in unseen}
        scores = _score_images([images[at] for at in unseen], score)
        for at, value in zip(unseen, scores, strict=True):
            costs[at] = runs[at].cost - float(np.log(value)) + shapes[at]


def _score_images(images: list[Grey], score: Score) -> NDArray[np.floating]:
    if not images:
        return np.empty(0, np.float32)
    parts = [
        score(np.stack(images[at : at + _BATCH_SIZE])) for at in range(0, len(images), _BATCH_SIZE)
    ]
    return np.asarray(np.clip(np.concatenate(parts), _MIN_SCORE, 1), np.float32)


def _run_image(found: Strokes, row: Row, run: Run) -> Grey:
    """The ink of a run of atoms in MNIST's form, without that of its neighbours."""
    left, top, right, bottom = bounding_box(row.atoms[run.first : run.last + 1])
    window = (slice(max(0, top - 2), bottom + 2), slice(max(0, left - 2), right + 2))
    inside = row.labels_within((left, top, right, bottom))
    own = np.zeros(found.parts.labels[window].shape, bool)
    place = own[top - window[0].start :, left - window[1].start :]
    place[: inside.shape[0], : inside.shape[1]] = (inside >= run.first) & (inside <= run.last)
    near = own | (dilate(dilate(own)) & (found.parts.labels[window] < 0))
    strength = found.ink.strength[window]
    full = max(float(np.percentile(strength[own], 75)), 0.3 * found.full)
    soft = np.where(near, opacity(strength, full, found.ink.noise), 0)
    return to_mnist_format(np.round(soft * 255).astype(np.uint8))


def _box_in_file(box: tuple[float, float, float, float], loaded: Loaded) -> Box:
    """A box in the pixels of a picture -> in those of its file, of which it may be a reduced
    copy."""
    height, width = loaded.pixels.shape[:2]
    across, down = loaded.size[0] / width, loaded.size[1] / height
    left, top = round(box[0] * across), round(box[1] * down)
    right = min(loaded.size[0], max(left + 1, round(box[2] * across)))
    return left, top, right, min(loaded.size[1], max(top + 1, round(box[3] * down)))
