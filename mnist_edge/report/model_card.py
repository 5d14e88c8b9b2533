"""A file's model card, in Markdown: made of its metadata, and of how fast `bench` found it."""

from pathlib import Path

import numpy as np

from mnist_edge.catalogue import DATASETS
from mnist_edge.classifier import read_card
from mnist_edge.datasets import FOLDER
from mnist_edge.escaping import json_text
from mnist_edge.files import sha256
from mnist_edge.model_file.card_files import MARK, FileFacts
from mnist_edge.model_file.contract import Card
from mnist_edge.model_file.manifest import MANIFEST, read_manifest, recorded_latency
from mnist_edge.report import (
    dataset,
    formatting,
    known_limits,
    markdown_elements,
    tables,
    training_description,
)
from mnist_edge.report.markdown_elements import bullets, escape

_MOST_CLASSES = 100  # that are listed by name


def of_file(file: Path) -> str:
    """The card of an exported file; its latency is from the manifest beside it, if there is one.

    ModelError for a file that is not ours, EdgeError for a manifest that cannot be read.
    """
    digest = sha256(file)
    found = recorded_latency(read_manifest(file.with_name(MANIFEST)), file.name, digest)
    facts = FileFacts(file.name, file.stat().st_size, digest, found)
    return render(read_card(file), facts)


def render(card: Card, facts: FileFacts) -> str:
    """The whole card. The same metadata and facts give the same text."""
    known = known_limits.lines(card, facts.latency is not None)
    sections = {
        "Use": _use(card, facts),
        "Data": markdown_elements.pairs(_data(card)),
        "Training": markdown_elements.pairs(training_description.trained(card.trained)),
        "Quantization": markdown_elements.pairs(
            training_description.quantized(card.calibration or {})
        ),
        "Accuracy": _accuracy(card),
        "Each class": _each_class(card),
        "How sure it is": bullets(_sureness(card)),
        "Size and speed": _cost(card, facts),
        "Limits": bullets(known),
        "Licence": [escape(_licence(card)), ""],
        "Where it comes from": markdown_elements.pairs(_origin(card, facts)),
    }
    lines = [f"{MARK} -->", f"# {escape(facts.name)}", "", escape(_summary(card, facts)), ""]
    for title, content in sections.items():
        lines += [f"## {title}", "", *content] if content else []
    return "\n".join(lines).rstrip() + "\n"


def _summary(card: Card, facts: FileFacts) -> str:
    return (
        f"A classifier of 28×28 grey images into {len(card.classes):,} classes: the network "
        f"{card.model}, trained on {card.dataset}, in {card.precision}. One ONNX file of "
        f"{formatting.size(facts.size_bytes)} that takes raw pixels and needs nothing but an ONNX "
        f"runtime. {formatting.percent(card.accuracy.value)} of its answers to the "
        f"{card.accuracy.total:,} test images are right."
    )


def _use(card: Card, facts: FileFacts) -> list[str]:
    of_folder = card.dataset.startswith(FOLDER)
    meaning = "0 = black, 255 = white" if of_folder else "0 = background, 255 = ink"
    contract = [
        ("input", f"`image`: uint8 (N, 28, 28), raw grey pixels, {meaning}"),
        (
            "output",
            f"`logits`: float32 (N, {len(card.classes)}), whose softmax is a calibrated "
            "probability",
        ),
    ]
    example = [
        "```python",
        "import json, numpy as np, onnxruntime as ort",
        "",
        f"session = ort.InferenceSession({json_text(facts.name)})",
        'classes = json.loads(session.get_modelmeta().custom_metadata_map["mnist_edge.classes"])',
        "image = np.zeros((1, 28, 28), np.uint8)  # put your pixels here: "
        + ("prepared as below" if of_folder else "no preprocessing"),
        'logits = session.run(["logits"], {"image": image})[0][0]',
        "print(classes[logits.argmax()], np.exp(logits).max() / np.exp(logits).sum())",
        "```",
        "",
    ]
    used = [*markdown_elements.table(("", ""), contract, left=2), *example]
    return [*used, *_preparation(card)] if of_folder else used


def _preparation(card: Card) -> list[str]:
    """How a picture has to be brought into the form of those that a folder's network knows."""
    lost = card.fingerprint.coloured if card.fingerprint else 0
    told = f" {lost:,} of its pictures were coloured." if lost else ""
    return [
        f"Its network learned from pictures of any size, made 28×28 grey.{told} Do the same with "
        "yours, as `mnist-edge predict` does:",
        "",
        *markdown_elements.pairs(list(dataset.PREPARATION)),
    ]


