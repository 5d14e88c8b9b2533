"""SIGKILL at any moment: what was there stays whole, and the same command then does its work.

Seeded random moments of each command: one in `make test`, fifty in `make crash`. After each of
them, every file under a final name is one that a whole run leaves; and the same command, once
more, ends with exactly what it gives undisturbed. Folders that a kill left in a state met before
need not be finished again: the same command on the same files is the same.
"""

import hashlib
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from mnist_edge.lab.training.checkpoint import CHECKPOINT, load_checkpoint
from tests.conftest import write_tiny_model
from tests.crash.nursery import Nursery

MOMENTS = int(os.environ.get("MNIST_EDGE_MOMENTS", "1"))
CHAIN = "4k5s2v-4s2"  # a network of 534 parameters
PART = ".mnist-edge-"

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

Files = dict[str, str]


def files(folder: Path) -> Files:
    """The digests of all files under final names, by their paths."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(PART) and path.suffix != ".part"
    }


@dataclass
class Trial:
    """A command in a folder, killed again and again, each time from the same beginning."""

    nursery: Nursery
    before: Path
    args: tuple[object, ...]
    finish: Callable[[Path], None] | None = None
    states: set[str] = field(default_factory=set)

    def undisturbed(self, folder: Path) -> tuple[Files, float]:
        """What the command leaves, and how long it takes."""
        shutil.copytree(self.before, folder)
        ended = self.nursery.run(folder, *self.args)
        assert ended.code == 0, ended.said
        return files(folder), ended.duration_s

    def killed(self, folder: Path, after_s: float) -> bool:
        """Start it, kill it; whether that came before its end."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.before, folder)
        ended = self.nursery.run(folder, *self.args, kill_after_s=after_s)
        assert ended.code in (0, -9), ended.said
        return ended.code == -9

    def is_new(self, folder: Path) -> bool:
        """Whether a kill left the folder as none did before."""
        state = repr(sorted(files(folder).items()))
        known, self.states = state in self.states, self.states | {state}
        return not known

    def again(self, folder: Path) -> None:
        ended = self.nursery.run(folder, *self.args)
        assert ended.code == 0, ended.said


