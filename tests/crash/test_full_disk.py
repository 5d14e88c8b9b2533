"""A disk that takes no more: one clear line, and what was there is still there.

`ulimit -f` stands for the full disk: the system refuses to let any file grow beyond 2 kB.
"""

import os
from pathlib import Path

import pytest

from mnist_edge.lab.training.checkpoint import load_checkpoint
from tests.conftest import write_tiny_model
from tests.crash.nursery import Nursery
from tests.crash.test_killed import CHAIN, files
from tests.datasets.idx_files import write_set
from tests.datasets.server import serving

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


def full(most: int = 2000) -> str:
    """No file may grow beyond so many bytes."""
    return f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))\n"


ELSEWHERE = "Free some space or choose another place"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def refusal(nursery: Nursery, folder: Path, *args: object, prelude: str = full()) -> str:
    """The last line of a command for which the disk is full; all else is as it was."""
    before, nursery.prelude = files(folder), prelude
    ended = nursery.run(folder, *args)
    nursery.prelude = ""
    assert ended.code == 1, ended.said
    lines = [line for line in ended.said.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, ended.said[-1500:]
    assert "Traceback" not in ended.said
    assert files(folder) == before
    left = [path.name for path in folder.rglob("*") if path.name.startswith(".mnist-edge")]
    assert not left
    return lines[0]


def test_train_and_export(nursery: Nursery, folder: Path) -> None:
    train = ("train", "--dataset", "digits", "--model", CHAIN, "--epochs", "1", "--out", "run")
    said = refusal(nursery, folder, *train)
    assert said == f"error: cannot write run/checkpoint.pt: File too large. {ELSEWHERE}"

    assert nursery.run(folder, *train).code == 0
    export = ("export", "run", "--int8", "--max-drop", "100")
    said = refusal(nursery, folder, *export)
    assert said.startswith("error: cannot write a temporary file in ")
    assert ": File too large. Free some space there, or name another place in TMPDIR" in said
    assert nursery.run(folder, *export).code == 0


ONE_EPOCH = """
from mnist_edge.lab.training import trainer
epoch = trainer.Trainer.epoch
def one_epoch(self, number, *args):
    if number == 1:
        raise KeyboardInterrupt
    return epoch(self, number, *args)
trainer.Trainer.epoch = one_epoch
"""


def test_an_earlier_checkpoint_stays(nursery: Nursery, folder: Path) -> None:
    train = ("train", "--dataset", "digits", "--model", CHAIN, "--epochs", "3", "--out", "run")
    nursery.prelude = ONE_EPOCH
    assert nursery.run(folder, *train).code == 130
    said = refusal(nursery, folder, "train", "--resume", "--out", "run")
    assert said == f"error: cannot write run/checkpoint.pt: File too large. {ELSEWHERE}"
    assert load_checkpoint(folder / "run").epochs_done == 1


def test_bench(nursery: Nursery, folder: Path) -> None:
    write_tiny_model(folder / "tiny.onnx")
    (folder / "result.json").write_text("an earlier one")
    bench = ("bench", "tiny.onnx", "--dataset", "digits", "--duration", "0.5")
    assert "cannot write its profile of tiny.onnx into " in refusal(nursery, folder, *bench)
    report = ("--json", "result.json")
    said = refusal(nursery, folder, *bench, *report, prelude=full(50_000))
    assert said == f"error: cannot write result.json: File too large. {ELSEWHERE}"


def test_data(nursery: Nursery, folder: Path, tmp_path: Path) -> None:
    paths = write_set(tmp_path / "served", "kmnist")
    with serving() as server:
        server.files = {f"/{path.name}": path.read_bytes() for path in paths}
        source = (
            "import os, dataclasses\nfrom mnist_edge.datasets import idx_datasets\n"
            "os.environ.update(XDG_CACHE_HOME='cache', MNIST_EDGE_DATA='')\n"
            "kmnist = idx_datasets.SOURCES['kmnist']\n"
            f"changed = dataclasses.replace(kmnist, mirrors=({server.url!r},))\n"
            "idx_datasets.SOURCES['kmnist'] = changed\n"
        )
        said = refusal(nursery, folder, "data", "kmnist", prelude=source + full())
    assert "cannot download train-images-idx3-ubyte.gz (OSError: [Errno 27] File too large)" in said
