"""mnist-edge eval"""

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_edge.cli.console import note_missing_outliers, note_other_images, progress_bar
from mnist_edge.cli.options import MODEL_HELP, AsJson, DataDir, OutlierFolder, Threads
from mnist_edge.errors import DataError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnist_edge.classifier import Classifier, Prediction
    from mnist_edge.datasets import Split
    from mnist_edge.types import Progress


_WITHOUT_OUTLIERS = "--none DIR, with their folder, counts for how many of them the answer is ?"


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
    none: OutlierFolder = None,
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
    from mnist_edge import output_paths
    from mnist_edge.classifier import Classifier
    from mnist_edge.cli import evaluate_output
    from mnist_edge.datasets import load
    from mnist_edge.datasets.class_names import align_classes
    from mnist_edge.datasets.compatibility import (
        check_published_shape,
        check_shape,
        options_as_trained,
    )
    from mnist_edge.model_file import model_paths

    path = model_paths.find(file)
    output_paths.check_files({"--errors": errors}, [path])
    model = Classifier(path, threads)
    golden = model.check()
    name = dataset or _own_dataset(model.card.dataset)
    advice = "name the set that it was trained on with --dataset"
    misfit = model.shape, str(model.path), advice
    check_published_shape(name, *misfit)
    with progress_bar() as progress:
        as_trained = options_as_trained(name, model.shape, model.card.fit)
        data = load(name, data_dir, progress, as_trained, outliers=none)
        check_shape(data, *misfit)
        data = align_classes(data, model.classes, str(model.path), advice)
        answers = _answer(model, data.test, progress)
    note_other_images(str(model.path), model.card.dataset, model.card.fingerprint, data)
    note_missing_outliers(str(model.path), model.card, data, _WITHOUT_OUTLIERS)
    evaluation = evaluate_output.Evaluation.of(model, golden, data, answers)
    if errors:
        evaluate_output.draw_errors(errors, data.test, answers, model.classes)
    evaluate_output.show(evaluation, errors, as_json)


def _own_dataset(name: str) -> str:
    from mnist_edge.dataset_names import has_folder, with_unknown_paths

    if has_folder(name):
        raise DataError(
            f"this file was trained on {name}: say where it is, --dataset "
            f"{with_unknown_paths(name)}"
        )
    return name


def _answer(model: "Classifier", test: "Split", progress: "Progress") -> "Prediction":
    import numpy as np

    from mnist_edge.classifier import CHUNK_SIZE, Prediction, in_chunks
    from mnist_edge.types import Images

    starts = count(0, CHUNK_SIZE)

    def answer_chunk(images: Images) -> "NDArray[np.float32]":
        progress("answering", next(starts), len(test))
        return model.logits(images)

    logits = in_chunks(answer_chunk, test.images)
    if not np.isfinite(logits.max(axis=1)).all():  # beside which the logarithm of 0 may stand
        raise ModelError(f"{model.path} answers with what is no number")
    return Prediction(logits)
