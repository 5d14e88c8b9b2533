"""Which small network is worth training: what each costs in ONNX Runtime. Run it with

    python -m benchmarks.architecture_search [--against FILE.onnx] [MODEL …]

A MODEL is a name of the zoo, or a chain of folding blocks as `mnist-edge train --model` takes it
too. Each is exported with random weights (its time does not depend on them) in fp32 and int8, and
all are timed in one run, interleaved, on one thread and one image a call. Times are ratios to the
file of --against, or to the first network.
"""

import argparse
import tempfile
from pathlib import Path

import onnx
import torch

from mnist_edge.host.machine import this_machine
from mnist_edge.lab.export.graph import to_onnx
from mnist_edge.lab.export.qdq import Quantizer
from mnist_edge.lab.reproduce.exports import time_files
from mnist_edge.lab.training.layer_summary import cost
from mnist_edge.lab.training.models import Network, build
from mnist_edge.preprocess import render_digits
from mnist_edge.report import formatting

CHAINS = (
    "16k5s2-32s2-32-48s2-48",
    "16k5s2-32s2-64s2-64",
    "16k5s2-32s2-32",
    "16k5s2-24s2-32s2",
)


def network(name: str) -> Network:
    """A chain, or a name of the zoo, with random weights; seeded."""
    torch.manual_seed(0)
    return _with_statistics(build(name))


def _with_statistics(made: Network) -> Network:
    """With running statistics of digits: at rest, what passes a network dies out."""
    made.train()
    with torch.no_grad():
        for _ in range(20):
            made(torch.from_numpy(render_digits(256)))
    return made.eval()


def export_both(made: Network) -> dict[str, onnx.ModelProto]:
    """The network as fp32 and as int8."""
    fp32 = to_onnx(made)
    return {"fp32": fp32, "int8": Quantizer(fp32, render_digits(256)).quantize()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=CHAINS)
    parser.add_argument("--against", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = {("peer", given.against.name): given.against} if given.against else {}
        costs = {}
        for name in given.models:
            made = network(name)
            costs[name] = cost(made)
            for precision, model in export_both(made).items():
                files[precision, name] = Path(folder) / f"{len(files)}.onnx"
                onnx.save(model, files[precision, name])
        timed = time_files(files)
    print(f"{this_machine().cpu}; p50 in µs, and the ratio to the first with its 95 % interval")
    for (precision, name), found in timed.items():
        shown = f"{found.p50_us:7.1f}"
        if found.ratio is not None:
            shown += f"   {formatting.ratio(found.ratio)}"
        spent = costs.get(name)
        paid = f"{spent.params:>8,} {spent.macs:>10,}" if spent else " " * 19
        print(f"{name:<36} {precision} {paid} {shown}")


if __name__ == "__main__":
    main()
