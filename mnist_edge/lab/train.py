"""The loop: a recipe in, epoch results out, a checkpoint on disk after each of them.

The whole training set is one uint8 array on the device; a batch is an index into it, warped as a
whole. Everything random in an epoch comes from one generator seeded by (seed, epoch), and the
learning rate is a function of the step, so a checkpoint needs no random state to be resumed
bit-identically.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mnist_edge.datasets import Split
from mnist_edge.errors import CheckpointError, EdgeError
from mnist_edge.files import alone_in
from mnist_edge.fingerprint import Fingerprint
from mnist_edge.lab import bf16, ema
from mnist_edge.lab import checkpoint as disk
from mnist_edge.lab.acceleration import chosen, forward_of, is_graphed
from mnist_edge.lab.checkpoint import Checkpoint
from mnist_edge.lab.cuda_graph import GraphedStep, Launch
from mnist_edge.lab.drawn import extended, shown
from mnist_edge.lab.losses import smoothed_targets, training_loss
from mnist_edge.lab.models import build
from mnist_edge.lab.optimizer import optimizer, restore, state_of
from mnist_edge.lab.progress import EpochResult, StepResult, Watcher
from mnist_edge.lab.recipe import Recipe
from mnist_edge.lab.teacher import Views
from mnist_edge.lab.world import World, circumstances

_PROGRESS_EVERY_S = 0.1


def train(
    recipe: Recipe,
    classes: tuple[str, ...],
    training: Split,
    validation: Split,
    run: Path,
    world: World,
    resume: Checkpoint | None = None,
    watch: Watcher = lambda step: None,
    taught: Views | None = None,
    watched: Split | None = None,
    acceleration: str = "auto",
    fingerprint: Fingerprint | None = None,
) -> Iterator[EpochResult]:
    """Train, and yield each epoch's result once its checkpoint lies in `run`.

    Same recipe, data, device, threads and number of processes: same weights. `resume` goes on
    behind a checkpoint's last epoch. `taught` is what a recipe with teachers learns from. The
    split `watched` is answered after every epoch, for a curve, and chooses nothing.
    `acceleration` is one of ACCELERATIONS. `fingerprint` is that of the data set, which the
    checkpoint carries. Raises EdgeError when memory runs out, the loss
    diverges, or another process trains in `run`.
    """
    try:
        trainer = _Trainer(
            recipe, classes, training, validation, world, resume, taught, watched, acceleration
        )
        with alone_in(run, disk.busy(run)) if world.leads else nullcontext():
            for epoch in range(trainer.epochs_done, recipe.epochs):
                result = trainer.epoch(epoch, watch)
                if world.leads:
                    disk.save(run, replace(trainer.checkpoint(), fingerprint=fingerprint))
                yield result
    except torch.OutOfMemoryError as error:
        raise EdgeError(
            f"{world.device.type} ran out of memory at batch size {recipe.batch_size}: "
            "use a smaller --batch-size, or --device cpu"
        ) from error


def trial_step(
    recipe: Recipe, classes: tuple[str, ...], training: Split, world: World
) -> Callable[[], int]:
    """A step of this training, to be timed, on a network of its own and a few of the images;
    called, it returns how many."""
    few = training[slice(0, recipe.batch_size)]
    trainer = _Trainer(recipe.for_timing(), classes, few, few, world)
    index = torch.arange(trainer.batch, device=world.device)

    def step() -> int:
        trainer.network.train()
        trainer._step(index, 0)[0].item()
        return trainer.batch

    return step


class _Trainer:
    def __init__(
        self,
        recipe: Recipe,
        classes: tuple[str, ...],
        training: Split,
        validation: Split,
        world: World,
        resume: Checkpoint | None = None,
        taught: Views | None = None,
        watched: Split | None = None,
        acceleration: str = "auto",
    ) -> None:
        # What teachers have answered is of the same images for every seed.
        training = extended(training, recipe) if taught is None else taught.whole
        batch = min(recipe.batch_size, len(training.labels))
        if batch < 2 * world.size or batch % world.size:
            raise EdgeError(
                f"a batch of {batch} images cannot be shared by {world.size} processes: "
                "choose a --batch-size that is a multiple of their number"
            )
        self.recipe, self.classes, self.world, self.batch = recipe, classes, world, batch
        self.validation, self.watched = validation, watched
        self.taught = taught.to(world.device) if taught else None
        self.images = torch.tensor(training.images, device=world.device)
        self.labels = torch.tensor(training.labels, device=world.device)
        self.targets = smoothed_targets(len(classes), recipe.label_smoothing).to(world.device)
        self.steps = len(self.labels) // batch
        self.epochs_done, self.history = 0, list[dict[str, Any]]()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            network = build(recipe.model, len(classes), recipe.shortcut)
        self.in_bf16 = bf16.pays(network, world.device)
        form = bf16.layout(network, world.device, self.in_bf16)
        self.network = network.to(world.device).to(memory_format=form)
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        how = chosen(acceleration, world, self.steps * recipe.epochs)
        graphed = is_graphed(how)
        self.optimizer = optimizer(
            self.network, recipe, capturable=graphed and world.device.type == "cuda"
        )
        self.generator = torch.Generator(world.device)
        self.trained: dict[str, Any] = circumstances(world, self.in_bf16)
        if resume:
            self._restore(resume)
        self._pairs = ema.pairs(self.average, self.network)
        self.forward = forward_of(self.network, world, how, self.in_bf16)
        self.launch: Launch = self._compute
        if graphed:
            self.launch = GraphedStep(
                self._compute, self.generator, batch, self.optimizer.zero_grad
            )

    def _restore(self, saved: Checkpoint) -> None:
        if saved.classes != self.classes:
            raise CheckpointError(
                f"this run was started on the classes {', '.join(saved.classes)}, "
                f"not {', '.join(self.classes)}: train again without --resume"
            )
        try:
            self.network.load_state_dict(saved.network)
            self.average.load_state_dict(saved.average)
            restore(self.optimizer, saved.optimizer, self.recipe)
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"this checkpoint does not fit a '{self.recipe.model}' of this version: "
                "train again without --resume"
            ) from error
        self.epochs_done, self.history = saved.epochs_done, list(saved.history)
        self.trained = saved.trained | {"threads": torch.get_num_threads()}

    def epoch(self, epoch: int, watch: Watcher) -> EpochResult:
        """One pass over the training images, and the EMA's accuracy on the validation split."""
        draws = self.generator.manual_seed(self.recipe.seed * 100_003 + epoch)
        order = torch.randperm(len(self.labels), generator=draws, device=self.world.device)
        self.network.train()
        total = torch.zeros((), device=self.world.device)
        right = torch.zeros((), dtype=torch.int64, device=self.world.device)
        started = shown = time.perf_counter()
        for step in range(self.steps):
            index = order[step * self.batch : (step + 1) * self.batch]
            loss, correct = self._step(index, epoch * self.steps + step)
            total += loss
            right += correct
            if (now := time.perf_counter()) - shown >= _PROGRESS_EVERY_S:
                shown = now
                watch(self._progress(epoch, step + 1, loss.item(), now - started))
        mean_loss = total.item() / self.steps
        duration_s = time.perf_counter() - started
        if not math.isfinite(mean_loss):
            raise EdgeError(f"the loss diverged in epoch {epoch + 1}: use a lower --lr")
        result = EpochResult(
            epoch=epoch + 1,
            epochs=self.recipe.epochs,
            loss=mean_loss,
            training_accuracy=right.item() / self._told(order),
            validation_correct=self._count_right(self.validation),
            validation_total=len(self.validation.labels),
            images_per_s=self.steps * self.batch / duration_s,
            duration_s=duration_s,
            test_correct=self._count_right(self.watched) if self.watched else None,
        )
        self.epochs_done = epoch + 1
        self.history.append(asdict(result) | {"validation_accuracy": result.validation_accuracy})
        return result

    def _batch(self, index: Tensor, view: Tensor | int) -> tuple[Tensor, Tensor | None]:
        """Images as the network sees them, and what teachers answer to them where there are any."""
        if self.taught is None:
            return shown(self.images[index], self.recipe, self.generator), None
        return self.taught.images[view, index].float(), self.taught.logits[view, index]

    def _told(self, order: Tensor) -> int:
        """How many images of this process's share of an epoch belong to a class."""
        seen = order[: self.steps * self.batch].view(self.steps, self.batch)
        own = self.labels[seen[:, self.world.rank :: self.world.size]]
        return max(1, int((own >= 0).sum()))

    def _step(self, index: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """One optimizer step on this process's share of a batch: its loss, how many were right."""
        view = 0 if self.taught is None else step // self.steps % len(self.taught.images)
        rate = self.recipe.learning_rate(step, self.steps * self.recipe.epochs)
        return self.launch(index, view, rate, ema.weight_of(step, self.recipe.ema_decay))

    def _compute(
        self, index: Tensor, view: Tensor | int, rate: Tensor | float, weight: Tensor | float
    ) -> tuple[Tensor, Tensor]:
        """A step as kernels alone: it reads no tensor's value, so it can be a CUDA graph."""
        # Every process makes the whole batch, so that its draws do not depend on how many
        # processes there are, and trains on its share.
        share = slice(self.world.rank, None, self.world.size)
        images, taught = self._batch(index, view)
        images, labels = images[share], self.labels[index[share]]
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self.world.device.type, torch.bfloat16, enabled=self.in_bf16):
            logits = self.forward(images)
        logits = logits.float()
        answers = None if taught is None else taught[share]
        loss = training_loss(logits, self.targets[labels], answers, self.recipe.distillation)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        ema.update(self._pairs, weight)
        return loss.detach(), (logits.argmax(dim=1) == labels).sum()

    def _count_right(self, split: Split) -> int:
        if not self.world.leads:
            return 0
        answers = self.average.answer(split.images).argmax(axis=1)
        return int((answers == split.labels).sum())

    def _progress(self, epoch: int, step: int, loss: float, elapsed_s: float) -> StepResult:
        left = (self.recipe.epochs - epoch) * self.steps - step
        return StepResult(
            epoch=epoch + 1,
            epochs=self.recipe.epochs,
            step=step,
            steps=self.steps,
            loss=loss,
            images_per_s=step * self.batch / elapsed_s,
            left_s=left * elapsed_s / step,
        )

    def checkpoint(self) -> Checkpoint:
        """What there is to save now."""
        return Checkpoint(
            recipe=self.recipe,
            classes=self.classes,
            epochs_done=self.epochs_done,
            history=self.history,
            network=self.network.state_dict(),
            average=self.average.state_dict(),
            optimizer=state_of(self.optimizer),
            trained=self.trained,
        )
