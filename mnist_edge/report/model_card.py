"""A file's model card, in Markdown: made of its metadata, and of how fast `bench` found it."""

from pathlib import Path

import numpy as np

from mnist_edge.catalogue import DATASETS
from mnist_edge.classifier import read_card
from mnist_edge.escaping import json_text
from mnist_edge.files import sha256
from mnist_edge.image_shape import Fit
from mnist_edge.model_file.card_files import MARK, FileFacts
from mnist_edge.model_file.contract import Card
from mnist_edge.model_file.manifest import MANIFEST, read_manifest, recorded_latency
from mnist_edge.report import formatting, known_limits, preparation, tables, training_description
from mnist_edge.report.grid import Grid
from mnist_edge.report.known_limits import drawn_in_ink
from mnist_edge.report.markdown_elements import bullets, escape, grid, pairs, table

_MOST_CLASSES = 100  # that are listed by name


def render_file(file: Path) -> str:
    """The card of an exported file; its latency is from the manifest beside it, if there is one.

    ModelError for a file that is not ours, EdgeError for a manifest that cannot be read.
    """
    digest = sha256(file)
    found = recorded_latency(read_manifest(file.with_name(MANIFEST)), file.name, digest)
    facts = FileFacts(file.name, file.stat().st_size, digest, found)
    return render(read_card(file), facts)


def render(card: Card, facts: FileFacts) -> str:
    """The whole card. The same metadata and facts give the same text."""
    sections = {
        "Use": _use(card, facts),
        "Data": pairs(_data(card)),
        "Training": pairs(training_description.training_rows(card.trained)),
        "Quantization": pairs(training_description.quantization_rows(card.calibration or {})),
        "Accuracy": _accuracy(card),
        "Per class": _per_class(card),
        "Confidence": bullets(_confidence(card)),
        "Size and speed": _size_and_speed(card, facts),
        "Limitations": bullets(known_limits.lines(card, facts.latency is not None)),
        "Licence": [escape(_licence(card)), ""],
        "Provenance": pairs(_provenance(card, facts)),
    }
    lines = [f"{MARK} -->", f"# {escape(facts.name)}", "", escape(_summary(card, facts)), ""]
    for title, content in sections.items():
        lines += [f"## {title}", "", *content] if content else []
    return "\n".join(lines).rstrip() + "\n"


def _summary(card: Card, facts: FileFacts) -> str:
    return (
        f"A classifier of {card.shape} images into {len(card.classes):,} classes: the network "
        f"{card.model}, trained on {card.dataset}, in {card.precision}. One ONNX file of "
        f"{formatting.size(facts.size_bytes)} that takes raw pixels and needs nothing but an ONNX "
        f"runtime. {formatting.percent(card.accuracy.value)} of its answers to the "
        f"{card.accuracy.total:,} test images are correct."
    )


def _use(card: Card, facts: FileFacts) -> list[str]:
    fitted = card.fit is not Fit.DIGIT
    contract = [
        ("input", f"`image`: uint8 {card.shape.array}, raw {_pixels(card)}"),
        (
            "output",
            f"`logits`: float32 (N, {len(card.classes)}), whose softmax is a calibrated "
            "probability",
        ),
    ]
    dims = ", ".join(map(str, (1, *card.shape.dims)))
    example = [
        "```python",
        "import json, numpy as np, onnxruntime as ort",
        "",
        f"session = ort.InferenceSession({json_text(facts.name)})",
        'classes = json.loads(session.get_modelmeta().custom_metadata_map["mnist_edge.classes"])',
        f"image = np.zeros(({dims}), np.uint8)  # put your pixels here: "
        + ("prepared as below" if fitted else "no preprocessing"),
        'logits = session.run(["logits"], {"image": image})[0][0]',
        "print(classes[logits.argmax()], np.exp(logits).max() / np.exp(logits).sum())",
        "```",
        "",
    ]
    return [
        *table(("", ""), contract, left=2),
        *example,
        *(_preparation(card) if fitted else []),
    ]


def _pixels(card: Card) -> str:
    """What the values of its input are."""
    if card.shape.is_color:
        return "RGB pixels, 0 = dark, 255 = bright"
    if drawn_in_ink(card):
        return "grey pixels, 0 = background, 255 = ink"
    return "grey pixels, 0 = black, 255 = white"


