"""The Markdown report, as CommonMark's own reference reads it."""

from html import unescape

import pytest
from markdown_it import MarkdownIt

from mnist_edge.host.noise import Noise
from mnist_edge.metrics import Accuracy, Agreement
from mnist_edge.report import advice, benchmark_tables, markdown
from mnist_edge.report.markdown_elements import escape
from tests.report.records import benchmark, entry, file, original

READER = MarkdownIt("commonmark").enable("table")


def rows(told: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading, as a reader sees them."""
    tokens = READER.parse(told)
    start = next(at for at, token in enumerate(tokens) if token.content == heading)
    found: list[list[str]] = []
    for token in tokens[start:]:
        if token.type == "tr_open":
            found.append([])
        elif token.type == "inline" and found:
            found[-1].append("".join(part.content for part in token.children or ()))
        elif token.type == "table_close":
            return found
    raise AssertionError(f"no table below {heading}")


@pytest.fixture
def told() -> str:
    return markdown.benchmark(
        benchmark(
            entry(file("x/edge.onnx")),
            entry(original("runs/edge/checkpoint.pt"), center_us=900),
            entry(file("x/e_8_|.onnx", precision="int8"), change=Agreement(6, 1, 5, 10000), seed=1),
        )
    )


def test_the_tables_are_those_of_the_terminal(told: str) -> None:
    record = benchmark(
        entry(file("x/edge.onnx")),
        entry(original("runs/edge/checkpoint.pt"), center_us=900),
        entry(file("x/e_8_|.onnx", precision="int8"), change=Agreement(6, 1, 5, 10000), seed=1),
    )
    for heading, shown in (
        ("Accuracy and start", benchmark_tables.quality(record)),
        ("Speed", benchmark_tables.speed(record)),
        ("What ran", benchmark_tables.kernels(record)),
    ):
        header, *body = rows(told, heading)
        assert header == list(shown.columns)
        assert [[cell.strip() for cell in row] for row in body] == [list(row) for row in shown.rows]


def test_what_stands_indented_in_the_terminal_is_indented(told: str) -> None:
    names = [row[0] for row in rows(told, "Speed")[1:]]
    assert names == ["edge.onnx", "\u00a0\u00a0PyTorch original", "e_8_|.onnx"]


def test_verdict_advice_machine_and_hashes_are_told(told: str) -> None:
    text = " ".join(token.content for token in READER.parse(told) if token.type == "inline")
    assert told.startswith("# mnist-edge bench\n\n**Trusted: ")
    assert "CPU: Some CPU" in text
    assert "Python: 3.12.1" in text
    assert "measured at: 2026-11-22 05:00:00 UTC" in text
    assert ["edge.onnx", "318 kB", "ab" * 32] in rows(told, "Files")
    assert told.endswith("\n")
    assert not told.endswith("\n\n")


def test_every_line_of_advice_is_there() -> None:
    record = benchmark(
        entry(file("edge.onnx")),
        entry(file("edge-int8.onnx", precision="int8"), center_us=40, seed=1),
    )
    lines = advice.lines(record)
    assert lines
    said = [token.content for token in READER.parse(markdown.benchmark(record))]
    assert all(escape(line) in said for line in lines)


def test_a_noisy_machine_is_said_at_the_top() -> None:
    record = benchmark(entry(file("edge.onnx")), noise=Noise(steal=0.2))
    second = markdown.benchmark(record).splitlines()[2]
    assert second.startswith("**Noisy: the host gave 20 % of this machine's CPU time")


def test_without_files_of_onnx_runtime_nothing_ran_there() -> None:
    record = benchmark(entry(original("runs/edge/checkpoint.pt"), Accuracy(1, 2)))
    assert "What ran" not in markdown.benchmark(record)


@pytest.mark.parametrize(
    "name",
    [
        "plain.onnx",
        "a_b_c_.onnx",
        "_a_.onnx",
        "*a* **b**",
        "`code` ``",
        "<script>alert(1)</script>",
        "[link](http://example.org)",
        "![image](x)",
        "a | b",
        "a\\|b\\",
        "&lt;&amp;",
        "~~gone~~",
        "# heading",
        "- item",
        "+ item",
        "two\nlines",
        "http://example.org/a_b",
    ],
)
def test_names_are_nothing_but_text(name: str) -> None:
    wanted = f"<p>{' '.join(name.split())}</p>"
    assert unescape(READER.render(escape(name)).strip()) == wanted
