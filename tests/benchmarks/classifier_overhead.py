"""What `Classifier.predict` adds to ONNX Runtime's bare `run`. Run it with

    python -m tests.benchmarks.classifier_overhead [FILE …]

Both are timed in one run, interleaved, on one thread and one image a call.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from mnist_edge import shipped
from mnist_edge.classifier import Classifier, open_session
from mnist_edge.picture import drawn_digits
from mnist_edge.stopwatch import Protocol, measure

_RANKS = (10, 50)


def main() -> None:
    images = [image[None] for image in drawn_digits(200)]
    protocol = Protocol(samples=20_000, duration_s=2, burst=50)
    for path in [Path(name) for name in sys.argv[1:]] or shipped.files():
        model, run = Classifier(path), open_session(path).run

        def bare(count: int, run: Any = run) -> object:
            return run(["logits"], {"image": images[count % 200]})

        def predict(count: int, model: Classifier = model) -> object:
            return model.predict(images[count % 200])

        def read(count: int, model: Classifier = model) -> object:
            answer = model.predict(images[count % 200])
            return answer.labels, answer.probabilities

        calls = {"run": bare, "predict": predict, "predict, labels and probabilities": read}
        latencies = measure(list(calls.values()), protocol)
        print(f"{path}, µs a call")
        base = [np.percentile(latencies[0].samples_us, rank) for rank in _RANKS]
        for name, latency in zip(calls, latencies, strict=True):
            own = [np.percentile(latency.samples_us, rank) for rank in _RANKS]
            shown = "   ".join(
                f"p{rank} {value:6.1f} ({(value / reference - 1) * 100:+5.1f} %)"
                for rank, value, reference in zip(_RANKS, own, base, strict=True)
            )
            print(f"  {name:<34} {shown}")


if __name__ == "__main__":
    main()
