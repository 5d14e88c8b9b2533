"""What `Classifier.predict` adds to ONNX Runtime's bare `run`. Run it with

    python -m benchmarks.classifier_overhead [FILE …]

Both are timed in one run, interleaved, on one thread and one image a call.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from mnist_edge.benchmark.latency import speedup
from mnist_edge.benchmark.stopwatch import Protocol, measure
from mnist_edge.classifier import Classifier
from mnist_edge.model_file import model_paths
from mnist_edge.model_file.session import open_session
from mnist_edge.preprocess import render_digits


def main() -> None:
    images = [image[None] for image in render_digits(200)]
    protocol = Protocol(samples=20_000, duration_s=4)
    for path in [Path(name) for name in sys.argv[1:]] or model_paths.default_files():
        model, run = Classifier(path), open_session(path).run

        def bare(count: int, run: Any = run) -> object:
            return run(["logits"], {"image": images[count % 200]})

        def predict(count: int, model: Classifier = model) -> object:
            return model.predict(images[count % 200])

        def read(count: int, model: Classifier = model) -> object:
            answer = model.predict(images[count % 200])
            return answer.labels, answer.probabilities

        calls = {"run": bare, "predict": predict, "predict, labels and probabilities": read}
        bare_run, *others = measure(list(calls.values()), protocol).latencies
        print(f"{path}, µs a call; how much longer it takes, paired, with the 95 % interval")
        for name, latency in zip(calls, [bare_run, *others], strict=True):
            shown = f"p10 {np.percentile(latency.samples_us, 10):6.1f}"
            shown += f"   p50 {np.percentile(latency.samples_us, 50):6.1f}"
            if latency is not bare_run and (longer := speedup(latency, bare_run)):
                more = [f"{(x - 1) * 100:+.1f}" for x in (longer.value, longer.low, longer.high)]
                shown += f"   {more[0]} % ({more[1]} to {more[2]})"
            print(f"  {name:<34} {shown}")


if __name__ == "__main__":
    main()