def moments(duration_s: float, seed: int) -> list[float]:
    """When to kill a command of this duration: half of them late, when files are written."""
    dice = random.Random(seed)
    early = [dice.uniform(0, 1.05 * duration_s) for _ in range(MOMENTS // 2)]
    return early + [dice.uniform(0.6, 1.05) * duration_s for _ in range(MOMENTS - len(early))]


def same_weights(one: Path, other: Path) -> bool:
    found = [load_checkpoint(run) for run in (one, other)]
    return all(
        torch.equal(value, found[1].average[name]) and torch.equal(net, found[1].network[name])
        for (name, value), net in zip(
            found[0].average.items(), found[0].network.values(), strict=True
        )
    )


def test_train(nursery: Nursery, tmp_path: Path) -> None:
    quick = ("train", "--dataset", "digits", "--model", CHAIN, "--epochs", "3", "--out", "run")
    before = tmp_path / "before"
    before.mkdir()
    assert nursery.run(before, *quick, "--seed", "1").code == 0
    old, train = files(before / "run"), (*quick, "--seed", "2")
    trial = Trial(nursery, before, train)
    _, duration_s = trial.undisturbed(tmp_path / "whole")
    folder, kills = tmp_path / "killed", 0
    for moment in moments(duration_s, seed=1):
        kills += trial.killed(folder, moment)
        # The earlier run lies where it was, or beside it, whole.
        assert old in (files(folder / "run"), files(folder / "run-1")), moment
        if (folder / "run" / CHECKPOINT).exists():
            load_checkpoint(folder / "run")
        if not trial.is_new(folder):
            continue
        if nursery.run(folder, *train, "--resume").code != 0:  # nothing of it was saved
            trial.again(folder)
        assert same_weights(folder / "run", tmp_path / "whole" / "run"), moment
        # Every file of a finished run is there, whenever it was killed.
        assert set(files(folder / "run")) == set(files(tmp_path / "whole" / "run")), moment
    assert kills >= MOMENTS // 3


def test_export(nursery: Nursery, tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    train = ("train", "--dataset", "digits", "--model", CHAIN, "--epochs", "1")
    for seed in ("1", "2"):
        made = nursery.run(before, *train, "--seed", seed, "--out", f"runs/{seed}")
        assert made.code == 0, made.said
    export = ("--int8", "--max-drop", "100", "--force", "--out", "exported")
    made = nursery.run(before, "export", "runs/1", *export)
    assert made.code == 0, made.said
    check_files(Trial(nursery, before, ("export", "runs/2", *export)), tmp_path, seed=2)


def test_data(nursery: Nursery, tmp_path: Path) -> None:
    from tests.datasets.idx_files import write_set
    from tests.datasets.server import serving

    write_set(tmp_path / "served", "kmnist")
    with serving() as server:
        for path in (tmp_path / "served").iterdir():
            server.files[f"/{path.name}"] = path.read_bytes()
        nursery.prelude = (
            "import os, dataclasses\nfrom mnist_edge.datasets import idx_datasets\n"
            "os.environ['XDG_CACHE_HOME'] = 'cache'\n"
            "os.environ.pop('MNIST_EDGE_DATA', None)\n"
            "kmnist = idx_datasets.SOURCES['kmnist']\n"
            f"changed = dataclasses.replace(kmnist, mirrors=({server.url!r},), "
            "files=tuple(dataclasses.replace(f, md5=None, sha256=None) for f in kmnist.files))\n"
            "idx_datasets.SOURCES['kmnist'] = changed\n"
        )
        (tmp_path / "before").mkdir()
        args = ("data", "kmnist", "--preview", "preview.png")
        check_files(Trial(nursery, tmp_path / "before", args), tmp_path, seed=3)


def test_bench(nursery: Nursery, tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    write_tiny_model(before / "tiny.onnx")
    (before / "before.json").write_text("{}")
    (before / "result.json").write_text("an earlier one")
    reports = ("--json", "result.json", "--markdown", "result.md")
    bench = ("bench", "tiny.onnx", "--dataset", "digits", "--duration", "0.05", *reports)
    trial = Trial(nursery, before, bench)
    whole, duration_s = trial.undisturbed(tmp_path / "whole")
    folder, kills = tmp_path / "killed", 0
    for moment in moments(duration_s, seed=4):
        kills += trial.killed(folder, moment)
        left = files(folder)
        for name in ("tiny.onnx", "before.json"):
            assert left[name] == whole[name]
        check_report(folder)
    trial.again(folder)
    check_report(folder)
    assert set(files(folder)) == set(whole)
    assert kills >= MOMENTS // 3


def check_report(folder: Path) -> None:
    """Its JSON is the earlier one or a whole one, its Markdown missing or whole."""
    import json

    text = (folder / "result.json").read_text()
    assert text == "an earlier one" or json.loads(text)["contenders"]
    report = folder / "result.md"
    assert not report.exists() or report.read_text().endswith("\n")


def check_files(trial: Trial, place: Path, seed: int) -> None:
    """For commands that always write the same bytes."""
    old = files(trial.before)
    whole, duration_s = trial.undisturbed(place / "whole")
    folder, kills = place / "killed", 0
    for moment in moments(duration_s, seed):
        kills += trial.killed(folder, moment)
        for name, digest in files(folder).items():
            assert digest in (old.get(name), whole.get(name)), f"{name} after {moment:.3f} s"
        assert set(old) <= set(files(folder))
        if trial.is_new(folder):
            trial.again(folder)
            assert files(folder) == whole, moment
    assert kills >= MOMENTS // 3
