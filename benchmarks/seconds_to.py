"""How long `mnist-edge train` takes to an accuracy, from the start of the process. Run it with

    python -m benchmarks.seconds_to [--model edge] [--epochs 12] [--to 99.5 --to 99.7]

A fresh process trains by the model's recipe over so many epochs, and after each the average of the
weights answers the test split: that chooses nothing, and its time counts. Printed are the seconds
until the first epoch that reached an accuracy, from the start of the process and from its first
step, which leaves out the imports, the data and the device's awakening.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

TARGETS = (99.5, 99.7)


@dataclass(frozen=True, slots=True)
class Epoch:
    """After one epoch: accuracies in percent, and the seconds since the first step began."""

    validation: float
    test: float
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="edge")
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--acceleration", default="auto")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--to", type=float, action="append", help="percent")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        for epoch in _train_and_print(given, given.child):
            print(json.dumps(asdict(epoch)), flush=True)
        return
    for seed in range(given.seeds):
        print(f"seed {seed}: {_train_in_child(seed, given.to or TARGETS)}", flush=True)


def train_until(
    model: str,
    dataset: str,
    seed: int,
    epochs: int,
    device: str,
    acceleration: str = "auto",
    batch_size: int | None = None,
    lr: float | None = None,
) -> Iterator[Epoch]:
    """Train by a model's recipe, what is None as it says, and yield each epoch's accuracies."""
    from mnist_edge.datasets import load
    from mnist_edge.lab.training.distributed import process_group
    from mnist_edge.lab.training.events import StepResult
    from mnist_edge.lab.training.recipes import recipe_for
    from mnist_edge.lab.training.runs import train
    from mnist_edge.lab.training.training_inputs import TrainingInputs

    recipe = replace(recipe_for(model, dataset), epochs=epochs, seed=seed)
    recipe = replace(recipe, batch_size=batch_size or recipe.batch_size, lr=lr or recipe.lr)
    data = load(dataset)
    inputs = replace(TrainingInputs.of(recipe, data), watched=data.test)
    first_step = list[float]()

    def note(step: StepResult) -> None:
        """When the first epoch began to train, told from the step that is shown first."""
        if not first_step:
            images = step.step * recipe.batch_size
            first_step.append(time.perf_counter() - images / step.images_per_s)

    with process_group(device) as group, tempfile.TemporaryDirectory() as folder:
        for result in train(inputs, Path(folder), group, watch=note, acceleration=acceleration):
            now = time.perf_counter()
            if not first_step:  # an epoch so short that no step was shown
                first_step.append(now - result.duration_s)
            assert result.test_correct is not None
            yield Epoch(
                100 * result.validation_accuracy,
                100 * result.test_correct / len(data.test),
                now - first_step[0],
            )


def reached(epochs: Sequence[Epoch], target: float, split: str = "test") -> float | None:
    """Seconds from the first step until a split's accuracy was at least `target` percent."""
    found = (epoch.seconds for epoch in epochs if getattr(epoch, split) >= target)
    return next(found, None)


def _train_in_child(seed: int, targets: Sequence[float]) -> str:
    """Train in a fresh process, and tell when it reached its targets."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.seconds_to", *sys.argv[1:]]
    epochs, before_s = list[Epoch](), 0.0
    with subprocess.Popen(
        [*command, "--child", str(seed)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            epochs.append(Epoch(**json.loads(line)))
            before_s = before_s or time.perf_counter() - began - epochs[0].seconds
    if child.returncode:
        raise SystemExit(child.returncode)
    told = [_reached_text(target, reached(epochs, target), before_s) for target in targets]
    return f"{'; '.join(told)}; best epoch {max(epoch.test for epoch in epochs):.2f} %"


def _reached_text(target: float, seconds: float | None, before_s: float) -> str:
    if seconds is None:
        return f"{target:g} % was not reached"
    return f"{target:g} % after {before_s + seconds:.1f} s ({seconds:.1f} s from the first step)"


def _train_and_print(given: argparse.Namespace, seed: int) -> Iterator[Epoch]:
    return train_until(
        given.model,
        given.dataset,
        seed,
        given.epochs,
        given.device,
        given.acceleration,
        given.batch_size,
        given.lr,
    )


if __name__ == "__main__":
    main()
