import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from scipy.stats import binomtest
from sklearn.metrics import classification_report

from mnist_edge.errors import EdgeError, ModelError
from mnist_edge.files import sha256
from mnist_edge.fingerprint import Fingerprint, SplitDigest
from mnist_edge.image_shape import Fit, ImageShape
from mnist_edge.metrics import Accuracy, Threshold
from mnist_edge.model_file import card_files
from mnist_edge.model_file.card_files import FileFacts
from mnist_edge.model_file.contract import Card
from mnist_edge.model_file.golden import Golden
from mnist_edge.model_file.manifest import MANIFEST, RecordedLatency, to_text, with_latency
from mnist_edge.report import model_card as cards
from mnist_edge.report.model_card import render
from tests.conftest import make_card, write_tiny_model
from tests.model_file.test_manifest import TIMED

EXPORTED = Path(__file__).parents[2] / "exported"
FACTS = FileFacts("tiny.onnx", 318_123, "ab" * 32)
CONFUSION = ((40, 3, 0), (0, 50, 5), (0, 2, 0))
FULL = make_card(
    classes=("a", "b", "c"),
    dataset="mnist",
    accuracy=Accuracy(90, 100),
    original_accuracy=Accuracy(91, 100),
    confusion=CONFUSION,
    licence="MIT",
    threshold=Threshold(0.9876, 80, 79, 90),
    golden=Golden("a generator", "0" * 64, 0.001, ((1.5, -2.0, 0.0),)),
    trained={"recipe": {"epochs": 3, "outlier_share": 0.1}, "seed": 5, "device": "cpu"},
)
INT8 = replace(
    FULL,
    precision="int8",
    source_sha256="1" * 64,
    original_sha256="2" * 64,
    calibration={"method": "minmax", "images": 512, "weight_bits": 7},
)
OLD = make_card()
CARDS = {"fp32": FULL, "int8": INT8, "old": OLD}
MARKDOWN = MarkdownIt("commonmark").enable("table")


def cells(text: str) -> list[list[str]]:
    """The rows of all tables, as a reader sees them."""
    rows: list[list[str]] = []
    tokens = MARKDOWN.parse(text)
    for before, token in pairwise(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif before.type in ("th_open", "td_open"):
            rows[-1].append("".join(part.content for part in token.children or []))
    return rows


def pairs(text: str) -> dict[str, str]:
    return {row[0]: row[1] for row in cells(text) if len(row) == 2}


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
@pytest.mark.parametrize("latency", [None, TIMED])
def test_a_card_has_no_json_nothing_empty_and_tables_that_are_tables(
    card: Card, latency: RecordedLatency | None
) -> None:
    text = render(card, replace(FACTS, latency=latency))
    assert text == render(card, replace(FACTS, latency=latency))
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    assert not re.search(r'[{}]|None|\bnan\b|"', outside)
    assert not re.search(r"^#.*\n+(#|\Z)", text, re.M)  # no empty section
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.M)
    for table in tables:
        bars = [[at for at, sign in enumerate(line) if sign == "|"] for line in table.splitlines()]
        assert all(found == bars[0] for found in bars)
    assert len(tables) == [token.type for token in MARKDOWN.parse(text)].count("table_open")


def test_accuracies_have_their_wilson_intervals_and_their_difference() -> None:
    text = render(FULL, FACTS)
    found = {row[0]: row[1:] for row in cells(text)}
    for name, correct in (("this file", 90), ("its original in PyTorch", 91)):
        wilson = binomtest(correct, 100).proportion_ci(0.95, "wilson")
        interval = f"{wilson.low * 100:.2f}-{wilson.high * 100:.2f}"
        assert found[name] == [f"{correct:.2f} %", interval, f"{correct} of 100"]
    assert "It classifies 1 fewer image correctly than its original (-1.00 points)." in text
    better = replace(FULL, original_accuracy=Accuracy(80, 100))
    told = "It classifies 10 more images correctly than its original (+10.00 points)."
    assert told in render(better, FACTS)
    same = replace(FULL, original_accuracy=FULL.accuracy)
    assert "It classifies as many images correctly as its original." in render(same, FACTS)


def test_the_figures_of_each_class_are_those_of_scikit_learn() -> None:
    labels = np.repeat([0, 0, 0, 1, 1, 1, 2, 2, 2], np.ravel(CONFUSION))
    answers = np.repeat([0, 1, 2] * 3, np.ravel(CONFUSION))
    report = classification_report(
        labels, answers, target_names=FULL.classes, digits=3, zero_division=0
    )
    theirs = [line.split() for line in report.splitlines() if line]
    rows = [row for row in cells(render(FULL, FACTS)) if len(row) == 5]
    assert [" ".join(row).split() for row in rows] == [["class", *theirs[0]], *theirs[1:]]


