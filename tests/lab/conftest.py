"""What the lab's tests share: one thread, few images, and runs that took no time to train."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mnist_edge.datasets import Dataset, Split, load
from mnist_edge.image_shape import ImageShape
from mnist_edge.lab.training.blocks import ConvNorm, ResidualBlock
from mnist_edge.lab.training.checkpoint import Checkpoint, load_checkpoint
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.events import EpochResult
from mnist_edge.lab.training.models import ZOO, Architecture, Network, build
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.runs import finish, train
from mnist_edge.lab.training.training_inputs import TrainingInputs
from tests.helpers import shared

CPU = ProcessGroup(0, 1, torch.device("cpu"))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny batches gain nothing from a second thread, and bits stay the same on every machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture(scope="session")
def trained() -> Path:
    """A finished run of edge-xs on digits, trained for real in a few seconds."""
    return train_once("edge-xs")


@pytest.fixture(scope="session")
def chain(trained: Path) -> Network:
    """The network of that run: one convolution after the other, once its blocks are folded.

    The same for all tests, so that it is exported once: change none but a copy.
    """
    return load_checkpoint(trained).trained_network().eval()


@pytest.fixture(scope="session")
def residual() -> Network:
    """A network as cheap, trained likewise, that stays residual in its file: sums, shortcuts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ZOO, "residual", Architecture("for tests alone", residual_body))
        return load_checkpoint(train_once("residual")).trained_network().eval()


def residual_body(classes: int, shortcut: str, shape: ImageShape) -> nn.Module:
    return nn.Sequential(
        ConvNorm(shape.channels, 16, kernel=5, stride=2),  # (N, 16, 14, 14)
        nn.ReLU(),
        ResidualBlock(16, 16, stride=2),  # (N, 16, 7, 7)
        ResidualBlock(16, 32, stride=2),  # (N, 32, 4, 4)
        nn.AvgPool2d(4),
        nn.Flatten(),
        nn.Linear(32, classes),
    )


def train_once(model: str) -> Path:
    """A finished run of 8 epochs in a folder `runs`, one for all tests."""

    def make(home: Path) -> None:
        data, run = load("digits"), home / "runs" / model
        recipe = Recipe(model, "digits", epochs=8, batch_size=32, lr=5e-3)
        for _ in train(TrainingInputs.of(recipe, data), run, CPU):
            pass
        finish(run, load_checkpoint(run), data.test)

    return shared.folder_once(f"trained-{model}", make) / "runs" / model


def inputs(recipe: Recipe, splits: tuple[Split, Split]) -> TrainingInputs:
    """A recipe on these training and validation images of ten digits."""
    return TrainingInputs(
        recipe=recipe,
        classes=tuple("0123456789"),
        training=splits[0],
        validation=splits[1],
    )


def settled(network: Network, seed: int = 0) -> Network:
    """The network with batch norms that are far from the identity, as training leaves them."""
    random = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 1.5, generator=random)
            layer.bias.data.uniform_(-0.5, 0.5, generator=random)
    with torch.no_grad():
        for _ in range(3):
            network.train()(torch.randint(0, 256, (16, *network.shape.dims), generator=random))
    return network.eval()


def solved(network: Network, training: Split) -> Network:
    """The network with its last layer fitted by least squares: a fair classifier at once."""
    last = [layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1]
    seen: list[torch.Tensor] = []
    hook = last.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    network.predict_logits(training.images)
    hook.remove()
    features = torch.cat(seen).double().numpy()
    features = np.hstack([features, np.ones((len(features), 1))])
    targets = 10 * np.eye(last.out_features)[training.labels] - 5
    gram = features.T @ features + 1e-6 * np.eye(features.shape[1])
    weights = torch.from_numpy(np.linalg.solve(gram, features.T @ targets)).float()
    last.weight.data, last.bias.data = weights[:-1].T.contiguous(), weights[-1].contiguous()
    return network


def told(epoch: int, epochs: int = 1) -> dict[str, Any]:
    """What a history has of an epoch."""
    result = EpochResult(epoch, epochs, 1.0, 0.5, 1, 2, 1000.0, 1.0)
    return asdict(result) | {"validation_accuracy": result.validation_accuracy}


def make_run(
    run: Path,
    data: Dataset,
    model: str = "edge-xs",
    shortcut: str | None = None,
    seed: int = 0,
    dataset: str | None = None,
) -> Path:
    """A finished run's folder without any training: random features, a fitted last layer."""
    torch.manual_seed(seed)
    network = settled(build(model, len(data.classes), shortcut, data.shape), seed)
    weights = solved(network, data.train).state_dict()
    recipe = Recipe(model, dataset or data.name, epochs=1, shortcut=shortcut)
    checkpoint = Checkpoint(
        recipe=recipe,
        classes=data.classes,
        epochs_done=1,
        history=[told(1)],
        network=weights,
        average=weights,
        optimizer={},
        trained={"device": "cpu", "threads": 1},
        shape=data.shape,
        fit=data.fit,
    )
    finish(run, checkpoint, data.test)
    return run
