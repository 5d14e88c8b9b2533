"""The page, read by a parser that forgives nothing."""

import base64
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_edge import metrics
from mnist_edge.backends import Contender
from mnist_edge.backends.model_info import ImagesKey
from mnist_edge.benchmark import Benchmark, Score
from mnist_edge.benchmark.kernels import Deviation
from mnist_edge.datasets import Dataset, Split
from mnist_edge.host.noise import Noise
from mnist_edge.image_shape import ImageShape
from mnist_edge.metrics import Accuracy, Agreement
from mnist_edge.report import advice, benchmark_tables, plots
from mnist_edge.report import html as page
from mnist_edge.report.html import predictions
from mnist_edge.report.plots import DARK, LIGHT, Theme
from tests.report.records import INT8_FINDINGS, benchmark, entry, file, original
from tests.report.test_plots import contrast

pytest.importorskip("matplotlib")

EVIL = '<script>alert("1")</script>&amp;'
CLOSED = {"g", "path", "use", "rect"}  # as SVG may close them


@dataclass
class Node:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Node | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def all(self, *tags: str) -> Iterator["Node"]:
        for child in self.children:
            if isinstance(child, Node):
                if not tags or child.tag in tags:
                    yield child
                yield from child.all(*tags)


class Reader(HTMLParser):
    """Builds the tree; what is opened has to be closed, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = Node("root")
        self.open = [self.root]
        self.feed(html)
        self.close()
        assert self.open == [self.root], [node.tag for node in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), (tag, names)
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in ("meta", "img"):
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in CLOSED
        self.open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(record: Benchmark) -> Node:
    return Reader(page.benchmark(record)).root


def sections(root: Node) -> dict[str, Node]:
    return {next(one.all("h2")).text: one for one in root.all("section")}


def rows(found: Node) -> list[list[str]]:
    return [[cell.text for cell in row.all("th", "td")] for row in found.all("tr")]


@pytest.fixture(scope="module")
def record() -> Benchmark:
    return benchmark(
        entry(file("x/edge.onnx"), Accuracy(80, 100)),
        entry(original("runs/edge/checkpoint.pt"), Accuracy(80, 100), center_us=900),
        entry(
            file("x/edge-int8.onnx", precision="int8"),
            Accuracy(30, 100),
            change=Agreement(50, 0, 50, 100),
            center_us=40,
            seed=1,
        ),
    )


@pytest.fixture(scope="module")
def html(record: Benchmark) -> str:
    return page.benchmark(record)


@pytest.fixture(scope="module")
def root(html: str) -> Node:
    return Reader(html).root


@pytest.fixture
def without_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is not about charts: drawing them takes most of the time."""
    monkeypatch.setattr(plots, "svg_elements", lambda record, width: (None, None))


def test_it_is_one_document_that_needs_nothing_else(html: str, root: Node) -> None:
    assert html.startswith('<!doctype html>\n<html lang="en">')
    assert not list(root.all("script", "link", "iframe", "object"))
    for node in root.all():
        for name in ("src", "href", "xlink:href", "data", "poster", "srcset"):
            value = node.attributes.get(name, "#")
            assert value.startswith(("#", "data:image/png;base64,"))
        assert not [name for name in node.attributes if name.startswith("on")]
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "@import" not in html
    assert "@font-face" not in html


def test_nobodys_paths_are_told(html: str) -> None:
    assert str(Path.cwd()) not in html
    assert "runs/edge" not in html


def test_ids_are_unique_and_what_refers_to_one_finds_it(root: Node) -> None:
    ids = [node.attributes["id"] for node in root.all() if "id" in node.attributes]
    assert len(set(ids)) == len(ids)
    referred = {node.attributes["href"][1:] for node in root.all() if "href" in node.attributes}
    assert referred
    assert referred <= set(ids)


