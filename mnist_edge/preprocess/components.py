"""Connected components of a mask, in numpy: the runs of each row, joined where they touch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Components:
    """The 8-connected components of a mask (H, W), numbered from 0 in reading order.

    `labels` int32 (H, W) is -1 where the mask is not set. The others have one value for each
    component: `area` in pixels, and its box, half-open, as int64: `top`, `left`, `bottom`, `right`.
    """

    labels: Labels
    area: NDArray[np.int64]
    top: NDArray[np.int64]
    left: NDArray[np.int64]
    bottom: NDArray[np.int64]
    right: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.area)

    @property
    def height(self) -> NDArray[np.int64]:
        return self.bottom - self.top

    @property
    def width(self) -> NDArray[np.int64]:
        return self.right - self.left

    @property
    def edge_count(self) -> NDArray[np.int64]:
        """How many edges of the mask each touches."""
        height, width = self.labels.shape
        edges = self.top == 0, self.left == 0, self.bottom == height, self.right == width
        counts: NDArray[np.int64] = np.sum(edges, axis=0)
        return counts

    @property
    def at_edge(self) -> NDArray[np.bool_]:
        """Which touch an edge of the mask."""
        touches: Mask = self.edge_count > 0
        return touches

    def mask_of(self, chosen: NDArray[np.bool_]) -> Mask:
        """The mask (H, W) of the components for which `chosen` (count,) is set."""
        return np.append(chosen, False)[self.labels]

    def box(self, chosen: NDArray[np.bool_]) -> tuple[int, int, int, int]:
        """The box (left, top, right, bottom) around the components for which `chosen` is set."""
        return (
            int(self.left[chosen].min()),
            int(self.top[chosen].min()),
            int(self.right[chosen].max()),
            int(self.bottom[chosen].max()),
        )


def box_slices(mask: Mask, margin: int = 0) -> tuple[slice, slice]:
    """The rows and columns of the box around what is set in a mask (H, W), and of a margin."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + 1 + margin),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + 1 + margin),
    )


def group_components(mask: Mask, reach: int) -> Components:
    """As `connected_components`, but pieces within 2 × `reach` pixels of each other are one."""
    near = mask
    for _ in range(reach):
        near = dilate(near)
    wide = connected_components(near)
    labels = np.where(mask, wide.labels, np.int32(-1))
    area = np.bincount(labels[mask], minlength=len(wide)).astype(np.int64)
    height, width = mask.shape
    return Components(
        labels,
        area,
        np.where(wide.top > 0, wide.top + reach, 0),
        np.where(wide.left > 0, wide.left + reach, 0),
        np.where(wide.bottom < height, wide.bottom - reach, height),
        np.where(wide.right < width, wide.right - reach, width),
    )


def dilate(mask: Mask) -> Mask:
    """A mask and its 8 neighbours."""
    rows = mask.copy()  # np.pad would take longer than all of this
    rows[1:] |= mask[:-1]
    rows[:-1] |= mask[1:]
    wider = rows.copy()
    wider[:, 1:] |= rows[:, :-1]
    wider[:, :-1] |= rows[:, 1:]
    return wider


def connected_components(mask: Mask) -> Components:
    """The 8-connected components of a mask, bool (H, W).

    Runs of rows and a union by least label (He, Chao and Suzuki 2008), in whole-array steps.
    """
    height, width = mask.shape
    padded = np.zeros((height, width + 2), np.int8)
    padded[:, 1:-1] = mask
    edges = np.diff(padded, axis=1)  # (H, W + 1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    run_labels = _unite_runs(len(rows), *_touching_runs(rows, starts, ends, width + 2))
    names, run_labels = np.unique(run_labels, return_inverse=True)
    labels = np.full((height, width), -1, np.int32)
    labels[mask] = np.repeat(run_labels, ends - starts)
    count = len(names)
    area = np.bincount(run_labels, ends - starts, count).astype(np.int64)
    top, left = np.full(count, height), np.full(count, width)
    bottom, right = np.zeros(count, np.int64), np.zeros(count, np.int64)
    np.minimum.at(top, run_labels, rows)
    np.maximum.at(bottom, run_labels, rows + 1)
    np.minimum.at(left, run_labels, starts)
    np.maximum.at(right, run_labels, ends)
    return Components(labels, area, top, left, bottom, right)


def _touching_runs(
    rows: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64], stride: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of runs in neighbouring rows that touch, at a corner too."""
    first, last = rows * stride + starts, rows * stride + ends  # half-open, in reading order
    lowest = np.searchsorted(last, first + stride, "left")
    highest = np.searchsorted(first, last + stride, "right")
    counts = np.maximum(highest - lowest, 0)
    upper = np.repeat(np.arange(len(rows)), counts)
    offsets = np.arange(len(upper)) - np.repeat(np.cumsum(counts) - counts, counts)
    return upper, np.repeat(lowest, counts) + offsets


def _unite_runs(count: int, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """The least number that each of `count` runs is joined with."""
    parent = np.arange(count)
    while True:
        a, b = parent[one], parent[other]
        apart = a != b
        if not apart.any():
            return parent
        one, other, a, b = one[apart], other[apart], a[apart], b[apart]
        np.minimum.at(parent, np.maximum(a, b), np.minimum(a, b))
        while (parent != (jumped := parent[parent])).any():
            parent = jumped
