"""The training loop: a recipe and images in, epoch results and a checkpoint out.

The whole training set is one uint8 array on the device; a batch is an index into it, warped as a
whole. Everything random in an epoch comes from one generator seeded by (seed, epoch), and the
learning rate is a function of the step, so a checkpoint needs no random state to be resumed
bit-identically.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from mnist_edge.datasets import Split
from mnist_edge.errors import CheckpointError, EdgeError
from mnist_edge.lab.training import bf16, ema
from mnist_edge.lab.training.acceleration import choose_acceleration, training_forward
from mnist_edge.lab.training.checkpoint import Checkpoint
from mnist_edge.lab.training.cuda_graph import GraphedStep, Launch
from mnist_edge.lab.training.distributed import ProcessGroup, training_environment
from mnist_edge.lab.training.events import EpochResult, StepResult, Watcher
from mnist_edge.lab.training.folded_weights import calibrate_norms
from mnist_edge.lab.training.losses import label_weights, smoothed_targets, training_loss
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.optimizer import build_optimizer, portable_state, restore_state
from mnist_edge.lab.training.pretrained import InitialWeights
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.training_inputs import TrainingInputs
from mnist_edge.lab.training.training_mix import augment_batch
from mnist_edge.metrics import accuracy

_PROGRESS_EVERY_S = 0.1
_CALIBRATION_IMAGES = 2000


def trial_step(inputs: TrainingInputs, group: ProcessGroup) -> Callable[[], int]:
    """A step of this training, to be timed, on a network of its own and a few of the images;
    called, it returns how many."""
    recipe = inputs.recipe.for_timing()
    few = inputs.training[slice(0, recipe.batch_size)]
    trainer = Trainer(
        TrainingInputs(recipe=recipe, classes=inputs.classes, training=few, validation=few), group
    )
    index = torch.arange(trainer.batch, device=group.device)

    def step() -> int:
        trainer.network.train()
        trainer.step(index, 0)[0].item()
        return trainer.batch

    return step


class Trainer:
    """A network in training: its weights and their average, its optimizer, its images.

    Whoever has one calls `epoch` for each of the recipe's epochs, in order, and finds in
    `checkpoint` what there is to save. `network` is what learns, `average` what is shipped.
    """

    def __init__(
        self,
        inputs: TrainingInputs,
        group: ProcessGroup,
        *,
        resume: Checkpoint | None = None,
        acceleration: str = "auto",
    ) -> None:
        """EdgeError for a batch that the processes cannot share; CheckpointError for a checkpoint
        of other classes or another network."""
        recipe, soft = inputs.recipe, inputs.soft_targets
        # What teachers have answered is of the same images for every seed.
        training = soft.whole if soft else inputs.mixed_images()
        batch = _batch_size(recipe, len(training), group)
        self.inputs, self.recipe, self.group, self.batch = inputs, recipe, group, batch
        self.soft_targets = soft.to(group.device) if soft else None
        self.images = torch.tensor(training.images, device=group.device)
        self.labels = torch.tensor(training.labels, device=group.device)
        classes = len(inputs.classes)
        self.targets = smoothed_targets(classes, recipe.label_smoothing).to(group.device)
        weights = recipe.class_weights
        self.weights = label_weights(classes, weights).to(group.device) if weights else None
        self.steps = len(self.labels) // batch
        self.epochs_done, self.history = 0, list[dict[str, Any]]()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            network = build(recipe.model, classes, recipe.shortcut, inputs.training.shape)
        self.in_bf16 = bf16.should_use(network, group.device)
        memory_format = bf16.memory_format(network, group.device, self.in_bf16)
        self.network = network.to(group.device).to(memory_format=memory_format)
        self.generator = torch.Generator(group.device)
        if inputs.initial and not resume:
            self._begin_with(inputs.initial)
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        how = choose_acceleration(acceleration, group, self.steps * recipe.epochs)
        self.optimizer = build_optimizer(
            self.network, recipe, capturable=how.graphed and group.device.type == "cuda"
        )
        self.trained: dict[str, Any] = training_environment(group, self.in_bf16)
        if resume:
            self._restore(resume)
        self._pairs = ema.tensor_pairs(self.average, self.network)
        self.forward = training_forward(self.network, group, how)
        self.launch: Launch = self._compute
        if how.graphed:
            self.launch = GraphedStep(
                self._compute, self.generator, batch, self.optimizer.zero_grad
            )

    def _begin_with(self, initial: InitialWeights) -> None:
        """Pretrained weights, and batch norms that know the images of this training."""
        self.network.load_state_dict(initial.state)
        draws = self.generator.manual_seed(self.recipe.seed)
        order = torch.randperm(len(self.images), generator=draws, device=self.group.device)
        some = self.images[order[:_CALIBRATION_IMAGES]]
        calibrate_norms(self.network, augment_batch(some, self.recipe, draws))

    def _restore(self, saved: Checkpoint) -> None:
        if saved.classes != self.inputs.classes:
            raise CheckpointError(
                f"this run was started on the classes {', '.join(saved.classes)}, "
                f"not {', '.join(self.inputs.classes)}: train again without --resume"
            )
        try:
            self.network.load_state_dict(saved.network)
            self.average.load_state_dict(saved.average)
            restore_state(self.optimizer, saved.optimizer, self.recipe)
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
        order = torch.randperm(len(self.labels), generator=draws, device=self.group.device)
        self.network.train()
        total = torch.zeros((), device=self.group.device)
        right = torch.zeros((), dtype=torch.int64, device=self.group.device)
        started = shown = time.perf_counter()
        for step in range(self.steps):
            index = order[step * self.batch : (step + 1) * self.batch]
            loss, correct = self.step(index, epoch * self.steps + step)
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
            training_accuracy=right.item() / self._count_labelled(order),
            validation_correct=self._count_correct(self.inputs.validation),
            validation_total=len(self.inputs.validation.labels),
            images_per_s=self.steps * self.batch / duration_s,
            duration_s=duration_s,
            test_correct=self._count_correct(self.inputs.watched) if self.inputs.watched else None,
        )
        self.epochs_done = epoch + 1
        self.history.append(asdict(result) | {"validation_accuracy": result.validation_accuracy})
        return result

    def _batch(self, index: Tensor, view: Tensor | int) -> tuple[Tensor, Tensor | None]:
        """Images as the network sees them, and what teachers answer to them where there are any."""
        if self.soft_targets is None:
            return augment_batch(self.images[index], self.recipe, self.generator), None
        soft = self.soft_targets
        return soft.images[view, index].float(), soft.logits[view, index]

    def _count_labelled(self, order: Tensor) -> int:
        """How many images of this process's share of an epoch belong to a class."""
        seen = order[: self.steps * self.batch].view(self.steps, self.batch)
        own = self.labels[seen[:, self.group.rank :: self.group.size]]
        return max(1, int((own >= 0).sum()))

    def step(self, index: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """The optimizer's step of a number, on this process's share of a batch: its loss, and how
        many of its answers were right. index: int64, the images of the whole batch."""
        soft = self.soft_targets
        view = 0 if soft is None else step // self.steps % len(soft.images)
        rate = self.recipe.learning_rate(step, self.steps * self.recipe.epochs)
        return self.launch(index, view, rate, ema.update_weight(step, self.recipe.ema_decay))

    def _compute(
        self, index: Tensor, view: Tensor | int, rate: Tensor | float, weight: Tensor | float
    ) -> tuple[Tensor, Tensor]:
        """A step as kernels alone: it reads no tensor's value, so it can be a CUDA graph."""
        # Every process makes the whole batch, so that its draws do not depend on how many
        # processes there are, and trains on its share.
        share = slice(self.group.rank, None, self.group.size)
        images, teacher_logits = self._batch(index, view)
        images, labels = images[share], self.labels[index[share]]
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self.group.device.type, torch.bfloat16, enabled=self.in_bf16):
            logits = self.forward(images)
        logits = logits.float()
        if teacher_logits is not None:
            teacher_logits = teacher_logits[share]
        plan = self.recipe.distillation
        weights = None if self.weights is None else self.weights[labels]
        loss = training_loss(logits, self.targets[labels], teacher_logits, plan, weights)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        ema.update(self._pairs, weight)
        return loss.detach(), (logits.argmax(dim=1) == labels).sum()

    def _count_correct(self, split: Split) -> int:
        if not self.group.is_main:
            return 0
        return accuracy(
            self.average.predict_logits(split.images).argmax(axis=1), split.labels
        ).correct

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
            classes=self.inputs.classes,
            epochs_done=self.epochs_done,
            history=self.history,
            network=self.network.state_dict(),
            average=self.average.state_dict(),
            optimizer=portable_state(self.optimizer),
            trained=self.trained,
            fingerprint=self.inputs.fingerprint,
            shape=self.network.shape,
            fit=self.inputs.fit,
        )


def _batch_size(recipe: Recipe, images: int, group: ProcessGroup) -> int:
    """Images in a step. EdgeError where the processes cannot share them."""
    batch = min(recipe.batch_size, images)
    if batch < 2 * group.size or batch % group.size:
        raise EdgeError(
            f"a batch of {batch} images cannot be shared by {group.size} processes: "
            "choose a --batch-size that is a multiple of their number"
        )
    return batch
