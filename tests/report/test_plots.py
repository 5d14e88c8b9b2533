"""The charts, drawn for real and read again."""

import re
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_edge.benchmark import Benchmark
from mnist_edge.benchmark.latency import Latency
from mnist_edge.errors import EdgeError, MissingExtraError
from mnist_edge.metrics import Accuracy
from mnist_edge.report import plots
from mnist_edge.report.plots import accuracy, common, latencies
from mnist_edge.report.plots.theme import DARK, LIGHT, Theme
from tests.report.records import benchmark, entry, file, original

matplotlib = pytest.importorskip("matplotlib")

NAMES = ["edge.onnx", "edge-int8.onnx", "tiny in pytorch", "cost$5$_^.onnx"]


@pytest.fixture(scope="module")
def record() -> Benchmark:
    return benchmark(
        entry(file("x/edge.onnx"), Accuracy(9967, 10000), center_us=97),
        entry(file("x/edge-int8.onnx", precision="int8"), Accuracy(9963, 10000), center_us=88),
        entry(original("runs/edge/checkpoint.pt"), Accuracy(9967, 10000), center_us=1082),
        entry(file("x/cost$5$_^.onnx", family="b"), Accuracy(9893, 10000), center_us=50),
    )


def texts(svg: str) -> list[str]:
    """What can be read in a picture; fails where it is not well-formed."""
    found = ElementTree.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '))
    return ["".join(node.itertext()) for node in found.iter() if node.tag.endswith("}text")]


@pytest.fixture(scope="module")
def drawn(record: Benchmark) -> dict[int, list[str]]:
    """Both charts at both widths."""
    return {width: both(record, width) for width in (plots.NARROW, plots.WIDE)}


def both(record: Benchmark, width: int = plots.NARROW) -> list[str]:
    first, second = plots.svg_elements(record, width)
    assert first is not None
    assert second is not None
    return [first, second]


Drawn = dict[int, list[str]]


@pytest.mark.parametrize("width", [plots.NARROW, plots.WIDE])
def test_every_contender_is_named_in_both_charts(drawn: Drawn, width: int) -> None:
    first, second = drawn[width]
    assert set(NAMES) <= set(texts(second))
    on_a_phone = ["edge", "edge-int8", "tiny", "cost$5$_^"]
    assert set(NAMES if width == plots.WIDE else on_a_phone) <= set(texts(first))


@pytest.mark.parametrize("width", [plots.NARROW, plots.WIDE])
def test_texts_are_large_enough_for_a_phone_and_in_the_font_of_the_page(
    drawn: Drawn, width: int
) -> None:
    for svg in drawn[width]:
        sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", svg)]
        assert min(sizes) >= 11
        assert set(re.findall(r"font-family: ([^;\"]*)", svg)) == {"inherit"}
        box = re.search(r'viewBox="0 0 ([\d.]+) ', svg)
        assert box
        assert float(box[1]) == width


def test_every_colour_is_a_variable_of_the_page(drawn: Drawn) -> None:
    for svg in drawn[plots.WIDE]:
        used = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", svg))
        assert used <= {f"var({name})" for name in LIGHT.variables()} | {"none"}
        assert "var(--data-0)" in used
        assert "#" not in svg.replace('href="#', "").replace("url(#", "")


def test_elements_can_stand_together_in_one_page(drawn: Drawn) -> None:
    every = [svg for both in drawn.values() for svg in both]
    ids = [name for svg in every for name in re.findall(r' id="([^"]*)"', svg)]
    assert ids
    assert len(set(ids)) == len(ids)
    for svg in every:
        own = set(re.findall(r' id="([^"]*)"', svg))
        assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', svg)) == own
        assert "<style" not in svg