def _preparation(card: Card) -> list[str]:
    """How a picture has to be brought into the form of those that a network knows."""
    coloured = card.fingerprint.coloured if card.fingerprint else 0
    lost = coloured and not card.shape.is_color
    loss = f" {coloured:,} of its pictures were coloured." if lost else ""
    form = f"{card.shape.size} pixels in colour" if card.shape.is_color else f"{card.shape}"
    return [
        f"Its network learned from pictures of any size, made {form}.{loss} Do the same with "
        "yours, as `mnist-edge predict` does:",
        "",
        *pairs(preparation.rows(card.shape, card.fit)),
    ]


def _data(card: Card) -> list[tuple[str, str]]:
    names = card.classes[:_MOST_CLASSES]
    public, more = DATASETS.get(card.dataset), len(card.classes) - len(names)
    return [
        ("data set", f"{card.dataset}: {public.what}" if public else card.dataset),
        (
            f"{len(card.classes):,} classes",
            ", ".join(names) + (f" and {more:,} more" if more else ""),
        ),
        ("test split", f"{card.accuracy.total:,} images, never used to train or to choose"),
    ]


def _accuracy(card: Card) -> list[str]:
    this, original = card.accuracy, card.original_accuracy
    rows = tuple(
        (
            name,
            formatting.percent(found.value),
            formatting.interval(found),
            f"{found.correct:,} of {found.total:,}",
        )
        for name, found in (("this file", this), ("its original in PyTorch", original))
    )
    won, points = this.correct - original.correct, (this.value - original.value) * 100
    more = formatting.count(abs(won), "more image" if won > 0 else "fewer image")
    text = f"{more} correctly than its original ({points:+.2f} points)"
    return [
        *grid(Grid(("test split", "accuracy", "95 % interval (Wilson)", "correct"), rows)),
        f"It classifies {text if won else 'as many images correctly as its original'}.",
        "",
    ]


def _per_class(card: Card) -> list[str]:
    if card.confusion is None:
        return ["The per-class figures are not in this file: `mnist-edge eval` prints them.", ""]
    return [
        *grid(tables.per_class(card.classes, np.array(card.confusion, np.int64))),
        "Of the test split; support is a count of images.",
        "",
    ]


def _confidence(card: Card) -> list[str]:
    temperature = (
        f"The logits are divided by a temperature of {card.temperature:.3f}, fitted on the "
        "validation split: of the answers with a probability of 0.9, 9 of 10 should be correct."
    )
    if not (sure := card.threshold):
        return [temperature, "No threshold is in this file: nothing says when an answer is sure."]
    share = formatting.percent(sure.right / sure.accepted)
    found = card.rejection
    of_none = [f"With it there is {formatting.rejection(found)}."] if found else []
    return [
        temperature,
        f"An answer is sure from a probability of {sure.value:.4f} on: {sure.accepted:,} of "
        f"{sure.total:,} validation images are, {sure.right:,} of them correct ({share}). Below "
        "that, mnist-edge predict prints ? beside its answer.",
        *of_none,
    ]


def _size_and_speed(card: Card, facts: FileFacts) -> list[str]:
    rows = [
        ("size", f"{formatting.size(facts.size_bytes)} ({facts.size_bytes:,} bytes)"),
        ("parameters", f"{card.params:,}"),
        ("multiply-adds for one image (MACs)", f"{card.macs:,}"),
    ]
    found = facts.latency
    if found is None:
        missing = "Its speed has not been recorded: `mnist-edge bench --record` does it."
        return [*pairs(rows), missing, ""]
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
    return pairs(rows)


def _licence(card: Card) -> str:
    if card.licence is None:
        return (
            "This file names none: ask whoever made it. mnist-edge, which wrote it, is under the "
            "MIT licence."
        )
    return f"{card.licence}, as mnist-edge, which wrote this file. Its data set has its own."


def _provenance(card: Card, facts: FileFacts) -> list[tuple[str, str]]:
    source = "the fp32 file" if card.original_sha256 else "the PyTorch checkpoint"
    rows = [
        ("SHA-256 of this file", facts.sha256),
        (f"of {source} that it was made from", card.source_sha256),
    ]
    if card.original_sha256:
        rows.append(("of the PyTorch checkpoint before that", card.original_sha256))
    if card.golden:
        check = f"mnist-edge predict --check --model {facts.name}"
        rows.append(("golden answers", f"{len(card.golden.logits)}: {check}"))
    return [*rows, ("contract of the metadata", f"version {card.version}")]
