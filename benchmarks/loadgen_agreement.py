"""LoadGen's single-stream latency against our stopwatch's. Run it with

    python -m benchmarks.loadgen_agreement [--pairs N] [FILE …]

In one process, in turn: our stopwatch, LoadGen, and LoadGen with our clock around the very calls
that it times, which shows its own share without the drift of the machine in between. Each holds
for half a second, on one thread and real test images where they are here.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge import datasets
from mnist_edge.backends import Contender, OnnxRuntime, Runner
from mnist_edge.benchmark import loadgen
from mnist_edge.benchmark.stopwatch import Protocol, measure
from mnist_edge.intervals import Ratio, paired_ratio
from mnist_edge.model_file import model_paths
from mnist_edge.preprocess import render_digits
from mnist_edge.types import Images

_DURATION_S = 0.5
_RANKS = (50, 90)


class Clocked:
    """A runner with our clock around its answers."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.samples_us: list[float] = []

    def prepare(self, images: Images) -> Any:
        self.samples_us.clear()  # the last are prepared after the warm-up
        return self.runner.prepare(images)

    def run(self, prepared: Any) -> NDArray[np.float32]:
        start = time.perf_counter_ns()
        logits = self.runner.run(prepared)
        self.samples_us.append((time.perf_counter_ns() - start) / 1000)
        return logits


@dataclass(frozen=True)
class Inside(OnnxRuntime):
    """A contender whose runner is `clocked`."""

    clocked: Clocked

    def load(self, threads: int, optimize: bool = True) -> Clocked:  # type: ignore[override]
        return self.clocked


def ours(contender: Contender, images: Images) -> list[float]:
    runner = contender.load(1)
    prepared, run = [runner.prepare(image[None]) for image in images], runner.run
    calls = [lambda count: run(prepared[count % len(prepared)])]
    latency = measure(calls, Protocol(duration_s=_DURATION_S)).latencies[0]
    return [float(np.percentile(latency.samples_us, rank)) for rank in _RANKS]


def theirs(contender: Contender, images: Images) -> list[float]:
    with tempfile.TemporaryDirectory() as logs:
        found = loadgen.run(
            contender, images, "single-stream", 1, _DURATION_S, None, Path(logs), batch=1
        )
    return [found.p50_us, found.p90_us]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--pairs", type=int, default=40)
    arguments = parser.parse_args()
    mnist = datasets.load_if_here("mnist")
    images = mnist.test.images[:1000] if mnist else render_digits(1000)
    for path in arguments.files or model_paths.default_files():
        contender = OnnxRuntime.open(path)
        rows = []
        for _ in range(arguments.pairs):
            apart = [ours(contender, images), theirs(contender, images)]
            clocked = Clocked(contender.load(1))
            inside = Inside(contender.model, contender.info, contender.input_format, clocked)
            whole = theirs(inside, images)
            clock = [float(np.percentile(clocked.samples_us, rank)) for rank in _RANKS]
            rows.append([*apart, clock, whole])
        _show(path, np.array(rows))


def _show(path: Path, found: NDArray[np.float64]) -> None:
    """`found` (pairs, 4, ranks): ours, LoadGen's; ours and LoadGen's of the same calls."""
    print(f"{path}, median of {len(found)} (their interquartile range), µs")
    for at, rank in enumerate(_RANKS):
        columns = [_spread(found[:, column, at]) for column in range(4)]
        apart, same = (
            _ratio(paired_ratio(found[:, first + 1, at], found[:, first, at])) for first in (0, 2)
        )
        print(f"  p{rank}: ours {columns[0]}, LoadGen's {columns[1]}: {apart}")
        print(f"       of the same calls: {columns[2]}, LoadGen's {columns[3]}: {same}")


def _spread(values: NDArray[np.float64]) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.1f} ({low:.1f}-{high:.1f})"


def _ratio(ratio: Ratio | None) -> str:
    return f"{ratio.value:.3f} × ({ratio.low:.3f}-{ratio.high:.3f})" if ratio else "too few"


if __name__ == "__main__":
    main()
