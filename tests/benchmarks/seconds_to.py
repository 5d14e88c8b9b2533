"""How long `mnist-edge train` takes to an accuracy, from the start of the process. Run it with

    python -m tests.benchmarks.seconds_to [--model edge] [--epochs 12] [--to 99.5 --to 99.7]

A fresh process trains by the model's recipe over so many epochs, and after each the average of the
weights answers the test split: that chooses nothing, and its time counts. Printed are the seconds
until the first epoch that reached an accuracy, from the start of the process and from its first
step, which leaves out the imports, the data and the device's awakening.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

STARTED = "started"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="edge")
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--to", type=float, action="append", help="percent")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        _train(given, given.child)
        return
    for seed in range(given.seeds):
        print(f"seed {seed}: {_watched(seed, given.to or [99.5, 99.7])}", flush=True)


def _watched(seed: int, targets: list[float]) -> str:
    """Start a training, and tell when it reached its targets."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "tests.benchmarks.seconds_to", *sys.argv[1:]]
    first_step, reached, best = 0.0, dict[float, float](), 0.0
    with subprocess.Popen(
        [*command, "--child", str(seed)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            now = time.perf_counter() - began
            if line.strip() == STARTED:
                first_step = now
                continue
            accuracy = json.loads(line) * 100
            best = max(best, accuracy)
            for target in targets:
                if accuracy >= target:
                    reached.setdefault(target, now)
    if child.returncode:
        raise SystemExit(child.returncode)
    told = [
        f"{target:g} % after {reached[target]:.1f} s ({reached[target] - first_step:.1f} s without "
        "the start)"
        if target in reached
        else f"{target:g} % was not reached"
        for target in targets
    ]
    return f"{'; '.join(told)}; best epoch {best:.2f} %"


def _train(given: argparse.Namespace, seed: int) -> None:
    """In the fresh process: train, and print each epoch's accuracy on the test split."""
    from mnist_edge.datasets import load, split_validation
    from mnist_edge.lab.progress import StepResult
    from mnist_edge.lab.recipe import recipe_for
    from mnist_edge.lab.train import train
    from mnist_edge.lab.world import join

    recipe = replace(recipe_for(given.model, given.dataset), epochs=given.epochs, seed=seed)
    for name in ("batch_size", "lr"):
        if (value := getattr(given, name)) is not None:
            recipe = replace(recipe, **{name: value})
    data = load(given.dataset)
    training, validation = split_validation(data.train)
    steps = itertools.count()

    def note(step: StepResult) -> None:
        if next(steps) == 0:
            print(STARTED, flush=True)

    with join(given.device) as world, tempfile.TemporaryDirectory() as folder:
        for result in train(
            recipe,
            data.classes,
            training,
            validation,
            Path(folder),
            world,
            watch=note,
            watched=data.test,
        ):
            assert result.test_correct is not None
            print(json.dumps(result.test_correct / len(data.test)), flush=True)


if __name__ == "__main__":
    main()