def test_headings_tables_and_images_make_sense_to_a_screen_reader(root: Node) -> None:
    levels = [int(node.tag[1]) for node in root.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for found in root.all("table"):
        assert next(found.all("caption")).text
        assert {head.attributes["scope"] for head in found.all("th")} == {"col", "row"}
        widths = {len(list(row.all("th", "td"))) for row in found.all("tr")}
        assert len(widths) == 1
    for image in root.all("img"):
        assert image.attributes["alt"]
    for box in root.all("div"):
        if box.attributes.get("class") == "scroll":
            assert box.attributes["tabindex"] == "0"
        if box.attributes.get("role") in ("img", "region", "note"):
            assert box.attributes["aria-label"]


def test_the_tables_are_those_of_the_terminal(root: Node, record: Benchmark) -> None:
    first, second = sections(root)["Measured"].all("table")
    (third,) = sections(root)["What ran"].all("table")
    made = (benchmark_tables.quality, benchmark_tables.speed, benchmark_tables.kernels)
    for found, table in zip((first, second, third), made, strict=True):
        shown = table(record)
        assert rows(found) == [list(shown.columns), *map(list, shown.rows)]
    for line in benchmark_tables.units(record):
        assert line in " ".join(sections(root)["Measured"].text.split())


def test_every_batch_size_has_a_row(root: Node, record: Benchmark) -> None:
    header, *body = rows(next(sections(root)["Every batch size"].all("table")))
    assert [row[:3] for row in body] == [
        [name, size, calls]
        for name in ("edge.onnx", "tiny in pytorch", "edge-int8.onnx")
        for size, calls in (("1", "700"), ("64", "64"))
    ]
    cells = dict(zip(header, body[0], strict=True))
    latency = record.entries[0].batches[1].samples_us
    assert cells["p50"] == f"{np.percentile(latency, 50):.0f}"
    assert cells["max"] == f"{latency.max():.0f}"


def test_advice_machine_and_protocol_are_told(root: Node, record: Benchmark) -> None:
    found = sections(root)
    for line in advice.lines(record):
        assert line in found["What to ship"].text
    facts = {
        next(pair.all("dt")).text: next(pair.all("dd")).text
        for pair in found["Machine and versions"].all("div")
        if list(pair.all("dt"))
    }
    assert facts["CPU"] == "Some CPU"
    assert facts["numpy"] == "2.0"
    assert facts["Python"] == "3.12.1"
    assert "700 calls of 1 image in 20 rounds" in found["How it was measured"].text
    assert "ab" * 32 in found["Machine and versions"].text


def test_charts_are_drawn_for_a_phone_and_for_a_screen(root: Node) -> None:
    for title in ("Accuracy against latency", "Latencies"):
        drawn = [
            box.attributes["class"]
            for box in sections(root)[title].all("div")
            if list(box.all("svg"))
        ]
        assert drawn == ["chart narrow", "chart wide"]
        assert next(sections(root)[title].all("figcaption")).text


def test_contenders_that_answer_alike_share_their_part(root: Node) -> None:
    parts = list(sections(root)["What was misread"].all("details"))
    assert [next(part.all("summary")).text for part in parts] == [
        "edge.onnx and tiny in pytorch: 20 of 100 misread, the same ones",
        "edge-int8.onnx: 70 of 100 misread",
    ]
    assert ["open" in part.attributes for part in parts] == [True, False]


def test_the_confusion_is_the_matrix(root: Node, record: Benchmark) -> None:
    part = next(sections(root)["What was misread"].all("details"))
    header, *body = rows(next(part.all("table")))
    score = record.entries[0].score
    assert score
    truth = record.data[ImagesKey("digits")].test.labels
    counts = metrics.confusion(score.logits.argmax(axis=1), truth, 10)
    assert header == ["label", *"0123456789", "recall"]
    assert [row[1:-1] for row in body] == [[str(count) for count in row] for row in counts]
    recall = np.diag(counts) / counts.sum(axis=1)
    assert [row[-1] for row in body] == [f"{value * 100:.1f} %" for value in recall]
    hot = [cell for cell in part.all("td") if cell.attributes.get("class") == "wrong"]
    assert len(hot) == np.count_nonzero(counts - np.diag(np.diag(counts)))


def test_misread_images_come_with_the_surest_first(root: Node, record: Benchmark) -> None:
    for part, at, shown in zip(
        sections(root)["What was misread"].all("details"), (0, 2), (20, 60), strict=True
    ):
        score = record.entries[at].score
        assert score
        test = record.data[ImagesKey("digits")].test
        figures = list(part.all("figure"))
        assert len(figures) == shown == min(shown, predictions.MOST_MISREAD)
        certain = metrics.softmax(score.logits).max(axis=1)
        places = []
        for figure in figures:
            image = next(figure.all("img")).attributes
            place = int(image["alt"].removeprefix("test image "))
            content = base64.b64decode(image["src"].partition(",")[2])
            with Image.open(io.BytesIO(content)) as opened:
                assert np.array_equal(np.asarray(opened), test.images[place])
            answer, label = score.logits[place].argmax(), test.labels[place]
            assert answer != label
            assert next(figure.all("figcaption")).text.startswith(f"{label} read {answer} (")
            places.append(place)
        assert len(set(places)) == shown
        assert list(certain[places]) == sorted(certain[places], reverse=True)
        left_out = set(np.flatnonzero(score.logits.argmax(axis=1) != test.labels)) - set(places)
        assert all(certain[list(left_out)] <= certain[places].min())
    assert "60 of 70, those read with" in root.text


def test_how_sure_an_answer_was_is_never_rounded_to_certainty() -> None:
    logits = np.array([[0, 1.6], [0, 12], [np.nan, 0]], np.float32)
    html = predictions.sections(scored(logits, np.array([0, 0, 1]), ("no", "yes")))
    assert re.findall(r"<figcaption>(.*?)</figcaption>", html) == [
        "no read yes (&gt;99\u00a0%)",
        "no read yes (83\u00a0%)",
        "yes read no (not a number)",
    ]


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        (ImageShape(28, 28), (84, 84)),
        (ImageShape(32, 32, 3), (96, 96)),
        (ImageShape(24, 40, 3), (80, 48)),
        (ImageShape(96, 64, 3), (64, 96)),
    ],
)
def test_images_of_any_shape_are_shown_with_their_aspect(
    shape: ImageShape, shown: tuple[int, int]
) -> None:
    """In colour, and in whole pixels for each of their own."""
    images = np.random.default_rng(0).integers(0, 256, (1, *shape.dims), np.uint8)
    html = predictions.sections(scored(np.eye(2)[:1], np.array([1]), ("cat", "ship"), images))
    (source, width, height) = re.findall(
        r'<img src="data:image/png;base64,([^"]*)" [^>]*width="(\d+)" height="(\d+)"', html
    )[0]
    assert (int(width), int(height)) == shown
    with Image.open(io.BytesIO(base64.b64decode(source))) as opened:
        np.testing.assert_array_equal(opened, images[0])


