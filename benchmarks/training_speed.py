"""Training speed against the loop that most people write. Run it with

    python -m benchmarks.training_speed

Both train `edge` with AdamW on the same images, batch, threads and kinds of augmentation. Theirs:
a Dataset of PIL images, torchvision's per-image transforms, a DataLoader. Ours: the step of
`mnist-edge train`. They take turns; each turn is timed, and the ratio is of the medians. Before a
turn there is a pause, so that the DataLoader's workers, which read ahead, do not compute in
somebody else's time; what they have read ahead then is a present of 4 batches to their own turn.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision import transforms

from mnist_edge.datasets import Split, load_if_here
from mnist_edge.lab.training.augment import Augmentation
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.recipes import recipe_for
from mnist_edge.lab.training.trainer import Trainer
from mnist_edge.lab.training.training_inputs import TrainingInputs

_PAUSE_S = 2.0
CPU = torch.device("cpu")

Turn = Callable[[int], None]
"""Train on so many batches."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_HelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=40, help="a turn")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--model", default="edge")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    split = _load_images()
    print(f"{args.model}, batch 128, {args.threads} threads, {args.rounds} rounds in turn")
    for elastic in (True, False):
        recipe = recipe_for(args.model)
        if not elastic:
            recipe = replace(recipe, augmentation=replace(recipe.augmentation, elastic_px=0.0))
        turns = {
            "ours": ours(recipe, split),
            "theirs, in the main process": theirs(recipe, split, workers=0),
            f"theirs, {args.threads} workers": theirs(recipe, split, workers=args.threads),
        }
        rates = _race(turns, args.rounds, args.batches, recipe.batch_size)
        print(f"\naugmentation: affine{' and elastic' * elastic}")
        for name, values in rates.items():
            ratio = statistics.median(rates["ours"]) / statistics.median(values)
            low, high = min(values), max(values)
            median = statistics.median(values)
            print(
                f"  {name:<28} {median:7,.0f} images/s ({low:,.0f}-{high:,.0f})"
                + (f"   ours is {ratio:.1f} × as fast" if name != "ours" else "")
            )


def _race(
    turns: dict[str, Turn], rounds: int, batches: int, batch_size: int
) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {name: [] for name in turns}
    for turn in turns.values():
        turn(3)  # warm-up; workers start here
    for _ in range(rounds):
        for name, turn in turns.items():
            time.sleep(_PAUSE_S)
            start = time.perf_counter()
            turn(batches)
            rates[name].append(batches * batch_size / (time.perf_counter() - start))
    return rates


def ours(
    recipe: Recipe, split: Split, device: torch.device = CPU, acceleration: str = "eager"
) -> Turn:
    """The step of `mnist-edge train`."""
    group = ProcessGroup(0, 1, device)
    inputs = TrainingInputs(
        recipe=recipe, classes=tuple("0123456789"), training=split, validation=split[:100]
    )
    trainer = Trainer(inputs, group, acceleration=acceleration)
    trainer.network.train()
    draws = torch.Generator(device).manual_seed(0)

    def turn(batches: int) -> None:
        order = torch.randperm(len(split), generator=draws, device=device)
        for at in range(batches):
            start = at % (len(split) // trainer.batch) * trainer.batch
            loss, _ = trainer.step(order[start : start + trainer.batch], at)
        loss.item()

    return turn


class _PerImage(TorchDataset[tuple[torch.Tensor, int]]):
    def __init__(self, split: Split, augmentation: Augmentation) -> None:
        self.images = [Image.fromarray(image) for image in split.images]
        self.labels = split.labels.tolist()
        degrees = np.degrees(np.arctan(augmentation.shear))
        steps: list[Callable[..., object]] = [
            transforms.RandomAffine(
                augmentation.rotation_deg,
                (augmentation.shift, augmentation.shift),
                (1 - augmentation.scale, 1 + augmentation.scale),
                (-degrees, degrees),
                transforms.InterpolationMode.BILINEAR,
            )
        ]
        if augmentation.elastic_px:
            steps.append(transforms.ElasticTransform(alpha=8.0, sigma=4.0))
        self.transform = transforms.Compose([*steps, transforms.ToTensor()])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, at: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[at]), self.labels[at]


def theirs(
    recipe: Recipe, split: Split, workers: int, device: torch.device = CPU, in_bf16: bool = False
) -> Turn:
    """The loop that most people write: per-image transforms in a DataLoader's workers."""
    network = build(recipe.model).to(device)
    loader = DataLoader(
        _PerImage(split, recipe.augmentation),
        recipe.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.lr)
    batches_left = _forever(loader)

    def turn(batches: int) -> None:
        network.train()
        for _ in range(batches):
            images, labels = (part.to(device, non_blocking=True) for part in next(batches_left))
            with torch.autocast(device.type, torch.bfloat16, enabled=in_bf16):
                loss = F.cross_entropy(network(images[:, 0] * 255), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            loss.item()

    return turn


def _forever(
    loader: "DataLoader[tuple[torch.Tensor, int]]",
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    while True:
        yield from loader


def _load_images() -> Split:
    found = load_if_here("mnist") or load_if_here("digits")
    assert found is not None
    repeats = -(-10_000 // len(found.train))
    images = np.tile(found.train.images, (repeats, 1, 1))[:10_000]
    return Split(images, np.tile(found.train.labels, repeats)[:10_000])


class _HelpFormatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    pass


if __name__ == "__main__":
    main()
