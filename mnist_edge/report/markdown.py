"""A benchmark as Markdown, for a README or an issue."""

from mnist_edge.benchmark import Benchmark
from mnist_edge.report import advice, benchmark_tables, notes, summary, verdict
from mnist_edge.report.markdown_elements import bullets, escape, grid


def benchmark(record: Benchmark) -> str:
    """The verdict, the recommendation, the tables, and how and where it was measured."""
    word, why = verdict.word_and_why(record.noise)
    kernels = benchmark_tables.kernels(record)
    facts = [f"{name}: {value}" for name, value in summary.machine(record) + summary.noise(record)]
    lines = ["# mnist-edge bench", "", f"**{escape(f'{word}: {why}.')}**", ""]
    lines += bullets([*notes.warnings(record), *notes.remarks(record)])
    lines += ["## What to ship", "", *bullets(advice.lines_or_why_not(record))]
    lines += ["## Accuracy and start", "", *grid(benchmark_tables.quality(record))]
    lines += ["## Speed", "", *grid(benchmark_tables.speed(record))]
    lines += [escape(" ".join(benchmark_tables.units(record))), ""]
    lines += ["## What ran", "", *grid(kernels)] if kernels.rows else []
    lines += ["## How it was measured", "", *bullets(summary.protocol(record))]
    lines += ["## Machine", "", *bullets(facts)]
    lines += ["## Files", "", *grid(benchmark_tables.files(record))]
    return "\n".join(lines).rstrip() + "\n"
