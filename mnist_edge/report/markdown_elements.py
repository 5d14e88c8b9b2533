"""What Markdown is made of here: text that stays text, bullets, and tables that are tables in their
source too, the bars below each other."""

import re
from collections.abc import Sequence

from mnist_edge.escaping import printable

# Underlines mean something at the end of a word only, other signs at the beginning of a line.
_SPECIAL = re.compile(r"[\\`*\[\]<>|~&]|(?<!\w)_|_(?!\w)|^[#+-]")
_PLAIN_NAME = re.compile(r"[\w.-]+")
_WIDEST = 80  # cell that others are padded to


def escaped(words: str) -> str:
    """Text that Markdown, and HTML within it, takes for nothing but text; on one line."""
    return _SPECIAL.sub(r"\\\g<0>", printable(" ".join(words.split()), longest=None))


def code(name: str) -> str:
    """A name as code; one that is more than letters, digits, dots and dashes as text."""
    return f"`{name}`" if _PLAIN_NAME.fullmatch(name) else escaped(name)


def bullets(texts: Sequence[str]) -> list[str]:
    return [*(f"- {escaped(one)}" for one in texts), ""] if texts else []


def pairs(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Names and values, plain text, in a table without a heading; nothing without any."""
    cells = [[escaped(cell) for cell in row] for row in rows]
    return table(("", ""), cells, left=2) if rows else []


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
