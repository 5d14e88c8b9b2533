"""A benchmark as one page of HTML: nothing outside it is needed, and no script.

It follows the reader's light or dark theme, and reads as well on a phone.
"""

from collections.abc import Mapping
from pathlib import Path

from mnist_edge.benchmark import Benchmark
from mnist_edge.report import advice, benchmark_tables, notes, plots, summary, verdict
from mnist_edge.report.formatting import count
from mnist_edge.report.html import predictions
from mnist_edge.report.html.elements import (
    Html,
    bullets,
    element,
    facts,
    paragraph,
    section,
    table,
)

_STYLE = Path(__file__).with_name("style.css")


def benchmark(record: Benchmark) -> str:
    """The whole page. MissingExtraError without matplotlib, which draws its charts."""
    title = f"mnist-edge bench on {record.machine.cpu}"
    head = element(
        "head",
        element("meta", {"charset": "utf-8"}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("title", title),
        element("style", _style()),
    )
    body = element("body", element("main", *_parts(record)))
    return f"<!doctype html>\n{element('html', {'lang': 'en'}, head, body)}\n"


def _style() -> Html:
    light, dark = (_variables(theme.variables()) for theme in (plots.LIGHT, plots.DARK))
    themes = f":root{{{light}}}\n@media (prefers-color-scheme: dark){{:root{{{dark}}}}}\n"
    return Html(themes + _STYLE.read_text())


def _variables(values: Mapping[str, str]) -> str:
    return ";".join(f"{name}:{value}" for name, value in values.items())


def _parts(record: Benchmark) -> list[Html]:
    return [
        _header(record),
        _verdict(record),
        _advice(record),
        section(
            "Measured",
            table(benchmark_tables.quality(record), "What each answers, and how it starts"),
            table(benchmark_tables.speed(record), "How fast each answers, and what that uses"),
            element("p", {"class": "note"}, " ".join(benchmark_tables.units(record))),
        ),
        *_charts(record),
        _kernels(record),
        section("What was misread", predictions.sections(record)),
        section("Every batch size", table(benchmark_tables.batches(record), _BATCHES)),
        section("How it was measured", bullets(summary.protocol(record))),
        section("How to read it", bullets(_READING)),
        _machine(record),
    ]


_BATCHES = (
    "All that was timed. Percentiles and max: µs a call; CPU: µs an image; spread: how far the "
    "rounds' medians lie apart, interquartile"
)
_READING = (
    "p50 is the median: half of the answers take no longer. p90 and p99 are what nine of ten, and "
    "99 of 100, stay within: they decide whether a device stutters.",
    "Accuracies whose intervals overlap may still differ: where two contenders answered the same "
    "images, the changed answers and McNemar's p tell more than the intervals.",
    "A ratio is steadier than either of its times: both came from the same rounds.",
    "Times hold for this machine. The order of the contenders may be another one on another CPU.",
)


def _header(record: Benchmark) -> Html:
    threads = count(record.plan.threads, "thread")
    text = f"{record.machine.cpu}, {threads}, onnxruntime {summary.runtime_version(record)}"
    when = f", {record.measured_at[:10]}" if record.measured_at else ""
    return element("header", element("h1", "mnist-edge bench"), paragraph(text + when))


def _verdict(record: Benchmark) -> Html:
    word, why = verdict.word_and_why(record.noise)
    kind = {"class": f"verdict {'trusted' if record.noise.trusted else 'noisy'}"}
    lines = [element("p", kind, element("strong", word), f": {why}.")]
    lines += [element("p", {"class": "verdict noisy"}, one) for one in notes.warnings(record)]
    lines += [element("p", {"class": "verdict"}, one) for one in notes.remarks(record)]
    return element("div", {"role": "note", "aria-label": "How far to trust it"}, *lines)


def _advice(record: Benchmark) -> Html:
    lines = advice.lines_or_why_not(record)
    return section("What to ship", *(element("p", {"class": "advice"}, line) for line in lines))


def _charts(record: Benchmark) -> list[Html]:
    narrow, wide = (plots.svg_elements(record, width) for width in (plots.NARROW, plots.WIDE))
    titles = ("Accuracy against latency", "Latencies")
    captions = (plots.accuracy_caption(record), plots.latencies_caption(record))
    return [
        section(title, _chart(title, caption, small, large))
        for title, caption, small, large in zip(titles, captions, narrow, wide, strict=True)
    ]


def _chart(title: str, caption: str, small: str | None, large: str | None) -> Html:
    """The same chart twice, of which the width of the page shows one."""
    drawn = [
        element(
            "div",
            {"class": f"chart {kind}", "role": "img", "aria-label": f"{title}: {caption}"},
            Html(svg),
        )
        for kind, svg in (("narrow", small), ("wide", large))
        if svg is not None
    ]
    return element("figure", *drawn, element("figcaption", caption))


def _kernels(record: Benchmark) -> Html:
    kernels = benchmark_tables.kernels(record)
    if not kernels.rows:
        return section("What ran", paragraph("None of these files ran in ONNX Runtime."))
    return section(
        "What ran",
        table(kernels, "The kernels that ONNX Runtime chose on this CPU, and what they compute"),
        element("p", {"class": "note"}, _KERNELS),
    )


_KERNELS = (
    "float ref.: answers that differ from those of the same graph with all optimizations off, in "
    "which nothing can saturate, and by how much logits differ at most. golden: answers that are "
    "those that the file gave where it was made."
)


def _machine(record: Benchmark) -> Html:
    return section(
        "Machine and versions",
        facts(summary.machine(record)),
        element("h3", "While it was timed"),
        facts(summary.noise(record)),
        element("h3", "Files"),
        table(benchmark_tables.files(record), "What was read, by its bytes"),
    )
