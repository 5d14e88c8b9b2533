"""Several at once: threads that share a Classifier, exports into one folder, downloads of a set."""

import hashlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mnist_edge.classifier import Classifier
from mnist_edge.files import sha256
from mnist_edge.model_file.manifest import MANIFEST, read_manifest
from tests.datasets.idx_files import write_set
from tests.datasets.server import serving

EXPORTED = Path(__file__).parent.parent / "exported"
ROOT = Path(__file__).parent.parent
THREADS, CALLS = 16, 100_000


@pytest.mark.parametrize("name", ["edge.onnx", "edge-xs-int8.onnx"])
def test_one_classifier_answers_sixteen_threads_as_one(name: str) -> None:
    model = Classifier(EXPORTED / name)
    dice = np.random.default_rng(0)
    images = dice.integers(0, 256, (64, 28, 28), np.uint8)
    alone = [model.logits(image[None]) for image in images]
    together = threading.Barrier(THREADS)

    def ask(seed: int) -> int:
        order = np.random.default_rng(seed).integers(0, len(images), CALLS // 2 // THREADS)
        together.wait()
        return sum(not np.array_equal(model.logits(images[at : at + 1]), alone[at]) for at in order)

    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(ask, range(THREADS))) == 0


# Forks, so that PyTorch is imported once and all begin at the same moment.
EXPORTING = """
import os, sys, traceback
from pathlib import Path
from mnist_edge.lab.export import publish
from mnist_edge.report import model_card
from tests.helpers.exports import fp32_candidate
children = []
for at, name in enumerate(sys.argv[1:]):
    children.append(os.fork())
    if children[-1] == 0:
        try:
            for seed in range(8):
                made = fp32_candidate(name, seed=1000 * at + seed)
                publish.publish([made], Path("exported"), model_card.render, force=True)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


def start(code: str, folder: Path, *args: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        cwd=folder,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_two_exports_into_one_folder_never_mix(tmp_path: Path) -> None:
    """All write eight times, of one name and of another: the manifest knows what lies there."""
    exports = start(EXPORTING, tmp_path, "same.onnx", "same.onnx", "other.onnx")
    _, said = exports.communicate(timeout=120)
    assert exports.returncode == 0, said
    files = read_manifest(tmp_path / "exported" / MANIFEST)
    assert set(files) == {"same.onnx", "other.onnx"}
    for name, entry in files.items():
        path = tmp_path / "exported" / name
        assert entry["sha256"] == sha256(path)
        assert Classifier(path).card.accuracy.correct == entry["accuracy"]["correct"]
        assert entry["sha256"] in path.with_suffix(".md").read_text()
    assert sorted(path.name for path in (tmp_path / "exported").iterdir()) == sorted(
        [MANIFEST, *files, *(name.replace(".onnx", ".md") for name in files)]
    )


FETCHING = """
import dataclasses, sys
from mnist_edge import datasets
from mnist_edge.datasets import idx_datasets
found = idx_datasets.SOURCES["kmnist"]
files = tuple(dataclasses.replace(file, md5=None, sha256=None) for file in found.files)
idx_datasets.SOURCES["kmnist"] = dataclasses.replace(found, mirrors=(sys.argv[1],), files=files)
print(len(datasets.load("kmnist").train))
"""


def test_a_cache_that_several_fill_at_once_is_right(tmp_path: Path) -> None:
    paths = write_set(tmp_path / "served", "kmnist")
    with serving() as server:
        server.files = {f"/{path.name}": path.read_bytes() for path in paths}
        cache = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "MNIST_EDGE_DATA": ""}
        fetches = [start(FETCHING, tmp_path, server.url, **cache) for _ in range(4)]
        for fetch in fetches:
            out, said = fetch.communicate(timeout=60)
            assert (fetch.returncode, out) == (0, "40\n"), said
    (place,) = (tmp_path / "cache").rglob("kmnist")
    assert {path.name: hashlib.sha256(path.read_bytes()).digest() for path in place.iterdir()} == {
        path.name: hashlib.sha256(path.read_bytes()).digest() for path in paths
    }
    assert len(server.asked) == len(paths)  # each was fetched once