def scored(
    logits: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
    images: np.ndarray | None = None,
) -> Benchmark:
    """One contender, and its answers to a set of its own."""
    if images is None:
        images = np.zeros((len(labels), 28, 28), np.uint8)
    split = Split(images, labels.astype(np.int64))
    right = metrics.accuracy(logits.argmax(axis=1), split.labels)
    made = entry(file("a.onnx"), score=Score(logits.astype(np.float32), right, 0.01, None))
    return benchmark(
        made, data={ImagesKey("digits"): Dataset("own", classes, split, split, "made")}
    )


def test_without_a_mistake_no_image_is_shown() -> None:
    html = predictions.sections(scored(np.eye(3) * 5, np.arange(3), ("a", "b", "c")))
    assert "No test image was misread." in html
    assert "<img" not in html


def test_a_confusion_of_very_many_classes_lists_the_commonest_mistakes() -> None:
    labels = np.arange(30)
    logits = np.eye(30)[np.where(labels % 2, labels, (labels + 1) % 30)] * 5
    html = predictions.sections(scored(logits, labels, tuple(f"class {at}" for at in range(30))))
    found = rows(next(Reader(html).root.all("table")))
    assert found[0] == ["label", "read as", "images"]
    assert found[1:] == [[f"class {at}", f"class {at + 1}", "1"] for at in range(0, 30, 2)]


def test_a_class_without_images_has_no_recall() -> None:
    html = predictions.confusion(("a", "b"), np.array([[3, 1], [0, 0]]))
    assert [row[-1] for row in rows(Reader(html).root)] == ["recall", "75.0 %", "-"]


def test_without_data_the_page_says_so() -> None:
    root = read(benchmark(entry(file("edge.onnx"), recorded=True)))
    assert "No data set is here" in sections(root)["What was misread"].text
    assert "Accuracies marked *" in root.text
    assert list(root.all("svg"))


