"""`make gpu` cannot be broken on the day: all its stages, on the CPU and digits."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import report, weights
from benchmarks.gpu.__main__ import STAGES
from benchmarks.gpu.plan import ROOT, environment
from tests.helpers.exports import exported

GPU = (sys.executable, "-m", "benchmarks.gpu")


def test_every_stage_is_rehearsed(tmp_path: Path) -> None:
    done = subprocess.run(
        [*GPU, "--device", "cpu", "--tiny", "--out", str(tmp_path)],
        cwd=ROOT,
        env={**environment(), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (ROOT / "benchmarks" / "gpu").is_dir()  # its stages run there, installed or not
    record = json.loads((tmp_path / "gpu.json").read_text())
    stages = record["stages"]
    assert {name: stage["status"] for name, stage in stages.items()} == {
        stage.name: "done" for stage in STAGES
    }, record
    found = {name: stage["findings"] for name, stage in stages.items()}

    training = found["training"]
    assert training["tensors"]["types of their outputs"] == ["torch.float32"]
    assert training["trained on cpu"]["finite"]
    assert training["exported without a GPU"]["changed"] == 0
    assert training["Ctrl-C"]["exit code"] == 130
    assert training["resumed"]["none twice, none lost"]
    eager, graphed = (training["accelerations"][how] for how in ("eager", "cuda-graph"))
    assert graphed["loss"] == pytest.approx(eager["loss"], rel=1e-3)

    assert all(value["images/s"] > 0 for name, value in found["speed"].items() if "," in name)
    assert set(found["seconds to"]["median"]) == {"99.5", "99.7"}
    assert found["several processes"]["1 under torchrun"]["same bits"]
    assert found["depth"]["exit code"] in (0, 130)

    assert found["best files"]["kept"] == ["edge-xs-0", "edge-xs-taught-1"]
    runs = weights.read(tmp_path, tmp_path / "again")
    assert [run.name for run in runs] == found["best files"]["kept"]
    accuracy = found["best files"]["edge-xs-0"]["test"]
    from mnist_edge.datasets import load

    file = exported(runs[0], tmp_path / "exported", load("digits"))
    assert file.card.accuracy.value == pytest.approx(accuracy)

    page = (tmp_path / "gpu.md").read_text()
    assert page == report.page(record)
    assert all(f"## {name}: done" in page for name in stages)


@pytest.mark.parametrize("arguments", [(), ("--device", "cpu")])
def test_what_is_missing_is_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    done = subprocess.run(
        [*GPU, *arguments, "--out", str(tmp_path / "gpu")],
        cwd=ROOT,
        env={**environment(), "MNIST_EDGE_DATA": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "gpu").exists()


def test_goals_are_judged_only_where_there_is_a_figure() -> None:
    assert all(met is None for _, met in report.goals({}).values())
    found: dict[str, dict[str, Any]] = {
        "speed": {
            "edge, eager, batch 128": {"times their loop": 12.0},
            "edge, cuda-graph, batch 128": {"times their loop": 31.0},
            "edge-xs, cuda-graph, batch 128": {"times their loop": 99.0},
        },
        "seconds to": {"median": {"99.5": 11.0, "99.7": None}},
        "training": {"exported without a GPU": {"changed": 0}},
    }
    assert [met for _, met in report.goals(found).values()] == [True, False, None, True]
