"""mnist-edge eval"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_edge.cli.console import hint, progress_bar, say, say_json, show
from mnist_edge.cli.options import MODEL_HELP, AsJson, DataDir, Threads
from mnist_edge.errors import DataError, ModelError

if TYPE_CHECKING:
    from mnist_edge.classifier import Classifier, Prediction
    from mnist_edge.datasets import Split
    from mnist_edge.types import Progress

_MOST_ERRORS = 200  # on one sheet
_NO_GOLDEN = "none in this file: export it again, and it carries some"


def evaluate(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help=MODEL_HELP, show_default=False),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Another data set than the file's own.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    threads: Threads = 1,
    errors: Annotated[
        Path | None, typer.Option(help="Draw the misread images into this PNG.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure an exported file on the whole test split.

    Before that, its golden answers are checked: whether it computes here what it computed where it
    was made.
    """
    from mnist_edge import metrics, output_paths
    from mnist_edge.classifier import Classifier
    from mnist_edge.datasets import load
    from mnist_edge.datasets.class_names import in_order_of
    from mnist_edge.model_file import shipped
    from mnist_edge.report import dataset as dataset_words
    from mnist_edge.report import formatting, table, to_json

    path = shipped.find(file)
    output_paths.check_files({"--errors": errors}, [path])
    model = Classifier(path, threads)
    golden = model.check()
    name = dataset or _own_dataset(model.card.dataset)
    with progress_bar() as tell:
        data = load(name, data_dir, tell)
        advice = "name the set that it was trained on with --dataset"
        data = in_order_of(data, model.classes, str(model.path), advice)
        answers = _answer(model, data.test, tell)
    card = model.card
    if line := dataset_words.other_images(str(model.path), card.dataset, card.fingerprint, data):
        hint(line)
    accuracy = metrics.accuracy(answers.labels, data.test.labels)
    counts = metrics.confusion(answers.labels, data.test.labels, len(model.classes))
    figures = metrics.per_class(counts)
    calibration = metrics.expected_calibration_error(answers.probabilities, data.test.labels)
    if errors:
        _draw_errors(errors, data.test, answers, model.classes)
    if as_json:
        say_json(
            {
                "file": str(model.path),
                "dataset": data.name,
                "golden": asdict(golden) if golden else None,
                "accuracy": to_json.accuracy(accuracy),
                "expected_calibration_error": calibration,
                "classes": {
                    label: {
                        "precision": figures.precision[at],
                        "recall": figures.recall[at],
                        "f1": figures.f1[at],
                        "support": int(figures.support[at]),
                    }
                    for at, label in enumerate(model.classes)
                },
                "macro_avg": asdict(figures.macro),
                "weighted_avg": asdict(figures.weighted),
                "macro_f1": figures.macro.f1,
                "confusion": counts.tolist(),
            }
        )
        return
    say(
        f"{model.path} on the test split of {data.name}: {formatting.percent(accuracy.value)} "
        f"(95 % interval {formatting.interval(accuracy)}; {accuracy.correct:,} of "
        f"{accuracy.total:,})"
    )
    say(f"macro F1 {figures.macro.f1:.4f}, expected calibration error {calibration:.4f}")
    say(f"golden answers: {golden or _NO_GOLDEN}")
    say("")
    show(table.per_class(model.classes, counts))
    say("")
    show(table.confusion(model.classes, counts))
    if errors:
        say("")
        say(f"wrote {errors}")


def _own_dataset(name: str) -> str:
    from mnist_edge.datasets import FOLDER

    if name.startswith(FOLDER):
        raise DataError(f"this file was trained on {name}: say where it is, --dataset folder:PATH")
    return name


def _answer(model: "Classifier", test: "Split", tell: "Progress") -> "Prediction":
    import numpy as np

    from mnist_edge.classifier import Prediction

    parts = []
    for at in range(0, len(test), 500):
        parts.append(model.logits(test.images[at : at + 500]))
        tell("answering", at, len(test))
    logits = np.concatenate(parts)
    if not np.isfinite(logits.max(axis=1)).all():  # beside which the logarithm of 0 may stand
        raise ModelError(f"{model.path} answers with what is no number")
    return Prediction(logits)


def _draw_errors(
    path: Path, test: "Split", answers: "Prediction", classes: tuple[str, ...]
) -> None:
    """The misread images, those read with most confidence first."""
    from mnist_edge import metrics
    from mnist_edge.report import contact_sheet

    confidence = answers.probabilities.max(axis=1)
    wrong = metrics.misread(answers.probabilities, test.labels)[:_MOST_ERRORS]
    captions = [
        f"{classes[test.labels[at]]} read {classes[answers.labels[at]]} {confidence[at]:.0%}"
        for at in wrong
    ]
    contact_sheet.write(path, test.images[wrong], captions)
