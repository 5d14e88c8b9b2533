"""Grids -> tables for the terminal. One that is wider comes in parts that are not; nothing is
cut."""

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len
from rich.table import Table

from mnist_edge import escaping
from mnist_edge.report.grid import Grid

WIDTH = 100
_INDENT = "  "


def table(grid: Grid) -> Table:
    """A table without decoration. Cells are text, whatever they hold: see `escaping.printable`."""
    names, cells = _columns(grid)
    return _table(grid, names, cells, range(len(names)))


def parts(grid: Grid, width: int = WIDTH) -> list[Table]:
    """The table, as so many columns of text take it; nothing for one without rows.

    Where it is too wide, its headers fold; where that is not enough, it comes in parts, and each
    begins with the first column. Only where a single column is too wide, a part is too.
    """
    if not grid.rows:
        return []
    names, cells = _columns(grid)
    folded = [_folded(name, own) for name, own in zip(names, cells, strict=True)]
    for headers in (names, folded):
        if _fits(_widths(headers, cells), width, grid.gap):
            return [_table(grid, headers, cells, range(len(names)))]
    widths = _widths(names, cells)
    return [_table(grid, names, cells, part) for part in _cut(grid, widths, width)]


def fits(grid: Grid, width: int = WIDTH) -> bool:
    """Whether it needs no more columns of text, its headers unfolded."""
    return _fits(_widths(*_columns(grid)), width, grid.gap)


def _columns(grid: Grid) -> tuple[list[str], list[list[str]]]:
    """The names and the cells of each column, as a terminal can show them."""
    rows = [
        [(_INDENT if at in grid.under else "") + escaping.printable(row[0])]
        + [escaping.printable(cell) for cell in row[1:]]
        for at, row in enumerate(grid.rows)
    ]
    names = [escaping.printable(name) for name in grid.columns]
    return names, [[row[at] for row in rows] for at in range(len(names))]


def _table(
    grid: Grid, headers: Sequence[str], cells: Sequence[Sequence[str]], places: Sequence[int]
) -> Table:
    """The columns in these places."""
    drawn = Table(box=None, pad_edge=False, padding=(0, grid.gap, 0, 0), header_style="bold")
    for at in places:
        justify = "left" if at < grid.left else "right"
        drawn.add_column(headers[at], justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in zip(*(cells[at] for at in places), strict=True):
        drawn.add_row(*row)
    return drawn


def _cut(grid: Grid, widths: Sequence[int], width: int) -> list[list[int]]:
    """The places of the columns that stand together, the first column in each part."""
    parts = [[0]]
    for at in range(1, len(widths)):
        full = not _fits([widths[place] for place in (*parts[-1], at)], width, grid.gap)
        if parts[-1] != [0] and (full or at in grid.breaks):
            parts.append([0])
        parts[-1].append(at)
    return parts


def _widths(headers: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    """Of each column."""
    return [
        max(cell_len(line) for text in (name, *own) for line in text.split("\n"))
        for name, own in zip(headers, cells, strict=True)
    ]


def _fits(widths: Sequence[int], width: int, gap: int) -> bool:
    return sum(widths) + gap * (len(widths) - 1) <= width


def _folded(name: str, cells: Sequence[str]) -> str:
    """A header in lines that are no longer than its cells, as far as its words allow."""
    return "\n".join(textwrap.wrap(name, max(map(len, [*cells, *name.split()]))))
