"""How an image enters an int8 network fastest in ONNX Runtime. Run it with

    python -m benchmarks.int8_image_layout [NETWORK:WIDTHxHEIGHTxCHANNELS …]

An image (H, W, C) is a row of W · C bytes after the other. Direct int8 kernels take channels in
fours, so its bytes can be read as they are; in groups of 4, 6 or 12 bytes as channels, where the
stem computes the output pixels of so many bytes at once; or with a channel of zeros added (Pad).
Each way computes the same. All are timed in one run, interleaved, on one thread, at batch 1 and 64;
how long each takes against the image's own channels is paired, with the 95 % interval.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from mnist_edge.benchmark.latency import speedup
from mnist_edge.benchmark.stopwatch import Protocol, measure
from mnist_edge.host.machine import this_machine
from mnist_edge.image_shape import ImageShape
from mnist_edge.lab.export.graph import to_onnx
from mnist_edge.lab.export.graph_editor import readers
from mnist_edge.lab.export.int8_layout import to_int8_layout
from mnist_edge.lab.export.qdq import Quantizer
from mnist_edge.lab.training.models import build
from mnist_edge.model_file.contract import INPUT, OUTPUT
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.model_file.session import open_session

CASES = (
    *("resnet8:32x32x3", "resnet8:96x96x3", "resnet8:30x30x3"),
    *("edge:32x32x3", "edge:96x96x3", "resnet18:64x64x3"),
)
OWN = "own channels"


def add_channel(model: onnx.ModelProto) -> onnx.ModelProto:
    """An int8 graph that reads three channels, with a fourth of zeros."""
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    for node in [node for node in graph.node if node.op_type == "Conv"]:
        tensor = tensors[makers[node.input[1]].input[0]]
        values = numpy_helper.to_array(tensor)
        if values.shape[1] == 3:
            wider = np.pad(values, ((0, 0), (0, 1), (0, 0), (0, 0)))
            tensor.CopyFrom(numpy_helper.from_array(wider, tensor.name))
    for node in readers(graph, INPUT):
        node.input[0] = "four_channels"
    pads = numpy_helper.from_array(np.array([0, 0, 0, 0, 0, 0, 0, 1]), "one_more")
    graph.initializer.append(pads)
    graph.node.insert(0, helper.make_node("Pad", [INPUT, "one_more"], ["four_channels"]))
    onnx.checker.check_model(model, full_check=True)
    return model


def variants(name: str, shape: ImageShape) -> dict[str, onnx.ModelProto]:
    """A network with random weights: its fp32 graph, and the int8 ones that compute the same."""
    torch.manual_seed(0)
    network = build(name, shape=shape)
    images = np.random.default_rng(0).integers(0, 256, (64, *shape.dims), np.uint8)
    network.train()(torch.from_numpy(images))  # batch norms that fit
    fp32 = to_onnx(network.eval())

    def int8(size: int | None) -> onnx.ModelProto:
        return Quantizer(
            fp32, images, layout=partial(to_int8_layout, choose_size=lambda shape, stride: size)
        ).quantize()

    made = {"fp32": fp32, OWN: int8(None)}
    made |= {f"{size} bytes": int8(size) for size in ((4, 6, 12) if shape.is_color else (4,))}
    if shape.is_color:
        made["a zero channel"] = add_channel(int8(None))
    return made


def call(model: onnx.ModelProto, images: np.ndarray[Any, Any]) -> Callable[[int], Any]:
    run = open_session(ModelFile(Path("variant.onnx"), model.SerializeToString())).run
    return lambda count: run([OUTPUT], {INPUT: images})[0]


def main() -> None:
    print(this_machine())
    for case in sys.argv[1:] or CASES:
        name, dims = case.split(":")
        width, height, channels = map(int, dims.split("x"))
        shape = ImageShape(height, width, channels)
        made = variants(name, shape)
        for batch in (1, 64):
            images = np.random.default_rng(1).integers(0, 256, (batch, *shape.dims), np.uint8)
            calls = {kind: call(model, images) for kind, model in made.items()}
            expected = calls[OWN](0)
            for kind in list(calls)[1:]:
                np.testing.assert_allclose(calls[kind](0), expected, atol=0.05 * np.ptp(expected))
            protocol = Protocol(samples=31, duration_s=1.0, rounds=31)
            timed = dict(zip(calls, measure(list(calls.values()), protocol).latencies, strict=True))
            print(f"{name}, {shape}, {batch} images a call: µs an image (p50), times as long")
            for kind, latency in timed.items():
                longer = speedup(latency, timed[OWN])
                shown = f"  {kind:<16} {np.median(latency.samples_us) / batch:9.2f}"
                if longer and kind != OWN:
                    shown += f"   {longer.value:.2f} ({longer.low:.2f} to {longer.high:.2f})"
                print(shown, flush=True)


if __name__ == "__main__":
    main()
