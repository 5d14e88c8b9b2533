"""A network's layers in the order in which they run: what they are, give, hold and cost."""

import copy

import torch
from torch import Tensor, nn

from mnist_edge.catalogue import Cost, Layer, total
from mnist_edge.lab.training.blocks import fold_blocks
from mnist_edge.lab.training.models import Network


def cost(network: Network) -> Cost:
    """Parameters, and the multiply-adds of convolutions and dense layers for one image.

    Of a folding block, the one convolution is counted that an exported file runs.
    """
    exported = copy.deepcopy(network).eval()
    fold_blocks(exported)
    return total(layers(exported))


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


def _is_layer(module: nn.Module) -> bool:
    return not list(module.children()) or _holds(module)


def _holds(module: nn.Module) -> bool:
    return bool(list(module.parameters(recurse=False)))


def _run(network: Network) -> None:
    was_training, device = network.training, network.temperature.device
    with torch.no_grad():
        network.eval()(torch.zeros(1, *network.shape.dims, dtype=torch.uint8, device=device))
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
    """Those of convolutions and dense layers."""
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
