"""What Markdown is made of here: text that stays text, bullets, and tables that are tables in their
source too, the bars below each other."""

import re
from collections.abc import Sequence

from mnist_edge.escaping import printable
from mnist_edge.report.grid import Grid, Section

# Underlines mean something at the end of a word only, other signs at the beginning of a line.
_SPECIAL = re.compile(r"[\\`*\[\]<>|~&]|(?<!\w)_|_(?!\w)|^[#+-]")
_PLAIN_NAME = re.compile(r"[\w.-]+")
_WIDEST = 80  # cell that others are padded to


def escape(text: str) -> str:
    """Text that Markdown, and HTML within it, takes for nothing but text; on one line."""
    return _SPECIAL.sub(r"\\\g<0>", printable(" ".join(text.split()), longest=None))


def code(name: str) -> str:
    """A name as code; one that is more than letters, digits, dots and dashes as text."""
    return f"`{name}`" if _PLAIN_NAME.fullmatch(name) else escape(name)


def bullets(lines: Sequence[str]) -> list[str]:
    return [*(f"- {escape(line)}" for line in lines), ""] if lines else []


def sections(sections: Sequence[Section]) -> list[str]:
    """Each title is a heading of the second level."""
    lines: list[str] = []
    for section in sections:
        lines += [f"## {escape(section.title)}", ""]
        lines += grid(section.grid) if section.grid else []
        lines += bullets(section.lines)
    return lines


def grid(shown: Grid) -> list[str]:
    """A table of plain text. A name that stands indented in the terminal stands indented here."""
    rows = [[escape(cell) for cell in row] for row in shown.rows]
    for at in shown.under:
        rows[at][0] = f"&nbsp;&nbsp;{rows[at][0]}"
    return table([escape(name) for name in shown.columns], rows, shown.left)


def pairs(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Names and values, plain text, in a table without a heading; nothing without any."""
    return grid(Grid(("", ""), tuple(rows), left=2)) if rows else []


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Cells are Markdown; the first `left` columns are words, all others numbers, flush right.

    What comes after a very long cell stands where it stands.
    """
    cells = zip(columns, *rows, strict=True)
    widths = [min(_WIDEST, max(3, *map(len, column))) for column in cells]
    rule = ["-" * width for width in widths[:left]]
    rule += ["-" * (width - 1) + ":" for width in widths[left:]]
    return [*(_line(row, widths, left) for row in (columns, rule, *rows)), ""]


def _line(cells: Sequence[str], widths: Sequence[int], left: int) -> str:
    padded = [
        cell.ljust(width) if at < left else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"
