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


def table(shown: Grid) -> Table:
    """A table without decoration. Cells are text, whatever they hold: see `escaping.plain`."""
    names, cells = _columns(shown)
    return _table(shown, names, cells, range(len(names)))


def parts(shown: Grid, width: int = WIDTH) -> list[Table]:
    """The table, as so many columns of text take it; nothing for one without rows.

    Where it is too wide, its headers fold; where that is not enough, it comes in parts, and each
    begins with the first column. Only where a single column is too wide, a part is too.
    """
    if not shown.rows:
        return []
    names, cells = _columns(shown)
    folded = [_folded(name, own) for name, own in zip(names, cells, strict=True)]
    for headers in (names, folded):
        if _fits(_widths(headers, cells), width, shown.gap):
            return [_table(shown, headers, cells, range(len(names)))]
    widths = _widths(names, cells)
    return [_table(shown, names, cells, part) for part in _cut(shown, widths, width)]


def fits(shown: Grid, width: int = WIDTH) -> bool:
    """Whether it needs no more columns of text, its headers unfolded."""
    return _fits(_widths(*_columns(shown)), width, shown.gap)


def _columns(shown: Grid) -> tuple[list[str], list[list[str]]]:
    """The names and the cells of each column, as a terminal can show them."""
    rows = [
        [(_INDENT if at in shown.under else "") + escaping.printable(row[0])]
        + [escaping.printable(cell) for cell in row[1:]]
        for at, row in enumerate(shown.rows)
    ]
    names = [escaping.printable(name) for name in shown.columns]
    return names, [[row[at] for row in rows] for at in range(len(names))]


def _table(
    shown: Grid, headers: Sequence[str], cells: Sequence[Sequence[str]], places: Sequence[int]
) -> Table:
    """The columns in these places."""
    found = Table(box=None, pad_edge=False, padding=(0, shown.gap, 0, 0), header_style="bold")
    for at in places:
        justify = "left" if at < shown.left else "right"
        found.add_column(headers[at], justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in zip(*(cells[at] for at in places), strict=True):
        found.add_row(*row)
    return found


def _cut(shown: Grid, widths: Sequence[int], width: int) -> list[list[int]]:
    """The places of the columns that stand together, the first column in each part."""
    found = [[0]]
    for at in range(1, len(widths)):
        full = not _fits([widths[place] for place in (*found[-1], at)], width, shown.gap)
        if found[-1] != [0] and (full or at in shown.breaks):
            found.append([0])
        found[-1].append(at)
    return found


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
