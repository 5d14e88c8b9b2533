"""What `mnist-edge data --check` finds of faults that are planted. Run it with

    python -m benchmarks.data_check [DATASET] [--images N]

In the training split, 2 % of the labels are changed at random; of the test images, 50 are replaced
by copies of training images, saved anew in five ways. It prints how many of the changed labels are
among as many of the first suspects, and how many copies are among the duplicates. What else is
found is the data set's own: published sets have wrong labels and copies too. With --images, it is
done to a part of the set that is drawn at random, of both splits alike.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mnist_edge.datasets import Dataset, Split, load
from mnist_edge.datasets.duplicates import find_duplicates, group_copies
from mnist_edge.lab.data_check import CheckPlan, check
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.events import StepResult
from tests.helpers.picture_copies import Picture, darker, resized, saved_anew, shifted

_CHANGED, _COPIES = 0.02, 50


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", nargs="?", default="fashion-mnist")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--images", type=int, help="of the training split, at random")
    parser.add_argument("--copies-only", action="store_true", help="train no networks")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    random = np.random.default_rng(args.seed)
    data = load(args.dataset, args.data_dir)
    if args.images is not None and args.images < len(data.train):
        data = _draw_part(data, args.images, random)
    data, changed, copies = _spoilt(data, random)
    # What is found is by position in training, validation and test: where that is in the set's two
    # splits, behind each other.
    total = len(data.train) + len(data.test)
    held_out = np.concatenate([data.validation_mask, np.full(len(data.test), 2)])
    order = np.argsort(held_out, kind="stable")
    started = time.monotonic()
    if args.copies_only:
        images = np.concatenate([data.train.images, data.test.images])
        duplicates, errors = find_duplicates(images[order]), None
    else:
        plan = CheckPlan(dataset=data.name, kind=data.kind)
        group = ProcessGroup(0, 1, torch.device("cpu"))
        found = check(data, plan, group, watch=_print_epochs())
        duplicates, errors = list(found.duplicates), found.label_errors
    minutes = (time.monotonic() - started) / 60
    print(f"{data.name}: {total:,} images, {minutes:.1f} min, {torch.get_num_threads()} threads")
    if errors is not None:
        first = [order[error.position] for error in errors[: len(changed)]]
        print(
            f"labels changed: {len(changed):,}; among the first {len(first):,} suspects: "
            f"{len(np.intersect1d(first, changed)):,}; suspects in all: {len(errors):,}"
        )
    place = np.argsort(order)
    together = group_copies(total, duplicates)
    joined = sum(
        together[place[source]] == together[place[len(data.train) + target]]
        for source, target in copies
    )
    print(f"copies planted: {len(copies)}; found: {joined}; pairs in all: {len(duplicates):,}")


def _draw_part(data: Dataset, images: int, random: np.random.Generator) -> Dataset:
    """So many of the training split, and the same share of the test's."""
    tested = round(images / len(data.train) * len(data.test))
    train, test = (
        np.sort(random.choice(len(split), count, replace=False))
        for split, count in ((data.train, images), (data.test, tested))
    )
    return replace(
        data,
        train=data.train[train],
        test=data.test[test],
        held_out=None if data.held_out is None else data.held_out[train],
    )


def _spoilt(
    data: Dataset, random: np.random.Generator
) -> tuple[Dataset, NDArray[np.intp], list[tuple[int, int]]]:
    """The set with faults, the positions in `train` of changed labels, and (source in `train`,
    target in `test`) of each copy."""
    train = data.train
    labels, images = train.labels.copy(), data.test.images.copy()
    changed = random.choice(len(labels), round(_CHANGED * len(labels)), replace=False)
    shifts = random.integers(1, len(data.classes), len(changed))
    labels[changed] = (labels[changed] + shifts) % len(data.classes)
    sources = random.choice(len(labels), _COPIES, replace=False)
    targets = random.choice(len(images), _COPIES, replace=False)
    for at, (source, target) in enumerate(zip(sources, targets, strict=True)):
        images[target] = _WAYS[at % len(_WAYS)](train.images[source])
    spoilt = replace(
        data,
        train=Split(train.images, labels),
        test=Split(images, data.test.labels),
        names=(),
        sizes=None,
    )
    return spoilt, changed, list(zip(sources.tolist(), targets.tolist(), strict=True))


_WAYS: tuple[Callable[[Picture], Picture], ...] = (
    np.copy,
    partial(saved_anew, quality=60),
    darker,
    shifted,
    resized,
)


def _print_epochs() -> Callable[[str, StepResult], None]:
    seen: set[tuple[str, int]] = set()

    def watch(name: str, step: StepResult) -> None:
        if (name, step.epoch) not in seen:
            seen.add((name, step.epoch))
            print(f"  {name}, epoch {step.epoch} of {step.epochs}", flush=True)

    return watch


if __name__ == "__main__":
    main()
