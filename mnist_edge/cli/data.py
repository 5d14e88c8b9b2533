"""mnist-edge data"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_edge.cli.console import echo, echo_json, print_table, progress_bar
from mnist_edge.cli.options import (
    DATASETS_HELP,
    AsJson,
    Color,
    DataDir,
    FitName,
    Size,
    parse_image_options,
)
from mnist_edge.errors import UsageError

if TYPE_CHECKING:
    from mnist_edge.datasets import Dataset, Outliers
    from mnist_edge.datasets.check_results import DataCheck
    from mnist_edge.lab.training.events import StepResult

_PREVIEW_PER_CLASS = 10


def data(
    name: Annotated[str, typer.Argument(help=f"{DATASETS_HELP}.")] = "mnist",
    data_dir: DataDir = None,
    size: Size = None,
    color: Color = None,
    fit: FitName = None,
    preview: Annotated[
        Path | None, typer.Option(help="Draw ten images of each class into this PNG.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Look for duplicates, blank, tiny and odd-sized pictures and labels that are "
            "probably wrong, and say whether more pictures would help. Small networks are trained "
            "for it.",
        ),
    ] = False,
    sheet: Annotated[
        Path | None, typer.Option(help="Draw what --check found into this PNG.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch a data set, check it, and say what it holds."""
    from mnist_edge import output_paths
    from mnist_edge.dataset_names import folders_of
    from mnist_edge.datasets import load
    from mnist_edge.report import data_check, dataset, tables

    options = parse_image_options(size, color, fit)
    output_paths.check_files({"--preview": preview, "--sheet": sheet}, folders_of(name))
    if sheet and not check:
        raise UsageError("--sheet draws what --check finds: add --check")
    with progress_bar() as progress:
        found = load(name, data_dir, progress, options, skip_unreadable=check)
    if preview:
        _draw_preview(preview, found)
    checked = _check(found) if check else None
    if checked and sheet:
        data_check.write_sheet(sheet, checked, found.classes)
    if as_json:
        _echo_json(found, checked)
        return
    echo(f"{found.name}, from {found.source}: checked")
    echo("")
    print_table(tables.dataset(found))
    written = [path for path in (preview, sheet) if path]
    for part in (
        dataset.lines(found),
        data_check.lines(checked, found.classes) if checked else [],
        [f"wrote {' and '.join(map(str, written))}"] if written else [],
    ):
        for line in ["", *part] if part else []:
            echo(line)


def _echo_json(found: "Dataset", checked: "DataCheck | None") -> None:
    import numpy as np

    from mnist_edge.report import data_check, dataset, tables

    counts = {
        split: np.bincount(labels, minlength=len(found.classes)).tolist()
        for split, labels in tables.splits(found).items()
    }
    findings = dataset.as_json(found.findings)
    echo_json(
        {
            "name": found.name,
            "source": found.source,
            "classes": found.classes,
            "shape": asdict(found.shape),
            "fit": found.fit.value,
        }
        | counts
        | ({"outliers": _count_outliers(found.outliers)} if found.outliers else {})
        | ({"findings": findings} if findings else {})
        | ({"check": data_check.as_json(checked, found.classes)} if checked else {})
    )


def _count_outliers(outliers: "Outliers") -> dict[str, int]:
    names = ("training", "validation", "test")
    return {name: len(getattr(outliers, name)) for name in names}


def _check(found: "Dataset") -> "DataCheck":
    """The check of a data set's content, under a bar."""
    from mnist_edge.lab import data_check
    from mnist_edge.lab.training.distributed import process_group

    with progress_bar() as progress, process_group("auto") as group:

        def watch(name: str, step: "StepResult") -> None:
            done = (step.epoch - 1) * step.steps + step.step
            progress(name, done, step.epochs * step.steps)

        plan = data_check.CheckPlan(dataset=found.name, kind=found.kind)
        return data_check.check(found, plan, group, progress, watch)


def _draw_preview(path: Path, found: "Dataset") -> None:
    import numpy as np

    from mnist_edge.report import contact_sheet

    chosen = np.concatenate(
        [
            np.flatnonzero(found.train.labels == label)[:_PREVIEW_PER_CLASS]
            for label in range(len(found.classes))
        ]
    )
    captions = [found.classes[label] for label in found.train.labels[chosen]]
    contact_sheet.write(path, found.train.images[chosen], captions, columns=_PREVIEW_PER_CLASS)
