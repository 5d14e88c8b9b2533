"""mnist-edge reproduce: whole experiments on the digits, with small networks under the names."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_edge.lab.reproduce.experiments import EXPERIMENTS
from mnist_edge.lab.training import trainer as lab
from tests.conftest import write_tiny_model
from tests.helpers.cli import assert_fails, invoke
from tests.helpers.experiments import make_small
from tests.lab.conftest import one_thread  # noqa: F401

HOME = Path("runs/reproduce")
TRY = ("--dataset", "digits", "--epochs", 1, "--device", "cpu")


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and small experiments."""
    monkeypatch.chdir(tmp_path)
    make_small(monkeypatch)


def result(house: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((HOME / house / "result.json").read_text())
    return values


def test_lists_what_there_is() -> None:
    done = invoke("reproduce", "--list")
    assert (done.exit_code, done.stderr) == (0, "")
    for name, one in EXPERIMENTS.items():
        assert f"{name}: {one.what}\n" in done.stdout
        assert all(claim.figure in done.stdout for claim in one.claims)
    assert "--list --time" in done.stdout
    assert not HOME.exists()
    listed = json.loads(invoke("reproduce", "--list", "--json").stdout)
    assert [one["name"] for one in listed] == list(EXPERIMENTS)
    assert listed[0]["claims"] == [
        {"of": "accuracy, test split", "figure": "99.3 %", "value": 0.993}
    ]


def test_lists_how_long_each_takes_when_asked() -> None:
    done = invoke("reproduce", "--list", "--time", "--seeds", 1, "--device", "cpu")
    found = re.findall(
        r"^  takes    about [\dhmins ]+ here, on mnist.*$", done.stdout, re.MULTILINE
    )
    assert len(found) == len(EXPERIMENTS)
    assert [line.partition("on mnist")[2] for line in found] == [
        ", 1 seed",
        ", 1 seed",
        ", small size",
        ", small size, 1 seed",
        ", 1 seed",
    ]


@pytest.mark.parametrize(
    ("args", "message", "code"),
    [
        (["lenet"], f"no experiment 'lenet': choose one of {', '.join(EXPERIMENTS)}$", 2),
        (["three-block", "--size", "full"], "three-block has one size: leave --size away", 2),
        (["depth", "--seeds", "2"], "leave --seeds away", 2),
        (["depth", "--size", "huge"], "no size 'huge': choose one of small, full", 2),
        (["depth", "--dataset", "cifar"], "on 'cifar': choose one of mnist, fashion-mnist", 2),
        (["depth", "--against", "x.onnx"], "--against is for 'best'", 2),
        (["best", "--against", "x.onnx"], "there is no model file x.onnx", 1),
        (["depth", "--dataset", "digits", "--only", "a"], "no part 'a': choose of plain20, ", 2),
        (
            ["best", "--dataset", "digits", "--only", "edge-taught"],
            "edge-taught learns from resn",
            1,
        ),
    ],
)
def test_mistakes_are_one_line(args: list[str], message: str, code: int) -> None:
    assert_fails(invoke("reproduce", *args), message, code)
    assert not HOME.exists()


@pytest.mark.parametrize("args", [[], ["depth", "--list"], ["depth", "--time"]])
def test_one_experiment_or_the_list(args: list[str]) -> None:
    done = invoke("reproduce", *args)
    assert done.exit_code == 2
    assert "name one experiment, or ask for --list" in done.stderr


def test_three_block_shows_layers_claim_and_files() -> None:
    done = invoke("reproduce", "three-block", *TRY)
    house = HOME / "three-block-digits-1-epoch"
    assert done.exit_code == 0
    intro, about, begins, epoch = done.stderr.splitlines()
    assert intro.startswith("three-block on digits: resnet3: Adam 0.001")
    assert re.fullmatch(r"about \d+ (s|min) on this machine \(cpu, 1 thread; 1 run\)", about)
    assert begins == "run 1 of 1, resnet3-0: 1 epoch on 1 thread"
    assert epoch.startswith("epoch   1/1  loss ")
    assert "a try, and not the recipe itself: on digits, not on mnist; 1 epoch" in done.stdout
    assert re.search(r"^all +[\d,]+ +[\d,]+$", done.stdout, re.MULTILINE)  # the layer table
    assert re.search(r"accuracy, test split +99\.3 % +1 +\d+\.\d{3} %", done.stdout)
    assert "reproduced" not in done.stdout  # nobody claimed anything of digits
    assert (house / "exported" / "resnet3.onnx").is_file()
    values = result(house.name)
    assert values["command"] == (
        "mnist-edge reproduce three-block --dataset digits --epochs 1 --device cpu"
    )
    assert values["as_claimed"] is False
    (run,) = values["runs"]
    assert run["recipe"]["optimizer"] == "adam"
    assert run["duration_s"] > 0
    assert values["accuracy"]["mean"] == run["test"]["value"]
    page = (house / "result.md").read_text()
    assert page.startswith("# three-block\n\nMade by `mnist-edge reproduce three-block ")
    assert str(Path.cwd()) not in page + json.dumps(values)


def test_a_finished_experiment_is_told_again_without_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = invoke("reproduce", "resnet18-one-epoch", *TRY, "--seeds", 2)
    monkeypatch.setattr(lab.Trainer, "epoch", None)
    again = invoke("reproduce", "resnet18-one-epoch", *TRY, "--seeds", 2, "--json")
    assert again.exit_code == 0
    assert again.stderr.splitlines()[-1] == "all 2 runs are finished"
    values = json.loads(again.stdout)
    assert values == result("resnet18-one-epoch-digits-1-epoch")
    assert [run["name"] for run in values["runs"]] == ["resnet18-0", "resnet18-1"]
    for run in values["runs"]:
        counts = np.asarray(values["confusion"][run["name"]])
        assert (np.trace(counts), counts.sum()) == (run["test"]["correct"], run["test"]["total"])
    assert f" {values['macro_f1']['mean']:.4f} " in first.stdout
    assert re.search(r"^weighted avg( +\d\.\d{3}){3} +382$", first.stdout, re.MULTILINE)


def test_depth_draws_the_errors_of_all_four() -> None:
    done = invoke("reproduce", "depth", *TRY)
    house = HOME / "depth-digits-1-epoch"
    assert done.exit_code == 0
    begun = re.findall(r"^run (\d) of 4, (\w+): 1 epoch on 1 thread$", done.stderr, re.MULTILINE)
    assert begun == [("1", "plain20"), ("2", "plain56"), ("3", "resnet20"), ("4", "resnet56")]
    assert re.search(r"plain56 (trains|does not train) worse than plain20", done.stdout)
    values = result(house.name)
    for run in values["runs"]:
        history = run["history"][-1]
        errors = values["errors"][run["name"]]
        assert errors["training"] == [1 - history["training_accuracy"]]
        assert errors["test"] == [1 - run["test"]["value"]]
    assert values["options"]["size"] == "small"
    with Image.open(house / "curves.png") as image:
        assert image.format == "PNG"
    assert "![curves.png](curves.png)" in (house / "result.md").read_text()


def test_shortcuts_compare_both_options() -> None:
    done = invoke("reproduce", "shortcuts", *TRY, "--seeds", 1)
    assert done.exit_code == 0
    assert re.search(r"^A, zero-padded identity +1 +\d", done.stdout, re.MULTILINE)
    assert "accuracy of B over A" in done.stdout
    values = result("shortcuts-digits-1-epoch")
    assert set(values["shortcuts"]) == {"zero", "projection"}
    assert {"zero/resnet20.onnx", "projection/resnet20.onnx"} <= set(values["timed"])


def test_parts_of_the_best_can_be_made_alone_and_timed(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "peer.onnx")
    both = ("--only", "resnet3,edge-xs-taught", "--against", tmp_path / "peer.onnx")
    done = invoke("reproduce", "best", *TRY, "--seeds", 1, *both)
    assert done.exit_code == 0
    assert "not trained yet: edge-0, edge-xs-0, edge-taught-0" in done.stdout
    assert "the teacher is resnet3-0" in done.stdout
    values = result("best-digits-1-epoch")
    assert list(values["parts"]) == ["resnet3", "edge-xs-taught"]
    assert values["timed"]["peer.onnx"]["ratio"] is None
    assert values["timed"]["edge-xs-taught/edge-xs.onnx"]["ratio"] is not None
    assert values["command"].endswith("--against peer.onnx --device cpu")


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    epoch, done_before = lab.Trainer.epoch, 3  # one whole run, and one epoch of the second

    def stopping(self: Any, number: int, watch: Any) -> Any:
        nonlocal done_before
        if done_before == 0:
            raise KeyboardInterrupt
        done_before -= 1
        return epoch(self, number, watch)

    args = ("reproduce", "depth", "--dataset", "digits", "--epochs", 2, "--device", "cpu")
    with monkeypatch.context() as patch:
        patch.setattr(lab.Trainer, "epoch", stopping)
        patch.setattr(
            "mnist_edge.cli.reproduce._show_estimate", lambda session, missing, threads: None
        )
        stopped = invoke(*args)
    assert stopped.exit_code == 130
    assert stopped.stderr.splitlines()[-1] == (
        "stopped; 1 of 4 runs finished, plain56 saved after epoch 1 of 2: go on with 'mnist-edge "
        "reproduce depth --dataset digits --epochs 2 --device cpu'"
    )
    assert not (HOME / "depth-digits-2-epochs" / "result.json").exists()
    done = invoke(*args)
    assert done.exit_code == 0
    assert "4 runs, 1 of them finished" in done.stderr
    assert "run 2 of 4, plain56: 2 epochs on 1 thread, going on after epoch 1" in done.stderr
    assert "run 1 of 4" not in done.stderr
    assert [len(run["history"]) for run in result("depth-digits-2-epochs")["runs"]] == [2] * 4
