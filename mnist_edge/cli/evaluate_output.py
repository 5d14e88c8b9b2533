"""What `mnist-edge eval` tells of a file's answers to a test split, and the sheet of its errors."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge import metrics
from mnist_edge.cli.console import echo, echo_json, print_table
from mnist_edge.rejection import Rejection, count_rejected

if TYPE_CHECKING:
    from mnist_edge.classifier import Classifier, Prediction
    from mnist_edge.datasets import Dataset, Split
    from mnist_edge.model_file.golden import GoldenCheck

_MOST_ERRORS = 200  # on one sheet
_NO_GOLDEN = "none in this file: export it again, and it carries some"


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a file's answers to the test split of `dataset` are worth: `counts` is the confusion
    matrix, int64 (classes, classes), and `calibration` the expected calibration error, 0..1.
    `parts` are the accuracies on those of a joined set.
    `golden` is None for a file without golden answers, `rejection` for a data set without images of
    no class, and for a file without a threshold."""

    file: Path
    dataset: str
    classes: tuple[str, ...]
    golden: "GoldenCheck | None"
    accuracy: metrics.Accuracy
    calibration: float
    counts: NDArray[np.int64]
    parts: dict[str, metrics.Accuracy] = field(default_factory=dict)
    rejection: Rejection | None = None

    @classmethod
    def of(
        cls,
        model: "Classifier",
        golden: "GoldenCheck | None",
        data: "Dataset",
        answers: "Prediction",
    ) -> "Evaluation":
        right, sure, of_none = data.test.labels, model.card.threshold, data.outliers
        from mnist_edge.classifier import in_chunks

        rejection = None
        if sure and of_none and len(of_none.test):
            unknown = in_chunks(model.logits, of_none.test)
            rejection = count_rejected(unknown, answers.logits, sure.value)
        return cls(
            file=model.path,
            dataset=data.name,
            classes=model.classes,
            golden=golden,
            accuracy=metrics.accuracy(answers.labels, right),
            calibration=metrics.expected_calibration_error(answers.probabilities, right),
            counts=metrics.confusion(answers.labels, right, len(model.classes)),
            parts=_accuracies(data, answers.labels),
            rejection=rejection,
        )

    def as_dict(self) -> dict[str, Any]:
        figures = metrics.per_class(self.counts)
        return {
            "file": str(self.file),
            "dataset": self.dataset,
            "golden": asdict(self.golden) if self.golden else None,
            "accuracy": self.accuracy.as_dict(),
            **(
                {"parts": {name: one.as_dict() for name, one in self.parts.items()}}
                if self.parts
                else {}
            ),
            "expected_calibration_error": self.calibration,
            "classes": {
                label: {
                    "precision": figures.precision[at],
                    "recall": figures.recall[at],
                    "f1": figures.f1[at],
                    "support": int(figures.support[at]),
                }
                for at, label in enumerate(self.classes)
            },
            "macro_avg": asdict(figures.macro),
            "weighted_avg": asdict(figures.weighted),
            "macro_f1": figures.macro.f1,
            "confusion": self.counts.tolist(),
            "rejection": self.rejection and asdict(self.rejection),
        }


def _accuracies(data: "Dataset", answers: NDArray[np.int64]) -> dict[str, metrics.Accuracy]:
    """On the test images of each part of a joined set, by its name."""
    found, at = {}, 0
    for part in data.parts:
        own = slice(at, at + len(part.test))
        found[part.name] = metrics.accuracy(answers[own], data.test.labels[own])
        at = own.stop
    return found


def show(found: Evaluation, errors: Path | None, as_json: bool) -> None:
    """All of it; `errors` is where the misread images were drawn."""
    from mnist_edge.report import formatting, tables

    if as_json:
        echo_json(found.as_dict())
        return
    accuracy, macro = found.accuracy, metrics.per_class(found.counts).macro
    echo(
        f"{found.file} on the test split of {found.dataset}: {formatting.percent(accuracy.value)} "
        f"(95 % interval {formatting.interval(accuracy)}; {accuracy.correct:,} of "
        f"{accuracy.total:,})"
    )
    for name, own in found.parts.items():
        echo(
            f"  {name}: {formatting.percent(own.value)} (95 % interval {formatting.interval(own)}; "
            f"{own.correct:,} of {own.total:,})"
        )
    echo(f"macro F1 {macro.f1:.4f}, expected calibration error {found.calibration:.4f}")
    if found.rejection:
        echo(formatting.rejection(found.rejection))
    echo(f"golden answers: {found.golden or _NO_GOLDEN}")
    echo("")
    print_table(tables.per_class(found.classes, found.counts, blank_line=True))
    echo("")
    print_table(tables.confusion(found.classes, found.counts))
    if errors:
        echo("")
        echo(f"wrote {errors}")


def draw_errors(path: Path, test: "Split", answers: "Prediction", classes: tuple[str, ...]) -> None:
    """The misread images, those read with most confidence first."""
    from mnist_edge.report import contact_sheet

    confidence = answers.probabilities.max(axis=1)
    wrong = metrics.misread(answers.probabilities, test.labels)[:_MOST_ERRORS]
    captions = [
        f"{classes[test.labels[at]]} read {classes[answers.labels[at]]} {confidence[at]:.0%}"
        for at in wrong
    ]
    contact_sheet.write(path, test.images[wrong], captions)
