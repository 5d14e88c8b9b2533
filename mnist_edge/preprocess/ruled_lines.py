"""Ruled and squared paper: straight lines across the whole picture, taken out of the ink."""

import numpy as np
from numpy.typing import NDArray

from mnist_edge.preprocess.foreground import Plane, extreme_filter

_SLOPES = np.linspace(-0.2, 0.2, 41)
_SAMPLED_COLUMNS = 48  # at which a line is looked for
_MAX_THICKNESS = 0.04  # of the picture, thickened by a pixel on both sides
_MAX_MISSED = 0.3  # of them may miss a line
_USUAL_PERCENTILE = 55  # of a line's strength
_STROKE_RATIO = 1.5  # times that is a stroke


def remove_ruled_lines(strength: Plane, least: float) -> Plane:
    """Ink (H, W) without the lines that run all across, level or upright, turned by up to 11°.

    `least` is the strength from which a line counts. Where a stroke crosses a line, or is
    stronger than it, the stroke stays.
    """
    # Where two lines cross, each seems to be a stroke through the other, a little to both sides.
    level_first = _remove_upright(_remove_level(strength, least), least)
    upright_first = _remove_level(_remove_upright(strength, least), least)
    return np.minimum(level_first, upright_first)


def _remove_upright(strength: Plane, least: float) -> Plane:
    return np.ascontiguousarray(_remove_level(strength.T, least).T)


def _remove_level(strength: Plane, least: float) -> Plane:
    height, width = strength.shape
    columns = np.linspace(0, width - 1, min(width, _SAMPLED_COLUMNS)).astype(int)
    # A thin line climbs by whole pixels: a pixel above and below counts for it too.
    sampled = extreme_filter(strength[:, columns], 3, np.maximum, axes=(0,))
    best, slope = np.zeros(height, np.float32), 0.0
    for tried in _SLOPES:
        profile = _profile(sampled, np.round(tried * (columns - width / 2)).astype(int))
        if np.square(profile).sum() > np.square(best).sum():
            best, slope = profile, float(tried)
    lines = _thin_runs(best > max(least, 0.4 * float(best.max())))
    if not len(lines):
        return strength
    shift = np.round(slope * (np.arange(width) - width / 2)).astype(int)
    room = int(np.abs(shift).max())  # so that nothing is moved out of the picture
    padded = np.pad(strength, ((room, room), (0, 0)), mode="edge")
    erased = _erase(_shear(padded, shift), lines + room)
    return np.ascontiguousarray(_shear(erased, -shift)[room : room + height])


def _thin_runs(lines: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where runs of rows start and end, int64 (N, 2), of those that are thin enough for a rule."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], lines.view(np.int8), [0]])))
    runs = edges.reshape(-1, 2)
    return runs[runs[:, 1] - runs[:, 0] <= max(5, _MAX_THICKNESS * len(lines))]


def _profile(sampled: Plane, shift: NDArray[np.int64]) -> Plane:
    """How strong a line through each row is, at least, over most of its columns."""
    ordered = np.sort(_shear(sampled, shift), axis=1)
    return np.asarray(ordered[:, int(_MAX_MISSED * ordered.shape[1])], np.float32)


def _shear(values: Plane, shift: NDArray[np.int64]) -> Plane:
    """Columns moved up by `shift`, so that lines of that slope are level."""
    rows = np.arange(len(values))[:, None] + shift
    return np.take_along_axis(values, rows.clip(0, len(values) - 1), axis=0)


def _erase(level: Plane, lines: NDArray[np.int64]) -> Plane:
    """Level lines replaced by what goes through them, from above to below."""
    result = level.copy()
    for start, end in lines:
        # A slanting stroke goes on up to two pixels aside.
        above, below = (
            extreme_filter(level[row], 5, np.maximum, axes=(0,))
            for row in (max(0, start - 1), min(len(level) - 1, end))
        )
        band = level[start:end]
        through = np.minimum(above, below)
        # Between two rows of pixels a line is half as strong as within one.
        stronger = band > _STROKE_RATIO * np.percentile(band.max(axis=0), _USUAL_PERCENTILE)
        result[start:end] = np.where(stronger, band, np.minimum(band, through))
    return result