def test_whoever_chose_the_names_they_are_only_text() -> None:
    classes = (EVIL, *"12345678", "<b>")
    base = benchmark(entry(file(f"x/{EVIL.replace('/', '')}.onnx"), Accuracy(80, 100)))
    known = replace(base.data[ImagesKey("digits")], classes=classes, name=EVIL)
    record = replace(
        base,
        data={ImagesKey("digits"): known},
        images=EVIL,
        machine=replace(base.machine, cpu=EVIL),
        missing=(EVIL,),
        noise=Noise(spread={EVIL: 0.9}),
    )
    root = read(record)
    assert not list(root.all("script", "b"))
    assert EVIL in root.text
    assert f"{EVIL} read 1" in root.text


@pytest.mark.usefixtures("without_charts")
def test_noise_and_whatever_else_spoils_the_figures_is_said_at_the_top(root: Node) -> None:
    saturating = replace(INT8_FINDINGS, deviation=Deviation(500, 7, 9.5, 0.09))
    spoilt = read(
        benchmark(
            entry(file("edge-int8.onnx", precision="int8"), findings=saturating),
            noise=Noise(steal=0.2, throttled=3),
            missing=("ncnn is not installed: pip install ncnn",),
            stopped=True,
        )
    )
    (box,) = (one for one in spoilt.all("div") if one.attributes.get("role") == "note")
    said = [line.text for line in box.all("p")]
    assert said[0].startswith("Noisy: the host gave 20 %")
    assert "the CPU quota stopped it 3 times" in said[0]
    assert "edge-int8.onnx computes wrongly on this CPU: 7 of 500" in said[1]
    assert any("stopped before all was measured" in line for line in said)
    assert "ncnn is not installed: pip install ncnn" in said
    (quiet,) = (one for one in root.all("div") if one.attributes.get("role") == "note")
    assert [line.text for line in quiet.all("p")] == [
        "Trusted: nothing that can be read of this machine disturbed the timing."
    ]


@pytest.mark.usefixtures("without_charts")
def test_optional_runs_are_explained_where_they_were_made() -> None:
    base = benchmark(entry(file("edge.onnx"), Accuracy(90, 100)))
    assert "paced" not in sections(read(base))["How it was measured"].text
    plan = replace(base.plan, rate_hz=20.0, cold=True, threads=2)
    told = sections(read(replace(base, plan=plan, energy_why_not=None)))["How it was measured"].text
    assert "at 20 Hz" in told
    assert "fresh process" in told
    assert "2 threads" in told
    assert "Energy was not" not in told


@pytest.mark.usefixtures("without_charts")
def test_runtimes_alone_ran_nothing_in_onnx_runtime() -> None:
    root = read(benchmark(entry(original("runs/edge/checkpoint.pt"), Accuracy(90, 100))))
    assert "None of these files ran in ONNX Runtime." in sections(root)["What ran"].text
    assert "No file was measured in ONNX Runtime" in sections(root)["What to ship"].text


def test_a_page_of_eight_contenders_is_small() -> None:
    contenders: list[Contender] = [file(f"{at}.onnx", family=str(at)) for at in range(8)]
    made = [
        entry(one, Accuracy(9900 - at, 10_000), count=20_000, center_us=50.0 * 2**at, seed=at)  # type: ignore[arg-type]
        for at, one in enumerate(contenders)
    ]
    assert len(page.benchmark(benchmark(*made)).encode()) < 1_500_000


@pytest.mark.usefixtures("without_charts")
def test_the_page_is_the_same_bytes_each_time(record: Benchmark) -> None:
    assert page.benchmark(record) == page.benchmark(record)


@pytest.mark.parametrize(("theme", "at"), [(LIGHT, 0), (DARK, 1)])
def test_every_text_has_the_contrast_that_wcag_asks_for(theme: Theme, at: int) -> None:
    style = (Path(page.__file__).parent / "style.css").read_text()

    def colour(name: str) -> str:
        return str(re.findall(rf"--{name}: ([^;]+);", style)[at])

    for name in ("good", "bad"):
        assert contrast(colour(name), colour("soft")) >= 4.5
    assert contrast(theme.ink, colour("soft")) >= 4.5
    html = predictions.confusion(("a", "b"), np.array([[0, 99], [1, 0]]))
    hottest = max(float(heat) for heat in re.findall(r"--heat:([\d.]+)", html))
    over = np.array([int(part) for part in colour("heat-colour").split()])
    under = np.array([int(theme.paper[place : place + 2], 16) for place in (1, 3, 5)])
    blended = (hottest * over + (1 - hottest) * under).round().astype(int)
    assert contrast(theme.ink, "#{:02x}{:02x}{:02x}".format(*blended)) >= 4.5
