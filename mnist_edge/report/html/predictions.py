"""What contenders answered: confusion matrices, and the images that were misread."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_edge import metrics
from mnist_edge.benchmark import Benchmark, Score
from mnist_edge.datasets import Dataset
from mnist_edge.report import formatting
from mnist_edge.report import labels as names
from mnist_edge.report.grid import Grid
from mnist_edge.report.html.elements import (
    Html,
    caption_of,
    details,
    element,
    paragraph,
    scrolling,
    table,
)
from mnist_edge.report.table import mistakes

MOST_MISREAD = 60
_MOST_CLASSES = 24  # more of them are a list of the commonest mistakes
_SIDE = 84  # pixels: three for each of an image's own
_DARKEST = 0.45  # below it, ink stays readable on the heat in both themes


@dataclass(frozen=True, slots=True)
class _Group:
    """Contenders that answered every image alike; `score` is of the first of them."""

    names: tuple[str, ...]
    score: Score
    data: Dataset


def sections(record: Benchmark) -> Html:
    """A part that unfolds for each group of contenders that answered alike, the first unfolded."""
    groups = _groups(record)
    if not groups:
        return paragraph(
            "No data set is here, so no answers were looked at: accuracies are what the files say "
            "of themselves. 'mnist-edge data' fetches MNIST; --data-dir names a folder that has it."
        )
    return Html("".join(_group(group, at == 0) for at, group in enumerate(groups)))


def _groups(record: Benchmark) -> list[_Group]:
    alike: dict[tuple[str, bytes], list[int]] = {}
    for at, entry in enumerate(record.entries):
        if entry.score and entry.subject.dataset in record.data:
            labels = entry.score.logits.argmax(axis=1)
            alike.setdefault((entry.subject.dataset, labels.tobytes()), []).append(at)
    called = names.full(record)
    found = []
    for (dataset, _), places in alike.items():
        score = record.entries[places[0]].score
        assert score  # only those with one are grouped
        found.append(_Group(tuple(called[at] for at in places), score, record.data[dataset]))
    return found


def _group(group: _Group, is_open: bool) -> Html:
    labels, accuracy = group.data.test.labels, group.score.accuracy
    counts = metrics.confusion(group.score.logits.argmax(axis=1), labels, len(group.data.classes))
    wrong = accuracy.total - accuracy.correct
    alike = ", the same ones" if len(group.names) > 1 else ""
    return details(
        f"{names.listed(group.names)}: {wrong:,} of {accuracy.total:,} misread{alike}",
        confusion(group.data.classes, counts),
        _misread(group),
        is_open=is_open,
    )


def confusion(classes: Sequence[str], counts: NDArray[np.int64]) -> Html:
    """Labels down, answers across: the more of a label's images went astray, the hotter."""
    if len(classes) > _MOST_CLASSES:
        return _commonest(classes, counts)
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    most = max(1, int(wrong.max()))
    long = any(len(name) > 3 for name in classes)
    heads = [
        element("th", {"scope": "col"} | ({"class": "tall"} if long else {}), name)
        for name in classes
    ]
    rows = [
        element(
            "tr",
            None,
            element("th", {"scope": "row"}, element("span", None, name)),
            *(_cell(at, answer, int(count), most) for answer, count in enumerate(counts[at])),
            element("td", {"class": "recall"}, _recall(counts[at], at)),
        )
        for at, name in enumerate(classes)
    ]
    caption = "Confusion: rows are what images show, columns what they were read as"
    head = [element("td", None, "shows"), *heads, element("th", {"scope": "col"}, "recall")]
    return scrolling(
        caption,
        element(
            "table",
            {"class": "confusion"},
            caption_of(caption),
            element("thead", None, element("tr", None, *head)),
            element("tbody", None, *rows),
        ),
    )


def _cell(label: int, answer: int, count: int, most: int) -> Html:
    if label == answer:
        return element("td", {"class": "right"}, str(count))
    if not count:
        return element("td", {"class": "none"}, "0")
    heat = _DARKEST * (0.15 + 0.85 * count / most)
    return element("td", {"class": "wrong", "style": f"--heat:{heat:.2f}"}, str(count))


def _recall(row: NDArray[np.int64], at: int) -> str:
    return formatting.percent(row[at] / row.sum(), 1) if row.sum() else "-"


def _commonest(classes: Sequence[str], counts: NDArray[np.int64]) -> Html:
    shown = Grid(("shows", "read as", "images"), mistakes(classes, counts), left=2)
    return table(shown, "The commonest mistakes")


def _misread(group: _Group) -> Html:
    """The images that were misread, those read with most confidence first."""
    certain = group.score.probabilities
    answers, confidence = certain.argmax(axis=1), certain.max(axis=1)
    test, classes = group.data.test, group.data.classes
    wrong = metrics.misread(certain, test.labels)
    if not len(wrong):
        return paragraph("No test image was misread.")
    shown = wrong[:MOST_MISREAD]
    figures = [
        _figure(
            test.images[at],
            f"test image {at}",
            f"{classes[test.labels[at]]} read {classes[answers[at]]} ({_sure(confidence[at])})",
        )
        for at in shown
    ]
    what = "The misread images" if len(shown) == len(wrong) else f"{len(shown)} of {len(wrong):,}"
    return element(
        "div",
        None,
        element("h3", None, f"{what}, those read with most confidence first"),
        element("div", {"class": "misread"}, *figures),
    )


def _sure(confidence: float) -> str:
    if np.isnan(confidence):
        return "not a number"
    told = formatting.percent(confidence, 0) if confidence < 0.995 else ">99 %"
    return told.replace(" ", "\u00a0")


def _figure(image: NDArray[np.uint8], alternative: str, caption: str) -> Html:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    size = str(_SIDE)
    attributes = {"src": source, "alt": alternative, "width": size, "height": size}
    return element("figure", None, element("img", attributes), element("figcaption", None, caption))
