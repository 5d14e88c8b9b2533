"""A network's layers in the order in which they run: what they are, give, hold and cost."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mnist_edge.contract import SIDE
from mnist_edge.lab.models import Cost, Network
from mnist_edge.report.grid import Grid


@dataclass(frozen=True, slots=True)
class Layer:
    """A module without modules of its own, or whatever else holds parameters.

    `name` is its place in the network's body, `kind` its class and what shapes its output.
    `output` is the shape for one image, without the N in front; None for a layer that did not
    run, or gave no tensor. `params` are trainable and counted where they are met first, `macs`
    are multiply-adds for one image.
    """

    name: str
    kind: str
    output: tuple[int, ...] | None
    params: int
    macs: int


def layers(network: Network) -> list[Layer]:
    """Every layer, as one blank image meets them in eval mode; a layer that runs twice stands
    there twice. Layers that hold parameters and did not run come last.

    What is no module, such as a sum or `F.relu`, is not seen: it has no parameters.
    """
    names = {module: name for name, module in network.named_modules()}
    ran: list[tuple[nn.Module, object]] = []
    hooks = [
        module.register_forward_hook(lambda module, _, output: ran.append((module, output)))
        for module in names
        if _is_layer(module)
    ]
    try:
        _run(network)
    finally:
        for hook in hooks:
            hook.remove()
    met = {module for module, _ in ran}
    ran += [(module, None) for module in names if _holds(module) and module not in met]
    counted: set[Tensor] = set()
    return [_layer(names[module], module, output, counted) for module, output in ran]


def total(found: list[Layer]) -> Cost:
    """What all layers cost together."""
    return Cost(sum(layer.params for layer in found), sum(layer.macs for layer in found))


def grid(found: list[Layer], everything: str = "all") -> Grid:
    """A row for each layer, and one for what all of them cost together."""
    spent = total(found)
    rows = [
        (layer.name, layer.kind, _shown(layer.output), f"{layer.params:,}", f"{layer.macs:,}")
        for layer in found
    ]
    rows.append((everything, "", "", f"{spent.params:,}", f"{spent.macs:,}"))
    return Grid(("layer", "kind", "output", "parameters", "MACs"), tuple(rows), left=3)


def _shown(output: tuple[int, ...] | None) -> str:
    return f"({', '.join(['N', *map(str, output)])})" if output is not None else "did not run"


def _is_layer(module: nn.Module) -> bool:
    return not list(module.children()) or _holds(module)


def _holds(module: nn.Module) -> bool:
    return bool(list(module.parameters(recurse=False)))


def _run(network: Network) -> None:
    was_training, device = network.training, network.temperature.device
    with torch.no_grad():
        network.eval()(torch.zeros(1, SIDE, SIDE, dtype=torch.uint8, device=device))
    network.train(was_training)


def _layer(name: str, module: nn.Module, output: object, counted: set[Tensor]) -> Layer:
    own = [p for p in module.parameters(recurse=False) if p.requires_grad and p not in counted]
    counted.update(own)
    shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else None
    return Layer(
        name=name.removeprefix("body."),
        kind=_kind(module),
        output=shape,
        params=sum(p.numel() for p in own),
        macs=_macs(module, output),
    )


def _macs(module: nn.Module, output: object) -> int:
    """As `models.cost` counts them: those of convolutions and dense layers."""
    if not isinstance(output, Tensor):
        return 0
    if isinstance(module, nn.Conv2d):
        return output.numel() * module.weight[0].numel()
    return module.weight.numel() if isinstance(module, nn.Linear) else 0


def _kind(module: nn.Module) -> str:
    """Conv2d 3×3, stride 2"""
    kind = type(module).__name__
    if not isinstance(module, nn.Conv2d):
        return kind
    kind += f" {module.kernel_size[0]}×{module.kernel_size[1]}"
    stride = max(module.stride)
    return kind if stride == 1 else f"{kind}, stride {stride}"