def test_what_a_file_is_where_it_comes_from_and_how_it_was_made() -> None:
    text = render(INT8, FACTS)
    found = pairs(text)
    assert "# tiny.onnx\n" in text
    assert found["size"] == "318 kB (318,123 bytes)"
    assert (found["parameters"], found["3 classes"]) == ("7,850", "a, b, c")
    assert found["data set"].startswith("mnist: handwritten digits")
    assert found["SHA-256 of this file"] == "ab" * 32
    assert found["of the fp32 file that it was made from"] == "1" * 64
    assert found["of the PyTorch checkpoint before that"] == "2" * 64
    assert found["epochs"] == "3"
    assert found["calibrated on"] == "512 training images"
    assert "temperature of 1.000" in text
    assert "An answer is sure from a probability of 0.9876 on: 80 of 90 validation images" in text
    assert "7 of 8 bits" in text
    assert "MIT, as mnist-edge" in text
    fp32 = pairs(render(FULL, FACTS))
    assert fp32["of the PyTorch checkpoint that it was made from"] == "0" * 64
    assert "## Quantization" not in render(FULL, FACTS)


def test_an_older_file_says_what_it_does_not_know() -> None:
    text = render(OLD, FACTS)
    assert "The per-class figures are not in this file: `mnist-edge eval` prints them." in text
    assert "No threshold is in this file" in text
    assert "This file names none" in text
    assert "golden" not in text
    assert "Its speed has not been recorded: `mnist-edge bench --record` does it." in text


def test_limits_follow_from_the_metadata() -> None:
    shown, never = render(FULL, FACTS), render(replace(FULL, trained={"seed": 0}), FACTS)
    assert "Some of its training images were no digits" in shown
    assert "It was never shown anything else" in never
    digest = SplitDigest(9, "0" * 64)
    of_none = Fingerprint(digest, digest, digest, outliers=digest)
    own = render(replace(FULL, trained={"seed": 0}, fingerprint=of_none), FACTS)
    assert "Some of its training images were no digits" in own
    assert "It was never shown anything else" not in own
    assert "100 test images are few" in shown
    many = replace(OLD, accuracy=Accuracy(9_000, 10_000))
    assert "test images are few" not in render(many, FACTS)
    assert "In int8" not in shown
    assert "7 of 8 bits" not in render(replace(INT8, calibration={"method": "minmax"}), FACTS)


def test_a_latency_says_on_what_and_how_far_to_believe_it() -> None:
    noisy = replace(TIMED, verdict="noisy: 50 % of the CPU", batch=8)
    text = render(FULL, replace(FACTS, latency=TIMED))
    found, other = pairs(text), pairs(render(FULL, replace(FACTS, latency=noisy)))
    assert found["latency, one image a call"] == "p50 84 µs, p90 92 µs"
    assert other["latency, 8 images a call"] == "p50 84 µs, p90 92 µs"
    assert (found["threads"], found["CPU"]) == ("2", "Größter CPU")
    assert found["onnxruntime"] == "1.31.1"
    assert found["timed calls"] == "700"
    assert found["measured"].startswith("2026-11-22 14:25:20 UTC")
    assert (found["the timing was"], other["the timing was"]) == (
        "trusted",
        "noisy: 50 % of the CPU",
    )
    assert "not been recorded" not in text
    few = replace(TIMED, p50_us=None, p90_us=None)
    told = pairs(render(FULL, replace(FACTS, latency=few)))
    assert told["latency, one image a call"] == "too few calls to tell"


def test_names_are_nothing_but_text() -> None:
    names = ("a|b", "<b>no</b>", "*x* _y_ `z`", "[l](http://x)", "お", "1. # ~~q~~ &amp;", "\\|")
    counts = np.diag(np.full(len(names), 10))
    counts[0, 1] = 30
    card = make_card(
        classes=names,
        model="m|_o_*",
        dataset="folder:my `set` <i>",
        confusion=tuple(map(tuple, counts.tolist())),
        trained={"recipe": {"a|b": "<c>"}, "device": "x|y\nz"},
        accuracy=Accuracy(70, 100),
    )
    text = render(card, replace(FACTS, name="my*file*.onnx"))
    rows = cells(text)
    assert [row[0] for row in rows if len(row) == 5][1 : 1 + len(names)] == list(names)
    found = pairs(text)
    assert found["7 classes"] == ", ".join(names)
    assert found["data set"] == "folder:my `set` <i>"
    assert found["a|b"] == "<c>"
    assert found["device"] == "x|y z"
    assert not [token for token in MARKDOWN.parse(text)[1:] if token.type == "html_block"]


def test_very_many_classes_are_not_all_listed() -> None:
    card = make_card(classes=tuple(f"c{at}" for at in range(1234)))
    assert pairs(render(card, FACTS))["1,234 classes"].endswith(", c98, c99 and 1,134 more")


