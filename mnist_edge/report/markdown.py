"""A benchmark as Markdown, for a README or an issue."""

import re

from mnist_edge.benchmark import Benchmark
from mnist_edge.report import advice, grid, table, words
from mnist_edge.report.grid import Grid

# Underlines mean something at the end of a word only, other signs at the beginning of a line.
_SPECIAL = re.compile(r"[\\`*\[\]<>|~&]|(?<!\w)_|_(?!\w)|^[#+-]")


def benchmark(record: Benchmark) -> str:
    """The verdict, the recommendation, the tables, and how and where it was measured."""
    lines = ["# mnist-edge bench", "", f"**{escaped(words.verdict(record))}**", ""]
    lines += bullets([*words.warnings(record), *words.remarks(record)])
    lines += ["## What to ship", "", *bullets(advice.lines(record))]
    lines += ["## Accuracy and start", "", *_table(grid.of(table.quality(record)))]
    lines += ["## Speed", "", *_table(grid.of(table.speed(record)))]
    lines += [escaped(" ".join(table.units(record))), ""]
    computed = grid.of(table.computed(record))
    if computed.rows:
        lines += ["## What ran", "", *_table(computed)]
    lines += ["## How it was measured", "", *bullets(words.protocol(record))]
    facts = [f"{name}: {value}" for name, value in words.machine(record) + words.noise(record)]
    lines += ["## Machine", "", *bullets(facts)]
    lines += ["## Files", "", *_table(grid.files(record))]
    return "\n".join(lines).rstrip() + "\n"


def escaped(words: str) -> str:
    """Text that Markdown, and HTML within it, takes for nothing but text; on one line."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(words.split()))


def bullets(texts: list[str]) -> list[str]:
    return [*(f"- {escaped(one)}" for one in texts), ""] if texts else []


def _table(shown: Grid) -> list[str]:
    """As GitHub has them; a name that stands indented in the terminal stands indented here."""
    rule = ["---" if at < shown.left else "---:" for at in range(len(shown.columns))]
    rows = [_row([_cell(cell) for cell in row]) for row in shown.rows]
    return [_row([escaped(name) for name in shown.columns]), _row(rule), *rows, ""]


def _cell(cell: str) -> str:
    indented = cell.startswith("  ")
    return ("&nbsp;&nbsp;" if indented else "") + escaped(cell)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
