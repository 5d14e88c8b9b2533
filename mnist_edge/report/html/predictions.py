"""What contenders answered: confusion matrices, and the images that were misread."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_edge import metrics
from mnist_edge.backends.model_info import ImagesKey
from mnist_edge.benchmark import Benchmark, Score
from mnist_edge.datasets import Dataset
from mnist_edge.image_shape import MAX_SIDE
from mnist_edge.report import formatting, labels, tables
from mnist_edge.report.html.elements import (
    Html,
    details,
    element,
    paragraph,
    scrolling_table,
    table,
)

MOST_MISREAD = 60
_MOST_CLASSES = 24  # of more of them, the commonest mistakes are listed
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
            "of themselves. 'mnist-edge data' fetches a public set; --dataset and --data-dir name "
            "one that is here."
        )
    return Html("".join(_group(group, at == 0) for at, group in enumerate(groups)))


def _groups(record: Benchmark) -> list[_Group]:
    alike: dict[tuple[ImagesKey, bytes], _Group] = {}
    for name, entry in zip(labels.full_names(record), record.entries, strict=True):
        if entry.score and entry.info.images in record.data:
            key = entry.info.images, entry.score.logits.argmax(axis=1).tobytes()
            data = record.data[entry.info.images]
            group = alike.setdefault(key, _Group((), entry.score, data))
            alike[key] = replace(group, names=(*group.names, name))
    return list(alike.values())


def _group(group: _Group, is_open: bool) -> Html:
    truth, accuracy = group.data.test.labels, group.score.accuracy
    counts = metrics.confusion(group.score.logits.argmax(axis=1), truth, len(group.data.classes))
    wrong = accuracy.total - accuracy.correct
    alike = ", the same ones" if len(group.names) > 1 else ""
    names = formatting.join_words(group.names)
    return details(
        f"{names}: {wrong:,} of {accuracy.total:,} misread{alike}",
        confusion(group.data.classes, counts),
        _misread(group),
        is_open=is_open,
    )


def confusion(classes: Sequence[str], counts: NDArray[np.int64]) -> Html:
    """Labels down, answers across: the more of a label's images were misread, the darker."""
    if len(classes) > _MOST_CLASSES:
        return table(tables.commonest_mistakes(classes, counts), "The commonest mistakes")
    most = max(1, int(np.where(np.eye(len(counts), dtype=bool), 0, counts).max()))
    upright = {"class": "tall"} if any(len(name) > 3 for name in classes) else {}
    heads = [
        element("td", "label"),
        *(element("th", {"scope": "col"} | upright, name) for name in classes),
        element("th", {"scope": "col"}, "recall"),
    ]
    rows = [
        element(
            "tr",
            element("th", {"scope": "row"}, element("span", name)),
            *(_cell(at, answer, int(count), most) for answer, count in enumerate(counts[at])),
            element("td", {"class": "recall"}, _recall(counts[at], at)),
        )
        for at, name in enumerate(classes)
    ]
    caption = "Confusion matrix: rows are the labels, columns what the images were read as"
    return scrolling_table(caption, heads, rows, "confusion")


def _cell(label: int, answer: int, count: int, most: int) -> Html:
    if label == answer:
        return element("td", {"class": "right"}, str(count))
    if not count:
        return element("td", {"class": "none"}, "0")
    heat = _DARKEST * (0.15 + 0.85 * count / most)
    return element("td", {"class": "wrong", "style": f"--heat:{heat:.2f}"}, str(count))


def _recall(row: NDArray[np.int64], at: int) -> str:
    return formatting.percent(row[at] / row.sum(), 1) if row.sum() else "-"


def _misread(group: _Group) -> Html:
    """The images that were misread, those read with most confidence first."""
    probabilities = group.score.probabilities
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    test, classes = group.data.test, group.data.classes
    wrong = metrics.misread(probabilities, test.labels)
    if not len(wrong):
        return paragraph("No test image was misread.")
    shown = wrong[:MOST_MISREAD]
    figures = [
        _figure(
            test.images[at],
            f"test image {at}",
            f"{classes[test.labels[at]]} read {classes[answers[at]]} ({_percent(confidence[at])})",
        )
        for at in shown
    ]
    what = "The misread images" if len(shown) == len(wrong) else f"{len(shown)} of {len(wrong):,}"
    return element(
        "div",
        element("h3", f"{what}, those read with most confidence first"),
        element("div", {"class": "misread"}, *figures),
    )


def _percent(confidence: float) -> str:
    if np.isnan(confidence):
        return "not a number"
    text = formatting.percent(confidence, 0) if confidence < 0.995 else ">99 %"
    return text.replace(" ", "\u00a0")


def _figure(image: NDArray[np.uint8], alternative: str, caption: str) -> Html:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    height, width = image.shape[:2]
    scale = MAX_SIDE // max(height, width)  # whole, so that its pixels are of one size
    size = {"width": str(scale * width), "height": str(scale * height)}
    attributes = {"src": source, "alt": alternative} | size
    return element("figure", element("img", attributes), element("figcaption", caption))
