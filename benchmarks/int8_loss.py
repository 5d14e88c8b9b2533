"""What int8 loses, and what wins it back: calibration methods, weight bits, fine-tuning.

Run it as `python -m benchmarks.int8_loss RUN…`, each the folder of a finished MNIST run.

Everything is measured on validation images, which train nothing and test nothing, warped as in
training (10 warps of each by default), so that there are enough mistakes to count: on the plain
images an int8 file loses none to three. Each row is the mean over three draws of calibration
images: mistakes per 100,000 in int8, better and worse against fp32, mean |Δ probability|.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from mnist_edge import metrics
from mnist_edge.classifier import in_chunks
from mnist_edge.datasets import Dataset, Split, load
from mnist_edge.lab.export.finetune import Finetuning, finetune
from mnist_edge.lab.export.graph import to_onnx
from mnist_edge.lab.export.inputs import open_original
from mnist_edge.lab.export.qdq import METHODS, Quantizer
from mnist_edge.lab.training.augment import Augmentation, random_grid, sample
from mnist_edge.lab.training.checkpoint import load_checkpoint
from mnist_edge.model_file.contract import INPUT, OUTPUT
from mnist_edge.model_file.session import open_session

SEEDS = (0, 1, 2)
CALIBRATION_IMAGES = 512


@dataclass(frozen=True, slots=True)
class Case:
    """One way to quantize."""

    name: str
    method: str = "minmax"
    augmented: bool = False
    weight_bits: int = 7


def warp(images: NDArray[np.uint8], how: Augmentation, seed: int) -> NDArray[np.uint8]:
    """Each image under a warp of its own, as training draws them, in whole greys."""
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for at in range(0, len(images), 500):
        chunk = torch.from_numpy(images[at : at + 500])
        grid = random_grid(len(chunk), 28, 28, how, generator)
        parts.append(sample(chunk, grid).round().clamp(0, 255).to(torch.uint8).numpy())
    return np.concatenate(parts)


def answers(model: onnx.ModelProto, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The logits that a graph gives in ONNX Runtime."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        session = open_session(path)
    return in_chunks(lambda some: session.run([OUTPUT], {INPUT: some})[0], images)


def row(
    name: str,
    graph: onnx.ModelProto,
    case: Case,
    training: Split,
    how: Augmentation,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    before: NDArray[np.float32],
) -> str:
    wrong, better, worse, shift = [], [], [], []
    for seed in SEEDS:
        order = np.random.default_rng(seed).permutation(len(training))[:CALIBRATION_IMAGES]
        seen = training.images[order]
        seen = warp(seen, how, seed) if case.augmented else seen
        model = Quantizer(graph, seen, case.method, case.weight_bits).quantize()
        after = answers(model, images)
        change = metrics.agreement(before.argmax(axis=1), after.argmax(axis=1), labels)
        wrong.append((after.argmax(axis=1) != labels).sum())
        better.append(change.better)
        worse.append(change.worse)
        shift.append(metrics.shift(before, after).mean)
    scale = 100_000 / len(labels)
    figures = [f"{np.mean(values) * scale:8.1f}" for values in (wrong, better, worse)]
    return f"{name:40}{''.join(figures)}   {np.mean(shift):.2e} ({min(shift):.1e}-{max(shift):.1e})"


def cases(methods: Sequence[str]) -> Iterator[Case]:
    for augmented in (False, True):
        for method in methods:
            name = f"{method}, {'augmented' if augmented else 'plain'} images"
            yield Case(name, method, augmented)
    yield Case("minmax, plain images, 8-bit weights", weight_bits=8)


def measure(
    run: Path, data: Dataset, warps: int, methods: Sequence[str], plan: Finetuning | None
) -> None:
    original = open_original(run, load_checkpoint(run), data)
    how = original.checkpoint.recipe.augmentation
    training, validation = data.training, data.validation
    images = np.concatenate([warp(validation.images, how, 1000 + at) for at in range(warps)])
    labels = np.tile(validation.labels, warps)
    graph = to_onnx(original.network)
    before = answers(graph, images)
    wrong = (before.argmax(axis=1) != labels).sum() * 100_000 / len(labels)
    print(f"\n{run.name}: {len(labels):,} warped validation images")
    print(f"{'':40}{'mistakes':>8}{'better':>8}{'worse':>8}   mean |Δp| (least-most)")
    print(f"{'fp32':40}{wrong:8.1f}")
    shared = (training, how, images, labels, before)
    for case in cases(methods):
        print(row(case.name, graph, case, *shared), flush=True)
    if plan:
        tuned = to_onnx(finetune(original.network, training, original.checkpoint.recipe, plan))
        name = f"fine-tuned {plan.epochs} epochs at lr {plan.lr}, minmax"
        print(row(name, tuned, Case("minmax"), *shared), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--warps", type=int, default=10)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--finetune", type=int, default=0, help="epochs; 0 leaves it away")
    parser.add_argument("--lr", type=float, default=Finetuning().lr)
    given = parser.parse_args()
    plan = Finetuning(epochs=given.finetune, lr=given.lr) if given.finetune else None
    for run in given.runs:
        measure(run, load(load_checkpoint(run).recipe.dataset), given.warps, given.methods, plan)


if __name__ == "__main__":
    main()
