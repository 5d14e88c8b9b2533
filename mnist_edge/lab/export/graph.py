"""A PyTorch network -> an ONNX graph: folded, slim, and in the lowest opset that expresses it."""

import copy
import logging
import warnings
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager

import onnx
import torch
from onnx import numpy_helper
from torch import nn

from mnist_edge.errors import EdgeError
from mnist_edge.image_shape import ImageShape
from mnist_edge.lab.training.blocks import fold_blocks
from mnist_edge.lab.training.models import Network, channels_first
from mnist_edge.model_file.contract import INPUT, OUTPUT

_DEFAULTS = {"strides": 1, "dilations": 1, "pads": 0}
OPSET = 18  # the lowest that torch.onnx writes; what a graph really needs is found afterwards


def to_onnx(network: Network) -> onnx.ModelProto:
    """The network as an ONNX graph: image uint8 (N, H, W) or (N, H, W, 3) -> logits
    float32 (N, classes).

    1/255 and the temperature are folded into weights, batch norms into convolutions. Opset and IR
    are the lowest that express the graph.
    """
    folded = _fold(network)
    example = torch.zeros(2, *network.shape.dims, dtype=torch.uint8)
    with _quiet():
        program = torch.onnx.export(
            folded,
            (example,),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={"images": {0: "N"}},
            verbose=False,
        )
    assert program is not None  # with dynamo=True there is always one
    model: onnx.ModelProto = program.model_proto
    slim(model)
    _lower_opset(model)
    onnx.checker.check_model(model, full_check=True)
    left = {node.op_type for node in model.graph.node} & {"BatchNormalization", "Div"}
    if left:
        raise EdgeError(f"the exporter left {', '.join(sorted(left))} in the graph: not folded")
    return model


class _Folded(nn.Module):
    """A network whose normalisation and temperature have moved into its weights."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.body(channels_first(images.float()))
        return logits


def _fold(network: Network) -> nn.Module:
    body = copy.deepcopy(network.body).eval()
    fold_blocks(body)
    with torch.no_grad():
        for convolution in _image_convolutions(body, network.shape):
            convolution.weight.div_(255)
        last = [layer for layer in body.modules() if isinstance(layer, nn.Linear)][-1]
        last.weight.div_(network.temperature)
        last.bias.div_(network.temperature)
    return _Folded(body).eval()


def _image_convolutions(body: nn.Module, shape: ImageShape) -> list[nn.Conv2d]:
    """The convolutions that take the image itself: a stem, or a first block and its shortcut."""
    image, found = torch.zeros(1, shape.channels, shape.height, shape.width), []

    def note(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0] is image and isinstance(layer, nn.Conv2d):
            found.append(layer)

    hooks = [layer.register_forward_pre_hook(note) for layer in body.modules()]
    with torch.no_grad():
        body(image)
    for hook in hooks:
        hook.remove()
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's remarks on its own insides are nothing that a user can act on."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(before)


def slim(model: onnx.ModelProto, keep_names: Sequence[str] | None = None) -> None:
    """Drop what no runtime reads: traces, doc strings, inferred shapes, long names, attributes
    that say what is the case without them.

    With `keep_names`, nodes of these types keep theirs, and the others, of which an int8 graph
    has many, go without.
    """
    graph, opset = model.graph, model.opset_import[0].version
    graph.name = "mnist_edge"
    model.ClearField("doc_string")
    graph.ClearField("doc_string")
    del graph.value_info[:]
    del graph.metadata_props[:]
    for item in [*graph.input, *graph.output, *graph.initializer, *graph.node]:
        item.ClearField("doc_string")
        item.ClearField("metadata_props")
    shapes = {tensor.name for tensor in graph.initializer if _is_without_zeros(tensor)}
    for node in graph.node:
        usual = [item for item in node.attribute if _is_default(node, item, opset, shapes)]
        for item in usual:
            node.attribute.remove(item)
    names = {INPUT: INPUT, OUTPUT: OUTPUT, "": ""}
    for tensor in graph.initializer:
        tensor.name = names.setdefault(tensor.name, f"w{len(names)}")
    for at, node in enumerate(graph.node):
        if keep_names is None:
            node.name = f"{node.op_type}_{at}"
        elif node.op_type not in keep_names:
            node.ClearField("name")
        for position, name in enumerate(node.output):
            node.output[position] = names.setdefault(name, f"x{len(names)}")
        for position, name in enumerate(node.input):
            node.input[position] = names[name]


def _is_without_zeros(tensor: onnx.TensorProto) -> bool:
    return tensor.data_type == onnx.TensorProto.INT64 and bool(numpy_helper.to_array(tensor).all())


def _is_default(
    node: onnx.NodeProto, attribute: onnx.AttributeProto, opset: int, shapes: Container[str]
) -> bool:
    """Whether an attribute has its operator's default value, or says nothing.

    `allowzero` is about zeros in a Reshape's shape, and says nothing of `shapes`, which have none.
    Where it is stated nevertheless, ONNX Runtime up to 1.10 cannot run the node.
    """
    if attribute.name == "allowzero" and node.input[1] in shapes:
        return True
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.name in _DEFAULTS:  # the standard gives these defaults in words
        return set(value) == {_DEFAULTS[attribute.name]}
    schema = onnx.defs.get_schema(node.op_type, opset)
    default = schema.attributes[attribute.name].default_value
    known = default.type != onnx.AttributeProto.UNDEFINED
    return bool(known and value == onnx.helper.get_attribute_value(default))


def _lower_opset(model: onnx.ModelProto) -> None:
    """State the lowest opset in which every operator still has the definition it was written to,
    and the IR version that came with it: old runtimes on devices refuse newer ones."""
    written = model.opset_import[0].version
    needed = max(
        onnx.defs.get_schema(node.op_type, written).since_version for node in model.graph.node
    )
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", needed))
    model.ir_version = onnx.helper.find_min_ir_version_for(model.opset_import)
    model.producer_name, model.producer_version = "mnist-edge", ""
