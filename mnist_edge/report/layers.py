"""The table of a network's layers."""

from collections.abc import Sequence

from mnist_edge.catalogue import Layer, total
from mnist_edge.report.grid import Grid


def grid(layers: Sequence[Layer], everything: str = "all") -> Grid:
    """A row for each layer, and one for what all of them cost together."""
    spent = total(layers)
    rows = [
        (layer.name, layer.kind, _shape(layer.output), f"{layer.params:,}", f"{layer.macs:,}")
        for layer in layers
    ]
    rows.append((everything, "", "", f"{spent.params:,}", f"{spent.macs:,}"))
    return Grid(("layer", "kind", "output", "parameters", "MACs"), tuple(rows), left=3)


def _shape(output: tuple[int, ...] | None) -> str:
    return f"({', '.join(['N', *map(str, output)])})" if output is not None else "did not run"
