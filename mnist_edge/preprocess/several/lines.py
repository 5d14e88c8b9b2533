"""Several digits on one picture: a number written on a line, or a sheet of rows.

`strokes` finds the ink and its components, without `frames`; `rows` tells which stand on one line;
`cuts` cuts what touches; `paths` joins what belongs together.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge.errors import DataError
from mnist_edge.preprocess.colour import plane
from mnist_edge.preprocess.components import grown
from mnist_edge.preprocess.foreground import opacity
from mnist_edge.preprocess.loading import Loaded, Source, load
from mnist_edge.preprocess.mnist_format import SIDE, as_formed, formed
from mnist_edge.preprocess.page import onto_sheets
from mnist_edge.preprocess.several.oversegment import Row, atoms_of
from mnist_edge.preprocess.several.rows import rows_of
from mnist_edge.preprocess.several.segmentation import Run, box_of, chosen, runs_of, shape_cost
from mnist_edge.preprocess.several.strokes import Strokes, find_strokes
from mnist_edge.preprocess.view import Box

Grey = NDArray[np.uint8]
Score = Callable[[Grey], NDArray[np.floating]]
"""How much images uint8 (N, 28, 28) look like one digit each: (N,), 0..1. A network's greatest
probabilities do."""

_LINE_SKEW, _SHEET_SKEW = 14.0, 8.0  # degrees
_CUT_SCORED, _CUT_UNSCORED = 0.42, 0.95  # digit heights: what is wider may be several
_UNSCORED = 0.13  # the cost of one digit more where there is no score
_LEAST_SCORE = 1e-3
_CLEAR = 0.9  # quality enough not to look for a sheet
_MOST_DIGITS, _MOST_PIECES = 1500, 5000  # on a page: each takes some milliseconds
_MOST_RUNS = 1200  # that are worth a look; more are texture, not a row of digits
_AT_ONCE = 256  # images


@dataclass(frozen=True, slots=True)
class Found:
    """A digit on a picture: `image` uint8 (28, 28) in MNIST's form, and where it lies.

    `box` is (left, top, right, bottom), half-open, in pixels of the upright picture in its file.
    """

    image: Grey
    box: Box


def read_line(source: Source, score: Score | None = None) -> list[Found]:
    """The digits of a number that is written on one line, left to right; as `line`."""
    return line(load(source), score)


def read_grid(source: Source, score: Score | None = None) -> list[list[Found]]:
    """The digits of a sheet, row by row; as `grid`."""
    return grid(load(source), score)


def line(loaded: Loaded, score: Score | None = None) -> list[Found]:
    """The digits of a number that is written on one line, left to right; [] on a blank page.

    The line may be skewed by up to 14°. Where there are several lines, the one with most ink is
    read. Dots, commas and dashes are left out. With `score` touching and broken digits are told
    by how they look; without it, by their shape alone. DataError where there are more than 1,500
    pieces as high as digits: texture, not writing.
    """
    rows = _rows(loaded, score, _LINE_SKEW, only_one=True)
    return rows[0] if rows else []


def grid(loaded: Loaded, score: Score | None = None) -> list[list[Found]]:
    """The digits of a sheet, rows from the top, digits left to right; [] on a blank page.

    The sheet may be turned by up to 8°. Printed squares, tables and ruled lines are left out, and
    all else as in `line`.
    """
    return _rows(loaded, score, _SHEET_SKEW, only_one=False)


def _rows(
    loaded: Loaded, score: Score | None, most_skewed: float, only_one: bool
) -> list[list[Found]]:
    pixels = loaded.pixels
    (image,) = as_formed([pixels])
    if image is not None:
        return [[Found(image, _in_file((0, 0, SIDE, SIDE), loaded))]]
    found = _strokes(plane(pixels))
    if found is None:
        return []
    _refuse_texture(found)
    rows = rows_of(found, most_skewed)
    if only_one:
        rows = [max(rows, key=lambda row: int(found.parts.area[row].sum()))]
    widest = _CUT_UNSCORED if score is None else _CUT_SCORED
    parted = [atoms_of(found, row, widest) for row in rows]
    read = [_read(found, row, runs, score) for row, runs in zip(
        parted, [runs_of(row) for row in parted], strict=True)]  # fmt: skip
    return [[Found(image, _in_file(found.view.box_of(box), loaded)) for image, box in row]
            for row in read if row]  # fmt: skip


def _refuse_texture(found: Strokes) -> None:
    if found.count > _MOST_DIGITS or found.digits.sum() > _MOST_PIECES:
        raise DataError(
            f"{int(found.digits.sum()):,} pieces of ink: this is no page of digits, or one to be "
            f"cut into parts of at most {_MOST_DIGITS:,}"
        )


def _strokes(grey: NDArray[np.float32]) -> Strokes | None:
    """The strokes of a picture, or of the sheet on it where those are clearer."""
    *inner, outer = onto_sheets(grey)
    best = find_strokes(outer)
    for sheet in inner if best is None or best.quality < _CLEAR else []:
        found = find_strokes(sheet)
        if found and (
            best is None
            or (found.quality > best.quality + 0.05 and found.count >= 0.4 * best.count)
        ):
            best = found
    return best


def _read(found: Strokes, row: Row, runs: list[Run], score: Score | None) -> list[tuple[Grey, Box]]:
    """The digits of a row: their images, and their boxes in the view."""
    shapes = [shape_cost(row, run) for run in runs]
    if score is None or len(runs) > _MOST_RUNS:
        costs = [run.cost + shape + _UNSCORED for run, shape in zip(runs, shapes, strict=True)]
        best = chosen(row, runs, costs)
        images = {at: _image(found, row, runs[at]) for at in best}
    else:
        best, images = _scored_path(found, row, runs, shapes, score)
    return [(images[at], box_of(row.atoms[runs[at].first : runs[at].last + 1])) for at in best]


def _scored_path(
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
        best = chosen(row, runs, costs)
        unseen = [at for at in best if at not in images]
        if not unseen:
            return best, images
        images |= {at: _image(found, row, runs[at]) for at in unseen}
        scores = _scored([images[at] for at in unseen], score)
        for at, value in zip(unseen, scores, strict=True):
            costs[at] = runs[at].cost - float(np.log(value)) + shapes[at]


def _scored(images: list[Grey], score: Score) -> NDArray[np.floating]:
    if not images:
        return np.empty(0, np.float32)
    parts = [score(np.stack(images[at : at + _AT_ONCE])) for at in range(0, len(images), _AT_ONCE)]
    return np.asarray(np.clip(np.concatenate(parts), _LEAST_SCORE, 1), np.float32)


def _image(found: Strokes, row: Row, run: Run) -> Grey:
    """The ink of a run of atoms in MNIST's form, without that of its neighbours."""
    left, top, right, bottom = box_of(row.atoms[run.first : run.last + 1])
    window = (slice(max(0, top - 2), bottom + 2), slice(max(0, left - 2), right + 2))
    inside = row.within((left, top, right, bottom))
    own = np.zeros(found.parts.labels[window].shape, bool)
    place = own[top - window[0].start :, left - window[1].start :]
    place[: inside.shape[0], : inside.shape[1]] = (inside >= run.first) & (inside <= run.last)
    near = own | (grown(grown(own)) & (found.parts.labels[window] < 0))
    strength = found.ink.strength[window]
    full = max(float(np.percentile(strength[own], 75)), 0.3 * found.full)
    soft = np.where(near, opacity(strength, full, found.ink.noise), 0)
    return formed(np.round(soft * 255).astype(np.uint8))


def _in_file(box: tuple[float, float, float, float], loaded: Loaded) -> Box:
    """A box in the pixels of a picture -> in those of its file, of which it may be a reduced
    copy."""
    height, width = loaded.pixels.shape[:2]
    across, down = loaded.size[0] / width, loaded.size[1] / height
    left, top = round(box[0] * across), round(box[1] * down)
    right = min(loaded.size[0], max(left + 1, round(box[2] * across)))
    return left, top, right, min(loaded.size[1], max(top + 1, round(box[3] * down)))
