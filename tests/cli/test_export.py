"""mnist-edge export: what it says, what it refuses, and what it leaves behind."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from mnist_edge.classifier import Classifier
from mnist_edge.cli import export_options as options
from mnist_edge.datasets import load
from mnist_edge.lab.export import inputs
from mnist_edge.lab.export import pipeline as lab
from mnist_edge.lab.training.checkpoint import load_checkpoint, save_checkpoint
from mnist_edge.lab.training.models import Network
from mnist_edge.metrics import Accuracy
from tests.conftest import make_card, write_tiny_model
from tests.helpers.cli import assert_fails, invoke
from tests.helpers.exports import to_onnx_once
from tests.lab.conftest import make_run, one_thread  # noqa: F401

FILE = Path("exported/edge-xs.onnx")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one finished run in runs/."""
    folder = tmp_path_factory.mktemp("home")
    make_run(folder / "runs" / "edge-xs", load("digits"))
    return folder


@pytest.fixture
def run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The finished run, seen from an empty folder."""
    monkeypatch.chdir(tmp_path)
    return home / "runs" / "edge-xs"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "to_onnx", to_onnx_once)


def test_the_newest_run_is_exported_checked_and_said(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    done = invoke("export")
    assert (done.exit_code, done.stderr) == (0, "")
    card = Classifier(FILE).card
    made, sure, gate, accuracy, told, following = done.stdout.splitlines()
    assert re.fullmatch(
        rf"runs/edge-xs -> {FILE}: \d+ kB, opset 14, temperature {card.temperature:.3f}", made
    )
    assert card.threshold is not None
    assert sure == (
        f"  sure at probabilities of {card.threshold.value:.4f} and more: "
        f"{card.threshold.accepted:,} of {card.threshold.total:,} validation images, "
        f"{card.threshold.right:,} of them rightly"
    )
    assert re.fullmatch(
        rf"  against the original, on {card.accuracy.total} test images: 0 answers changed, "
        r"mean \|Δp\| \d\.\de-\d\d, max \d\.\de-\d\d, max \|Δlogit\| \d\.\de-0\d",
        gate,
    )
    value = f"{100 * card.accuracy.value:.2f} %"
    assert accuracy.startswith(f"  accuracy {value} (95 % interval ")
    assert accuracy.endswith(f"), original {value}")
    assert told == f"model card: {FILE.with_suffix('.md')}"
    assert following == "next: mnist-edge bench"


@pytest.mark.usefixtures("quick")
def test_json_agrees_with_the_file_and_the_manifest(run: Path) -> None:
    values = json.loads(invoke("export", run, "--json").stdout)
    assert values["run"] == str(run)
    (made,) = values["files"]
    content = Path(made["file"]).read_bytes()
    assert made["file"] == str(FILE)
    assert made["sha256"] == hashlib.sha256(content).hexdigest()
    assert made["bytes"] == len(content)
    assert made["opset"] == 14
    assert made["precision"] == "fp32"
    assert made["against_original"]["changed"] == 0
    assert made["replaced_accuracy"] is None
    assert {"against_fp32", "against_float_reference", "calibration"} & set(made) == set()
    entry = json.loads(Path("exported/manifest.json").read_text())["files"]["edge-xs.onnx"]
    assert entry["sha256"] == made["sha256"]
    assert entry["bytes"] == len(content)
    assert entry["temperature"] == made["temperature"] == Classifier(FILE).card.temperature
    assert entry["gate"] == {"against_original": made["against_original"]}


@pytest.mark.usefixtures("quick")
def test_an_equal_file_is_replaced_and_said(run: Path) -> None:
    invoke("export", run)
    before = Classifier(FILE).card.accuracy.value
    done = invoke("export", run)
    assert done.exit_code == 0
    assert done.stdout.startswith(f"replaced {FILE}, which had {100 * before:.2f} %\n")


@pytest.mark.usefixtures("quick")
def test_out_is_where_the_file_goes(run: Path) -> None:
    assert invoke("export", run, "--out", "a/b").exit_code == 0
    assert Path("a/b/edge-xs.onnx").is_file()
    assert not FILE.exists()


@pytest.mark.usefixtures("quick")
def test_a_better_file_stays_without_force(run: Path) -> None:
    FILE.parent.mkdir()
    card = make_card(dataset="digits", accuracy=Accuracy(9999, 10000))
    before = write_tiny_model(FILE, card).read_bytes()
    assert_fails(
        invoke("export", run),
        rf"{FILE} is better \(99.99%\) than this one \(\d\d\.\d\d%\): use --force to replace it",
    )
    assert FILE.read_bytes() == before
    assert list(FILE.parent.iterdir()) == [FILE]
    done = invoke("export", run, "--force")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"replaced {FILE}, which had 99.99 %\n")


@pytest.mark.parametrize("name", ["edge-xs.onnx", "edge-xs-int8.onnx", "edge-xs.md"])
def test_what_is_in_the_way_is_found_before_any_work(
    run: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def never(*args: object) -> None:
        raise AssertionError("opened before what is in the way was found")

    monkeypatch.setattr(inputs, "open_original", never)
    FILE.parent.mkdir()
    if name == FILE.name:
        write_tiny_model(FILE, make_card(dataset="digits", accuracy=Accuracy(9999, 10000)))
    else:
        (FILE.parent / name).write_text("mine")
    assert_fails(invoke("export", run, "--int8"), rf"^error: exported/{name} is ")
    with pytest.raises(AssertionError, match="opened before"):  # with --force it goes on
        invoke("export", run, "--int8", "--force")
    with pytest.raises(AssertionError, match="opened before"):  # which writes nothing
        invoke("export", run, "--int8", "--diagnose")


@pytest.mark.usefixtures("quick")
def test_a_foreign_file_stays_without_force(run: Path) -> None:
    FILE.parent.mkdir()
    FILE.write_text("mine")
    assert_fails(invoke("export", run), "is in the way and is not ours: use --force")
    assert FILE.read_text() == "mine"


@pytest.mark.usefixtures("quick")
def test_a_file_that_differs_is_not_written(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right: Callable[[Network], onnx.ModelProto] = vars(lab)["to_onnx"]

    def broken(network: Network) -> onnx.ModelProto:
        model = right(network)
        first = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
        values = numpy_helper.to_array(first).copy()
        values[0, 0, 2, 2] += np.float32(0.5)
        first.CopyFrom(numpy_helper.from_array(values, first.name))
        return model

    monkeypatch.setattr(lab, "to_onnx", broken)
    assert_fails(
        invoke("export", run, "--force"),
        r"edge-xs.onnx does not compute what its original computes: \d+ of \d+ answers changed, "
        r"max \|Δlogit\| .* \(limit .*\). Nothing was written",
    )
    assert not FILE.parent.exists()
    invoke("export", run, "--report", "gate.json")  # which says of what did not pass, too
    found = json.loads(Path("gate.json").read_text())
    assert found["verdict"].startswith("The gate was not passed: edge-xs.onnx does not compute")
    assert [file["file"] for file in found["files"]] == ["edge-xs.onnx"]
    assert found["files"][0]["against_original"]["max_logit_difference"] > 0


@pytest.mark.usefixtures("quick")
def test_an_unreadable_manifest_is_named_and_nothing_is_written(run: Path) -> None:
    FILE.parent.mkdir()
    (FILE.parent / "manifest.json").write_text("{")
    assert_fails(invoke("export", run), "exported/manifest.json cannot be read: repair or delete")
    assert not FILE.exists()


def test_without_runs_it_says_how_to_train_one(run: Path) -> None:
    assert_fails(invoke("export"), r"there is no run in runs/: train one first with 'mnist-edge t")


def test_a_run_that_is_not_there_is_named(run: Path) -> None:
    for name in ("runs/edge", "nothing"):
        message = f"there is no run {name}, and no model file: train a run first"
        assert_fails(invoke("export", name), message)


def test_a_run_is_known_by_its_name_and_its_files_by_theirs(
    home: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--name tells files of several data sets apart; what is measured next is what was made."""
    monkeypatch.chdir(home)
    done = invoke("export", "edge-xs", "--out", "my models", "--name", "numbers")
    assert (done.exit_code, done.stderr) == (0, "")
    made = "my models/numbers.onnx"
    assert done.stdout.startswith(f"runs/edge-xs -> {made}: ")
    assert done.stdout.endswith(f"next: mnist-edge bench '{made}'\n")
    assert Classifier(made).card.model == "edge-xs"
    assert sorted(path.name for path in Path("my models").iterdir()) == [
        *("manifest.json", "numbers.md", "numbers.onnx")
    ]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ("--out", "a/model.onnx"),
            r"a/model\.onnx looks like a file: --name model names the file",
        ),
        (("--name", "a/b"), "--name is letters, digits, dots"),
        (("--name", ""), "--name is letters, digits, dots"),
        (("--name", "-x"), "--name is letters, digits, dots"),
        (("--name", "a.onnx"), r"--name goes without \.onnx and -int8"),
        (("--name", "a-int8"), r"--name goes without \.onnx and -int8"),
    ],
)
def test_names_that_no_file_can_have_are_refused_at_once(
    run: Path, args: tuple[str, ...], message: str
) -> None:
    assert_fails(invoke("export", run, *args), message, code=2)
    assert not list(Path().iterdir())


