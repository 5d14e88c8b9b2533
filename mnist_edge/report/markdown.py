"""A benchmark as Markdown, for a README or an issue."""

from mnist_edge.benchmark import Benchmark
from mnist_edge.report import advice, detail_tables, markdown_elements, table, words
from mnist_edge.report.grid import Grid
from mnist_edge.report.markdown_elements import bullets, escaped


def benchmark(record: Benchmark) -> str:
    """The verdict, the recommendation, the tables, and how and where it was measured."""
    lines = ["# mnist-edge bench", "", f"**{escaped(str(words.verdict(record)))}**", ""]
    lines += bullets([*words.warnings(record), *words.remarks(record)])
    lines += ["## What to ship", "", *bullets(advice.lines_or_why_not(record))]
    lines += ["## Accuracy and start", "", *_table(table.quality(record))]
    lines += ["## Speed", "", *_table(table.speed(record))]
    lines += [escaped(" ".join(table.units(record))), ""]
    computed = table.computed(record)
    if computed.rows:
        lines += ["## What ran", "", *_table(computed)]
    lines += ["## How it was measured", "", *bullets(words.protocol(record))]
    facts = [f"{name}: {value}" for name, value in words.machine(record) + words.noise(record)]
    lines += ["## Machine", "", *bullets(facts)]
    lines += ["## Files", "", *_table(detail_tables.files(record))]
    return "\n".join(lines).rstrip() + "\n"


def _table(shown: Grid) -> list[str]:
    """A name that stands indented in the terminal stands indented here."""
    rows = [[escaped(cell) for cell in row] for row in shown.rows]
    for at in shown.under:
        rows[at][0] = f"&nbsp;&nbsp;{rows[at][0]}"
    return markdown_elements.table([escaped(name) for name in shown.columns], rows, shown.left)
