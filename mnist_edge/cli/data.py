"""mnist-edge data"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_edge.cli.console import echo, echo_json, print_table, progress_bar
from mnist_edge.cli.options import DATASETS_HELP, AsJson, DataDir

if TYPE_CHECKING:
    from mnist_edge.datasets import Dataset

_PREVIEW_PER_CLASS = 10


def data(
    name: Annotated[str, typer.Argument(help=f"{DATASETS_HELP}.")] = "mnist",
    data_dir: DataDir = None,
    preview: Annotated[
        Path | None, typer.Option(help="Draw ten images of each class into this PNG.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch a data set, check it, and say what it holds."""
    import numpy as np

    from mnist_edge import output_paths
    from mnist_edge.datasets import FOLDER, load
    from mnist_edge.report import dataset, tables

    read = [Path(name.removeprefix(FOLDER))] if name.startswith(FOLDER) else []
    output_paths.check_files({"--preview": preview}, read)
    with progress_bar() as progress:
        found = load(name, data_dir, progress)
    if preview:
        _draw_preview(preview, found)
    if as_json:
        counts = {
            split: np.bincount(labels, minlength=len(found.classes)).tolist()
            for split, labels in tables.splits(found).items()
        }
        own = dataset.as_json(found.findings)
        echo_json(
            {"name": found.name, "source": found.source, "classes": found.classes}
            | counts
            | ({"findings": own} if own else {})
        )
        return
    echo(f"{found.name}, from {found.source}: checked")
    echo("")
    print_table(tables.dataset(found))
    told = dataset.lines(found)
    for line in ["", *told] if told else []:
        echo(line)
    if preview:
        echo("")
        echo(f"wrote {preview}")


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
