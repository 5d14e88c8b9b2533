"""mnist-edge data and models"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnist_edge.cli.options import AsJson, DataDir
from mnist_edge.cli.shell import progress_bar, say, say_json, show

if TYPE_CHECKING:
    from mnist_edge.datasets import Dataset
    from mnist_edge.lab.models import Cost, Network

_PREVIEW_PER_CLASS = 10


def data(
    name: Annotated[
        str, typer.Argument(help="mnist, fashion-mnist, kmnist, qmnist, digits or folder:PATH.")
    ] = "mnist",
    data_dir: DataDir = None,
    preview: Annotated[
        Path | None, typer.Option(help="Draw ten images of each class into this PNG.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch a data set, check it, and say what it holds."""
    import numpy as np

    from mnist_edge.datasets import load
    from mnist_edge.report import table

    with progress_bar() as tell:
        found = load(name, data_dir, tell)
    if preview:
        _draw_preview(preview, found)
    if as_json:
        counts = {
            split: np.bincount(labels, minlength=len(found.classes)).tolist()
            for split, labels in (("train", found.train.labels), ("test", found.test.labels))
        }
        say_json({"name": found.name, "source": found.source, "classes": found.classes} | counts)
        return
    say(f"{found.name}, from {found.source}: checked\n")
    show(table.dataset(found))
    if preview:
        say(f"\nwrote {preview}")


def models(
    name: Annotated[
        str | None, typer.Argument(help="One of them alone.", show_default=False)
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Show its layers: output shapes, parameters, MACs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the zoo: what each model is, and what it costs."""
    if summary and name is None:
        raise typer.BadParameter("--summary is of one model: name it, as in 'models edge'")
    from mnist_edge.lab.models import ZOO, build, cost, entry
    from mnist_edge.report.table import plain
    from mnist_edge.report.text import amount

    networks = {one: build(one) for one in ([name] if name else ZOO)}
    costs = {one: cost(network) for one, network in networks.items()}
    if as_json:
        values = {
            one: {
                "what": entry(one).what,
                "params": spent.params,
                "macs": spent.macs,
                "input": "uint8 (N, 28, 28)",
                "shortcuts": entry(one).shortcuts,
            }
            | ({"layers": _layer_values(networks[one])} if summary else {})
            for one, spent in costs.items()
        }
        say_json(values)
        return
    rows = [
        [one, entry(one).what, amount(spent.params), amount(spent.macs)]
        for one, spent in costs.items()
    ]
    show(plain(["model", "what it is", "parameters", "MACs"], rows, left=2))
    say("")
    if summary and name:
        _show_layers(networks[name], costs[name])
    takes = "It takes" if name else "Each takes"
    say(f"{takes} images uint8 (N, 28, 28), 0 = background, and gives logits.")


def _layer_values(network: "Network") -> list[dict[str, Any]]:
    from mnist_edge.lab.summary import layers

    return [asdict(layer) for layer in layers(network)]


def _show_layers(network: "Network", exported: "Cost") -> None:
    from mnist_edge.lab.summary import grid, layers, total
    from mnist_edge.report.table import plain
    from mnist_edge.report.text import amount

    found = layers(network)
    folds = total(found) != exported
    shown = grid(found, "all, while it learns" if folds else "all")
    show(plain(shown.columns, shown.rows, shown.left))
    say("\nSums, and what else is no module, hold no parameters and are not listed.")
    if folds:
        say(
            "An exported file folds each block into one convolution: "
            f"{exported.params:,} parameters, {amount(exported.macs)} multiply-adds."
        )


def _draw_preview(path: Path, found: "Dataset") -> None:
    import numpy as np

    from mnist_edge.report import sheet

    chosen = np.concatenate(
        [
            np.flatnonzero(found.train.labels == label)[:_PREVIEW_PER_CLASS]
            for label in range(len(found.classes))
        ]
    )
    captions = [found.classes[label] for label in found.train.labels[chosen]]
    sheet.write(path, found.train.images[chosen], captions, columns=_PREVIEW_PER_CLASS)
