"""What is shown, before it is rendered: tables as columns and cells of text, and sections of tables
and sentences. The terminal, Markdown and HTML each render them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grid:
    """The first `left` columns are words, flush left; all others are numbers, flush right.

    `breaks` are the places of columns that rather begin another part than end in the one before,
    where the whole is too wide; `under` those of rows whose name belongs to a row above, and is
    indented. `gap` is how many spaces keep columns apart in a terminal.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1
    breaks: tuple[int, ...] = ()
    under: tuple[int, ...] = ()
    gap: int = 2


@dataclass(frozen=True, slots=True)
class Section:
    """A title, a table where there is one, and sentences below it."""

    title: str
    grid: Grid | None = None
    lines: tuple[str, ...] = ()
