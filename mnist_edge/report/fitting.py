"""Tables that are wider than a terminal -> tables that are not; nothing is cut."""

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len
from rich.table import Table

from mnist_edge.report.table import WIDTH, plain

_NEW_PART = ("size", "CPU µs", "nodes")
"""Columns of a benchmark's tables that rather begin another part than end in the one before."""


def parts(whole: Table, width: int = WIDTH) -> list[Table]:
    """A table that `plain` made, as so many columns of text take it; nothing for one without rows.

    Where it is too wide, its headers fold; where that is not enough, it comes in parts, and each
    begins with the first column. Only where a single column is too wide, a part is too.
    """
    if not whole.row_count:
        return []
    headers = [str(column.header) for column in whole.columns]
    cells = [[str(cell) for cell in column.cells] for column in whole.columns]
    folded = [_folded(name, own) for name, own in zip(headers, cells, strict=True)]
    everything = list(range(len(headers)))
    for shown in (headers, folded):
        if _fits(widths := _widths(whole, shown, cells), everything, whole, width):
            return [_part(whole, shown, cells, everything)]
    widths = _widths(whole, headers, cells)
    return [_part(whole, headers, cells, part) for part in _cut(whole, headers, widths, width)]


def _cut(
    whole: Table, headers: Sequence[str], widths: Sequence[int], width: int
) -> list[list[int]]:
    """The places of the columns that stand together, the first column in each part."""
    found = [[0]]
    for at in range(1, len(widths)):
        full = not _fits(widths, [*found[-1], at], whole, width)
        if found[-1] != [0] and (full or headers[at] in _NEW_PART):
            found.append([0])
        found[-1].append(at)
    return found


def _part(
    whole: Table, headers: Sequence[str], cells: Sequence[Sequence[str]], places: Sequence[int]
) -> Table:
    rows = zip(*(cells[at] for at in places), strict=True)
    left = sum(whole.columns[at].justify == "left" for at in places)
    table = plain([""] * len(places), rows, left)
    for column, at in zip(table.columns, places, strict=True):
        column.header = headers[at]  # in lines, where it was folded
    table.padding = whole.padding
    return table


def _widths(whole: Table, headers: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    """Of each column, and the gap after it."""
    return [
        whole.padding[1] + max(cell_len(line) for text in (name, *own) for line in text.split("\n"))
        for name, own in zip(headers, cells, strict=True)
    ]


def _fits(widths: Sequence[int], places: Sequence[int], whole: Table, width: int) -> bool:
    return sum(widths[at] for at in places) - whole.padding[1] <= width


def _folded(name: str, cells: Sequence[str]) -> str:
    """A header in lines that are no longer than its cells, as far as its words allow."""
    return "\n".join(textwrap.wrap(name, max(map(len, [*cells, *name.split()]))))
