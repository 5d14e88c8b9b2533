"""What a result is told in: sentences and tables, for the terminal and as Markdown alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_edge.report import markdown_elements
from mnist_edge.report.grid import Grid
from mnist_edge.report.markdown_elements import bullets, escaped


@dataclass(frozen=True, slots=True)
class Section:
    """A title, a table where there is one, and sentences below it."""

    title: str
    grid: Grid | None = None
    lines: tuple[str, ...] = ()


def markdown(sections: Sequence[Section]) -> list[str]:
    """Lines of Markdown; each title is a heading of the second level."""
    told: list[str] = []
    for section in sections:
        told += [f"## {escaped(section.title)}", ""]
        if grid := section.grid:
            rows = [[escaped(cell) for cell in row] for row in grid.rows]
            told += markdown_elements.table(
                [escaped(name) for name in grid.columns], rows, grid.left
            )
        told += bullets(list(section.lines))
    return told