def test_what_is_measured_next_is_on_the_images_of_a_persons_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = [Path("exported/edge.onnx"), Path("exported/edge-int8.onnx")]

    def following(out: str, dataset: str) -> str:
        return options.next_command(Path(out), made, dataset)

    both = "mnist-edge bench exported/edge.onnx exported/edge-int8.onnx"
    assert following("exported", "mnist") == "mnist-edge bench"
    assert following("elsewhere", "mnist") == both
    assert following("exported", f"folder:{tmp_path / 'my shapes'}") == (
        f"{both} --dataset 'folder:my shapes'"
    )
    assert following("exported", "folder:/far") == f"{both} --dataset folder:/far"


def test_a_damaged_run_is_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"PK")
    assert_fails(invoke("export", "."), "checkpoint.pt is damaged or not ours: train it again")


def test_an_unfinished_run_is_refused(run: Path, tmp_path: Path) -> None:
    saved = load_checkpoint(run)
    save_checkpoint(
        Path("runs/x"), replace(saved, result=None, recipe=replace(saved.recipe, epochs=3))
    )
    assert_fails(
        invoke("export"), "runs/x stopped after epoch 1 of 3: finish it with 'mnist-edge train --re"
    )


def test_a_folder_that_went_away_is_named(run: Path, tmp_path: Path) -> None:
    saved = load_checkpoint(run)
    recipe = replace(saved.recipe, dataset=f"folder:{tmp_path / 'gone'}")
    save_checkpoint(Path("runs/x"), replace(saved, recipe=recipe))
    assert_fails(invoke("export"), "there is no folder .*gone")


def test_wrong_usage_exits_2(run: Path) -> None:
    done = invoke("export", run, "extra")
    assert done.exit_code == 2
    assert "extra" in done.stderr