def _data(card: Card) -> list[tuple[str, str]]:
    names = [*card.classes[:_MOST_CLASSES]]
    public, more = DATASETS.get(card.dataset), len(card.classes) - len(names)
    told = ", ".join(names) + (f" and {more:,} more" if more else "")
    return [
        ("data set", f"{card.dataset}: {public.what}" if public else card.dataset),
        (f"{len(card.classes):,} classes", told),
        ("test split", f"{card.accuracy.total:,} images, which chose nothing"),
    ]


def _accuracy(card: Card) -> list[str]:
    rows = [
        (
            name,
            formatting.percent(found.value),
            formatting.interval(found),
            f"{found.correct:,} of {found.total:,}",
        )
        for name, found in (
            ("this file", card.accuracy),
            ("its original in PyTorch", card.original_accuracy),
        )
    ]
    won = card.accuracy.correct - card.original_accuracy.correct
    points = (card.accuracy.value - card.original_accuracy.value) * 100
    more = f"{abs(won):,} {'more' if won > 0 else 'fewer'}"
    images = f"image{'s' * (abs(won) != 1)}"
    told = (
        f"{more} {images} rightly than its original ({points:+.2f} points)"
        if won
        else "as many images rightly as its original"
    )
    return [
        *markdown_elements.table(
            ("test split", "accuracy", "95 % interval (Wilson)", "right"), rows
        ),
        f"It answers {told}.",
        "",
    ]


def _each_class(card: Card) -> list[str]:
    if card.confusion is None:
        return ["The per-class figures are not in this file: `mnist-edge eval` tells them.", ""]
    return [
        *markdown_elements.grid(tables.per_class(card.classes, np.array(card.confusion, np.int64))),
        "Of the test split; support is a count of images.",
        "",
    ]


def _sureness(card: Card) -> list[str]:
    told = [
        f"The logits are divided by a temperature of {card.temperature:.3f}, fitted on the "
        "validation split: a probability of 0.9 is to be right 9 times of 10."
    ]
    if sure := card.threshold:
        share = formatting.percent(sure.right / sure.accepted)
        told.append(
            f"Sure from {sure.value:.4f} on: {sure.accepted:,} of {sure.total:,} validation "
            f"images are answered so surely, {sure.right:,} of them rightly ({share}). Below "
            "that, mnist-edge predict prints ? beside its guess."
        )
    else:
        told.append("No threshold is in this file: nobody can tell from when on it is sure.")
    return told


def _cost(card: Card, facts: FileFacts) -> list[str]:
    rows = [
        ("size", f"{formatting.size(facts.size_bytes)} ({facts.size_bytes:,} bytes)"),
        ("parameters", f"{card.params:,}"),
        ("multiply-adds for one image (MACs)", f"{card.macs:,}"),
    ]
    found = facts.latency
    if found is None:
        told = "Its speed has not been recorded: `mnist-edge bench --record` does it."
        return [*markdown_elements.pairs(rows), told, ""]
    percentiles = (("p50", found.p50_us), ("p90", found.p90_us), ("p99", found.p99_us))
    known = [f"{name} {value:,.0f} µs" for name, value in percentiles if value is not None]
    one = "one image" if found.batch == 1 else f"{found.batch:,} images"
    when = found.measured_at.replace("T", " ").replace("+00:00", " UTC")
    rows += [
        (f"latency, {one} a call", ", ".join(known) or "too few calls to tell"),
        ("timed calls", f"{found.n:,}"),
        ("threads", f"{found.threads}"),
        ("CPU", found.cpu),
        ("onnxruntime", found.onnxruntime),
        ("measured", f"{when}, by mnist-edge bench"),
        ("the timing was", found.verdict),
    ]
    return markdown_elements.pairs(rows)


def _licence(card: Card) -> str:
    if card.licence is None:
        return (
            "This file names none: ask whoever made it. mnist-edge, which wrote it, is under the "
            "MIT licence."
        )
    return f"{card.licence}, as mnist-edge, which wrote this file. Its data set has its own."


def _origin(card: Card, facts: FileFacts) -> list[tuple[str, str]]:
    made_of = "the fp32 file" if card.original_sha256 else "the PyTorch checkpoint"
    rows = [
        ("SHA-256 of this file", facts.sha256),
        (f"of {made_of} that it was made from", card.source_sha256),
    ]
    if card.original_sha256:
        rows.append(("of the PyTorch checkpoint before that", card.original_sha256))
    if card.golden:
        rows.append(
            (
                "golden answers",
                f"{len(card.golden.logits)}: mnist-edge predict --check --model {facts.name}",
            )
        )
    return [*rows, ("contract of the metadata", f"version {card.version}")]