COLOR, TALL = ImageShape(32, 32, 3), ImageShape(48, 24, 1)


@pytest.mark.parametrize(
    ("shape", "fit", "said"),
    [
        (COLOR, Fit.PAD, "the longer side becomes 32 pixels"),
        (COLOR, Fit.CROP, "the largest square in the middle"),
        (TALL, Fit.PAD, "the largest that fits into 24×48 pixels"),
        (TALL, Fit.CROP, "the largest part of its aspect in the middle"),
        (ImageShape(), Fit.ZERO_PAD, "28 pixels, and the aspect is kept"),
    ],
)
def test_a_card_speaks_of_its_own_shape_and_of_no_digits(
    shape: ImageShape, fit: Fit, said: str
) -> None:
    card = make_card(classes=tuple("abc"), dataset="folder:things", shape=shape, fit=fit)
    text = render(card, FACTS)
    assert f"A classifier of {shape} images into 3 classes" in text
    assert pairs(text)["input"].startswith(f"image: uint8 {shape.array}, raw ")
    assert said in text
    assert not re.search(r"\bdigits?\b|\bink, |= ink", text)
    if shape != ImageShape():
        assert "28" not in re.sub(r"28 %|0\.\d+", "", text)
    if shape.is_color:
        assert "grey" not in text.replace("a grey picture", "")


def test_the_class_that_is_read_worst_is_named() -> None:
    counts = ((90, 10, 0), (0, 99, 1), (20, 30, 50))
    card = make_card(classes=("a", "b", "c"), accuracy=Accuracy(239, 300), confusion=counts)
    assert "reads worst is c: 50.00 % of its 100 test images" in render(card, FACTS)
    assert "it is taken for b, 30 times" in render(card, FACTS)
    even = replace(card, confusion=((79, 21, 0), (20, 80, 0), (0, 20, 80)))
    assert "reads worst" not in render(even, FACTS)  # within chance


@pytest.mark.parametrize("shape", [ImageShape(), COLOR, TALL], ids=str)
def test_the_example_runs_with_onnxruntime_alone(tmp_path: Path, shape: ImageShape) -> None:
    card = make_card(classes=tuple("abc"), shape=shape, fit=Fit.PAD)
    path = write_tiny_model(tmp_path / 'my "tiny" one.onnx', card)
    (code,) = re.findall(r"^```python\n(.*?)^```$", cards.render_file(path), re.M | re.S)
    assert len([line for line in code.splitlines() if line]) == 6
    assert "mnist_edge" not in re.sub(r'"mnist_edge\.classes"', "", code)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"ORT_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    name, probability = done.stdout.split()
    assert name in "abc"
    assert float(probability) == pytest.approx(1 / 3, abs=1e-3)  # a linear model of a blank image


def test_a_file_alone_is_enough_and_its_manifest_adds_its_latency(tiny_model: Path) -> None:
    digest, manifest = sha256(tiny_model), tiny_model.with_name(MANIFEST)
    facts = FileFacts("tiny.onnx", tiny_model.stat().st_size, digest)
    assert cards.render_file(tiny_model) == render(make_card(), facts)
    for known, latency in ((digest, TIMED), ("0" * 64, None)):
        files = with_latency({"tiny.onnx": {"sha256": known}}, "tiny.onnx", TIMED)
        manifest.write_text(to_text(files), "utf-8")
        assert cards.render_file(tiny_model) == render(make_card(), replace(facts, latency=latency))
    manifest.write_text("{")
    with pytest.raises(EdgeError, match="cannot be read: repair or delete it"):
        cards.render_file(tiny_model)


def test_a_foreign_file_has_no_card(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_text("nothing")
    with pytest.raises(ModelError, match=r"x\.onnx is not an ONNX file"):
        cards.render_file(tmp_path / "x.onnx")


def test_only_our_own_cards_are_written_over(tmp_path: Path) -> None:
    path = card_files.card_path(tmp_path / "tiny.onnx")
    assert path == tmp_path / "tiny.md"
    card_files.check_replaceable(path)
    path.write_text(render(FULL, FACTS))
    card_files.check_replaceable(path)
    for content in ("# my notes\n", ""):
        path.write_text(content)
        with pytest.raises(EdgeError, match=r"tiny\.md is in the way of the model card"):
            card_files.check_replaceable(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(EdgeError, match=r"tiny\.md is in the way"):
        card_files.check_replaceable(path)


@pytest.mark.parametrize("path", sorted(EXPORTED.glob("*.onnx")), ids=lambda path: path.name)
def test_shipped_cards_say_what_their_files_and_the_manifest_say(path: Path) -> None:
    made = cards.render_file(path)
    assert card_files.card_path(path).read_text("utf-8") == made
    known = json.loads((EXPORTED / MANIFEST).read_text("utf-8"))["files"][path.name]
    assert known["sha256"] in made
