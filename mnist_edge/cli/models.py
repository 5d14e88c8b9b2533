"""mnist-edge models"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnist_edge.catalogue import NETWORKS, Cost, Layer, Network, total
from mnist_edge.cli.console import echo, echo_err, echo_json, print_table
from mnist_edge.cli.options import AsJson, parse_image_options
from mnist_edge.errors import ModelError, UsageError
from mnist_edge.image_shape import MNIST_SHAPE, ImageShape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mnist_edge.model_file.contract import Card


_SHAPES = "For others, 16 to 96 pixels a side: --size, --color."


def models(
    name: Annotated[
        str | None, typer.Argument(help="One network alone.", show_default=False)
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Show its layers: output shapes, parameters, MACs.")
    ] = False,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="N|WxH",
            help="Count and show for images of so many pixels, width x height, 16 to 96 each "
            "[default: 28].",
            show_default=False,
        ),
    ] = None,
    color: Annotated[
        bool | None,
        typer.Option(
            "--color/--grey", help="Images in RGB, or in grey [default].", show_default=False
        ),
    ] = None,
    files: Annotated[bool, typer.Option("--files", help="List the exported files alone.")] = False,
    copy: Annotated[
        tuple[str, Path] | None,
        typer.Option(
            metavar="NAME DIR", help="Copy an exported file and its model card into a folder."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --copy: replace other files.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the networks that can be trained, and the exported files.

    The files have names that all commands take: those in exported/ of the current folder, and
    those that came with the package.
    """
    _check(name, summary, files, copy, force, as_json)
    shape = parse_image_options(size, color, None).apply(MNIST_SHAPE)
    if (files or copy) and (size is not None or color is not None):
        raise UsageError("--size, --color and --grey are about networks: leave them away")
    if copy:
        from mnist_edge.model_file import model_paths

        echo(f"wrote {model_paths.copy(*copy, force=force)}")
    elif files:
        _show_files(as_json)
    elif name:
        _show_network(name, summary, shape, as_json)
    elif as_json:
        networks = {one: _describe(one, shape) for one in NETWORKS}
        echo_json({one: _network_values(network, shape) for one, network in networks.items()})
    else:
        _show_networks({one: _describe(one, shape) for one in NETWORKS})
        echo("")
        echo(f"Counted for images uint8 {shape.array}. {_SHAPES}")
        echo("")
        _show_files(as_json)


def _check(
    name: str | None,
    summary: bool,
    files: bool,
    copy: tuple[str, Path] | None,
    force: bool,
    as_json: bool,
) -> None:
    if summary and name is None:
        raise UsageError("--summary is of one network: name it, as in 'models edge --summary'")
    if (files or copy) and name is not None:
        raise UsageError(f"--files and --copy are about exported files: leave '{name}' away")
    if copy and (files or as_json):
        raise UsageError("--copy goes without --files and --json")
    if force and not copy:
        raise UsageError("--force goes with --copy")


def _show_networks(networks: "Mapping[str, Network]") -> None:
    from mnist_edge.report.formatting import amount
    from mnist_edge.report.grid import Grid

    rows = [
        (name, network.what, amount(network.params), amount(network.macs))
        for name, network in networks.items()
    ]
    print_table(Grid(("network", "what it is", "parameters", "MACs"), tuple(rows), left=2))


def _describe(name: str, shape: ImageShape) -> Network:
    """What a network costs for images of a shape. Of others than MNIST's, and of a chain, only
    PyTorch can tell."""
    if name in NETWORKS and shape == MNIST_SHAPE:
        return NETWORKS[name]
    from mnist_edge.lab.training import layer_summary
    from mnist_edge.lab.training.models import architecture, build

    cost, known = layer_summary.cost(build(name, shape=shape)), architecture(name)
    return Network(known.what, cost.params, cost.macs, known.shortcuts)


def _network_values(network: Network, shape: ImageShape) -> dict[str, Any]:
    return {
        "what": network.what,
        "params": network.params,
        "macs": network.macs,
        "input": f"uint8 {shape.array}",
        "shortcuts": network.shortcuts,
    }


def _show_network(name: str, summary: bool, shape: ImageShape, as_json: bool) -> None:
    network, layers = _describe(name, shape), list[Layer]()
    if summary:
        from mnist_edge.lab.training import layer_summary
        from mnist_edge.lab.training.models import build

        layers = layer_summary.layers(build(name, shape=shape))
    if as_json:
        summarized = {"layers": [asdict(layer) for layer in layers]} if summary else {}
        echo_json({name: _network_values(network, shape) | summarized})
        return
    _show_networks({name: network})
    echo("")
    if summary:
        _show_layers(layers, Cost(network.params, network.macs))
    echo(f"Counted for images uint8 {shape.array}. {_SHAPES}")


def _show_files(as_json: bool) -> None:
    from mnist_edge.model_file import model_paths
    from mnist_edge.report.formatting import percent, size
    from mnist_edge.report.grid import Grid

    cards = {path: card for path in model_paths.all_named() if (card := _card(path))}
    if as_json:
        echo_json([_file_values(path, card) for path, card in cards.items()])
        return
    rows = [
        (path.stem, card.dataset, percent(card.accuracy.value), size(path.stat().st_size))
        for path, card in cards.items()
    ]
    if not rows:
        echo("There is no exported file here: make one with 'mnist-edge export'.")
        return
    print_table(Grid(("file", "data set", "accuracy", "size"), tuple(rows), left=2))
    echo("")
    for folder in dict.fromkeys(path.parent for path in cards):
        names = ", ".join(path.stem for path in cards if path.parent == folder)
        echo(f"{names}: in {folder}")


def _card(path: Path) -> "Card | None":
    """What a file says of itself, without running it; what is wrong with it is said."""
    from mnist_edge.model_file.contract import Card
    from mnist_edge.model_file.reader import ModelFile

    try:
        return Card.from_metadata(ModelFile.of(path).graph.metadata)
    except ModelError as error:
        echo_err(f"left out: {path}: {error}")
        return None


def _file_values(path: Path, card: "Card") -> dict[str, Any]:
    return {
        "name": path.stem,
        "file": str(path),
        "model": card.model,
        "dataset": card.dataset,
        "precision": card.precision,
        "accuracy": card.accuracy.value,
        "size_bytes": path.stat().st_size,
    }


def _show_layers(layers: "Sequence[Layer]", exported: Cost) -> None:
    from mnist_edge.report import tables
    from mnist_edge.report.formatting import amount

    folds = total(layers) != exported
    print_table(tables.layers(layers, "all, while it learns" if folds else "all"))
    echo("")
    echo("Sums, and what else is no module, hold no parameters and are not listed.")
    if folds:
        echo(
            "An exported file folds each block into one convolution: "
            f"{exported.params:,} parameters, {amount(exported.macs)} multiply-adds."
        )
