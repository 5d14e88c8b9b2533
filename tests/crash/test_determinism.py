"""Same seed, same machine: same weights, and byte for byte the same files."""

import hashlib
import os
from pathlib import Path

import pytest
import torch

from mnist_edge.lab.training.checkpoint import load_checkpoint
from tests.crash.nursery import Nursery

CHAIN = "4k5s2v-4s2"

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


def threads(count: int) -> str:
    return f"import torch\ntorch.set_num_threads({count})\n"


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_two_processes_train_and_export_the_same(nursery: Nursery, tmp_path: Path) -> None:
    """Trained on one thread; exported on one and on two, with clocks and names of folders that
    differ. Of an export nothing depends on how many threads there are, or when it is made."""
    places = [tmp_path / name for name in ("one", "and another")]
    nursery.prelude = threads(1)
    for place in places:
        place.mkdir()
        train = ("train", "--dataset", "digits", "--model", CHAIN, "--epochs", "2")
        made = nursery.run(place, *train, "--out", "run")
        assert made.code == 0, made.said
    runs = [load_checkpoint(place / "run") for place in places]
    for name, value in runs[0].average.items():
        assert torch.equal(value, runs[1].average[name])
    for count in (1, 2):
        nursery.prelude = threads(count)
        export = ("--int8", "--max-drop", "100", "--out", f"../exported-{count}")
        made = nursery.run(places[0], "export", "run", *export)
        assert made.code == 0, made.said
    found = digests(tmp_path / "exported-1")
    assert set(found) == {
        "manifest.json",
        *(f"{CHAIN}{kind}" for kind in (".onnx", ".md", "-int8.onnx", "-int8.md")),
    }
    assert found == digests(tmp_path / "exported-2")