def test_a_chart_is_the_same_bytes_whoever_draws_it(
    record: Benchmark, drawn: Drawn, tmp_path: Path
) -> None:
    plots.benchmark(record, tmp_path / "a.svg")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert both(record) == drawn[plots.NARROW]
        plots.benchmark(record, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_picture_has_two_pixels_for_one_on_white_paper(record: Benchmark, tmp_path: Path) -> None:
    plots.benchmark(record, tmp_path / "bench.PNG")
    with Image.open(tmp_path / "bench.PNG") as image:
        assert image.format == "PNG"
        assert image.width == 2 * plots.WIDE
        assert image.convert("RGB").getpixel((2, image.height - 3)) == (255, 255, 255)
        assert len(image.convert("RGB").getcolors(1 << 24) or ()) > 20


def test_a_file_says_what_it_was_measured_on_and_is_well_formed(
    record: Benchmark, tmp_path: Path
) -> None:
    plots.benchmark(record, tmp_path / "bench.svg")
    svg = (tmp_path / "bench.svg").read_text()
    found = " ".join(texts(svg.replace(' xmlns="http://www.w3.org/2000/svg"', "")))
    assert "Some CPU, 1 thread, 2026-11-22; trusted" in found
    assert all(name in found for name in NAMES)


@pytest.mark.parametrize("name", ["bench.pdf", "bench", "png"])
def test_another_suffix_is_refused(record: Benchmark, tmp_path: Path, name: str) -> None:
    with pytest.raises(EdgeError, match=rf"cannot draw {name}: its name has to end in \.png or"):
        plots.benchmark(record, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_extra_is_named(
    record: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mnist-edge\[report\]'"):
        plots.benchmark(record, tmp_path / "bench.png")
    with pytest.raises(MissingExtraError):
        plots.svg_elements(record, plots.WIDE)
    with pytest.raises(MissingExtraError):
        plots.require_matplotlib()


def test_the_front_is_what_no_other_beats(record: Benchmark) -> None:
    random = np.random.default_rng(1)
    some = accuracy.points(record)[0]
    every = [
        replace(some, p50_us=float(x), accuracy=Accuracy(int(y), 10000))
        for x, y in random.integers(1, 30, (40, 2))
    ]
    found = {(one.p50_us, one.percent) for one in accuracy.pareto_front(every)}
    unbeaten = {
        (one.p50_us, one.percent)
        for one in every
        if not any(
            (other.p50_us <= one.p50_us and other.percent > one.percent)
            or (other.p50_us < one.p50_us and other.percent >= one.percent)
            for other in every
        )
    }
    assert found == unbeaten
    speeds = [one.p50_us for one in accuracy.pareto_front(every)]
    assert speeds == sorted(speeds)


def test_who_has_no_accuracy_or_too_few_samples_is_left_out_and_named() -> None:
    record = benchmark(
        entry(file("good.onnx")),
        entry(file("foreign.onnx", recorded=None), score=None),
        entry(file("brief.onnx"), count=10),
    )
    assert [point.name for point in accuracy.points(record)] == ["good.onnx"]
    caption = plots.accuracy_caption(record)
    assert caption.endswith("of samples: foreign.onnx, brief.onnx.")
    assert "foreign" not in "".join(texts(both(record)[0]))
    assert "Left out" not in plots.accuracy_caption(benchmark(entry(file("good.onnx"))))


def test_with_nothing_to_draw_there_is_no_chart(tmp_path: Path) -> None:
    nothing = benchmark(entry(file("foreign.onnx", recorded=None), score=None, batches={}))
    assert plots.svg_elements(nothing, plots.WIDE) == (None, None)
    assert plots.accuracy_caption(nothing).startswith("Nothing to draw")
    assert plots.latencies_caption(nothing).startswith("Nothing to draw")
    plots.benchmark(nothing, tmp_path / "empty.png")


def test_a_name_that_finds_no_room_beside_its_mark_has_a_line_to_it() -> None:
    crowd = [entry(file(f"contender-{at}.onnx"), center_us=60.0 + at / 99) for at in range(9)]
    figure = common.new_figure(plots.NARROW, 420)
    accuracy.draw(figure, benchmark(*crowd), plots.NARROW, LIGHT)
    texts = figure.axes[0].texts
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    assert len(boxes) == 9
    assert any(not text.get_text() for text in texts)  # a line has no words
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_no_sample_is_clipped_however_slow() -> None:
    samples = np.full(700, 60.0)
    samples[123], samples[456] = 1e6, 2.5
    batches = {1: Latency(samples, np.array([700]))}
    record = benchmark(entry(file("edge.onnx"), batches=batches), entry(file("b.onnx")))
    figure = common.new_figure(plots.WIDE, 300)
    latencies.draw(figure, record, plots.WIDE, LIGHT)
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    assert low < 2.5
    assert high > 1e6
    drawn = np.concatenate([np.asarray(line.get_xdata(), float) for line in axes.lines])
    assert {2.5, 1e6} <= set(drawn)
    assert "p50 60 µs, max 1 s" in {text.get_text() for text in axes.texts}


def test_long_names_keep_their_ends_and_crowd_out_nothing() -> None:
    long = "a-very-long-name-of-a-file-" * 4 + "end.onnx"
    figure = common.new_figure(plots.NARROW, 300)
    latencies.draw(figure, benchmark(entry(file(long))), plots.NARROW, LIGHT)
    shown = next(text for text in figure.axes[0].texts if "…" in text.get_text())
    assert shown.get_text().startswith("a-very")
    assert shown.get_text().endswith("end.onnx")
    assert shown.get_window_extent().width <= plots.NARROW


@pytest.mark.parametrize("times", [[90.0, 110.0], [60.0, 60.0], [50.0, 1082.0, 1900.0], [3, 9e6]])
@pytest.mark.parametrize("width", [plots.NARROW, plots.WIDE])
def test_an_axis_of_time_has_a_few_round_ticks(times: list[float], width: int) -> None:
    axes = common.new_axes(common.new_figure(width, 200), LIGHT)
    common.set_time_axis(axes, times, width)
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert low < min(times) <= max(times) < high
    assert 2 <= len(ticks) <= width // 40
    labels = [common.duration(tick) for tick in ticks]
    assert len(set(labels)) == len(labels)
    assert max(map(len, labels)) <= 7


@pytest.mark.parametrize(
    ("value_us", "expected"),
    [
        (0.5, "0.5 µs"),
        (97.13, "97.1 µs"),
        (999.4, "999 µs"),
        (999.9, "1 ms"),
        (1082, "1.08 ms"),
        (4e6, "4 s"),
    ],
)
def test_durations_are_short(value_us: float, expected: str) -> None:
    assert common.duration(value_us) == expected


def test_families_have_colours_and_runtimes_shapes() -> None:
    record = benchmark(
        entry(file("a.onnx", family="a")),
        entry(file("a.onnx", "openvino", family="a")),
        entry(file("b.onnx", "ncnn", family="b")),
        entry(file("c.onnx", "litert", family="c")),
    )
    colours, markers = common.family_colours(record, LIGHT), common.runtime_markers(record)
    assert len(set(colours.values())) == len(colours) == 3
    shapes = [markers[one.contender.runtime] for one in record.entries]
    assert len(set(shapes)) == 4


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance of #rrggbb."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_marks_and_texts_stand_out_from_the_paper(theme: Theme) -> None:
    assert all(contrast(colour, theme.paper) >= 3 for colour in theme.data)
    assert contrast(theme.quiet, theme.paper) >= 4.5
    assert contrast(theme.ink, theme.paper) >= 7
    assert len(set(theme.data)) == len(LIGHT.data) == len(DARK.data)
