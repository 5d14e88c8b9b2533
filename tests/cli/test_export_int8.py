"""mnist-edge export --int8: two files or none, what it says, and what it refuses."""

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from mnist_edge.classifier import Classifier
from mnist_edge.datasets import load
from mnist_edge.files import sha256
from mnist_edge.lab.export import gate, inputs, pipeline
from mnist_edge.lab.export.candidate import with_metadata, without_metadata
from mnist_edge.lab.export.qdq import WEIGHTED, Quantizer
from mnist_edge.lab.training.checkpoint import load_checkpoint
from mnist_edge.lab.training.runs import finish
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file.contract import Card
from tests.conftest import make_card, write_tiny_model
from tests.helpers.cli import assert_fails, invoke
from tests.helpers.exports import to_onnx_once
from tests.lab.conftest import make_run, one_thread, train_once  # noqa: F401

OUT = Path("exported")
FP32, INT8, MANIFEST = OUT / "edge-xs.onnx", OUT / "edge-xs-int8.onnx", OUT / "manifest.json"
RUN = Path("runs/edge-xs")
# A drop of accuracy is no matter here: on 382 test images, one is 0.26 points.
QUANTIZE = ("export", "--int8", "--max-drop", 2)

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "to_onnx", to_onnx_once)


@pytest.fixture(scope="module")
def trained() -> Path:
    return train_once("edge-xs")


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def home(trained: Path, empty: Path) -> Path:
    """A folder with one well trained run in runs/."""
    shutil.copytree(trained, RUN)
    return empty


@pytest.fixture
def fragile(trained: Path, empty: Path) -> Path:
    """A folder with a run whose network works, and forgets everything in int8.

    The first channel of its first map is always 0, and is read with enormous weights: in fp32 they
    change nothing; beside them, in 7 bits, all other weights of their output channels are 0.
    """
    saved = load_checkpoint(trained)
    weights = {name: value.clone() for name, value in saved.average.items()}
    weights["body.0.1.weight"][0], weights["body.0.1.bias"][0] = 0, -1
    for reader in ("wide.0", "point.0"):  # both branches of the first block
        weights[f"body.2.{reader}.weight"][:, 0] = 1000
    finish(RUN, replace(saved, average=weights), load("digits").test)
    return empty


def contents(folder: Path = OUT) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def card_of(path: Path) -> Card:
    return Classifier(path).card


def calibration_of(path: Path) -> dict[str, Any]:
    found = card_of(path).calibration
    assert found is not None
    return found


def layers() -> list[str]:
    """The layers of the exported fp32 file that can be kept in float."""
    images = load("digits").train.images[:8]
    return Quantizer(onnx.load(FP32), images).layers(WEIGHTED)


def test_both_files_are_written_and_said(home: Path) -> None:
    done = invoke(*QUANTIZE)
    assert (done.exit_code, done.stderr) == (0, "")
    files = ["edge-xs-int8.md", "edge-xs-int8.onnx", "edge-xs.md", "edge-xs.onnx", "manifest.json"]
    assert sorted(contents()) == files
    card, accuracy = card_of(INT8), card_of(INT8).accuracy
    first, *_, second, sure, against, portable, told, cards, following = done.stdout.splitlines()
    assert sure.startswith("  sure at probabilities of ")
    assert first.startswith(f"runs/edge-xs -> {FP32}: ")
    assert re.fullmatch(rf"runs/edge-xs -> {INT8}: \d+ kB, minmax on 512 training images", second)
    assert re.match(
        rf"  against the original, on {accuracy.total} test images: \d+ answers? changed", against
    )
    assert re.fullmatch(
        r"  the same on every CPU: .*\(widest pair \d+ of 128\), 0 of 382 answers differ .*",
        portable,
    )
    low, high = (100 * end for end in accuracy.interval)
    assert told == (
        f"  accuracy {100 * accuracy.value:.2f} % (95 % interval {low:.2f}-{high:.2f}), original "
        f"{100 * card.original_accuracy.value:.2f} %"
    )
    assert cards == f"model cards: {FP32.with_suffix('.md')} and {INT8.with_suffix('.md')}"
    assert following == "next: mnist-edge bench"


def test_the_fp32_file_is_the_one_that_is_written_without_int8(home: Path) -> None:
    assert invoke("export", "--out", "plain").exit_code == 0
    assert invoke(*QUANTIZE).exit_code == 0
    assert FP32.read_bytes() == Path("plain/edge-xs.onnx").read_bytes()
    assert card_of(INT8).source_sha256 == sha256(FP32)
    assert card_of(INT8).original_sha256 == sha256(RUN / "checkpoint.pt")


def test_json_agrees_with_the_files_and_the_manifest(home: Path) -> None:
    values = json.loads(invoke(*QUANTIZE, "--json").stdout)
    assert values["run"] == "runs/edge-xs"
    assert [made["file"] for made in values["files"]] == [str(FP32), str(INT8)]
    entries = json.loads(MANIFEST.read_text())["files"]
    assert sorted(entries) == ["edge-xs-int8.onnx", "edge-xs.onnx"]
    for made in values["files"]:
        path = Path(made["file"])
        entry, content, card = entries[path.name], path.read_bytes(), card_of(path)
        assert made["sha256"] == entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert made["bytes"] == entry["bytes"] == len(content)
        assert made["precision"] == entry["precision"] == card.precision
        assert made["accuracy"]["correct"] == entry["accuracy"]["correct"] == card.accuracy.correct
        assert made["replaced_accuracy"] is None
        compared = {key: made[key] for key in made if key.startswith("against_")}
        assert entry["gate"] == compared
    assert set(entries["edge-xs.onnx"]["gate"]) == {"against_original"}
    assert set(entries["edge-xs-int8.onnx"]["gate"]) == {
        "against_original",
        "against_fp32",
        "against_float_reference",
    }
    assert values["files"][1]["calibration"] == calibration_of(INT8)
    assert entries["edge-xs-int8.onnx"]["original_sha256"] == sha256(RUN / "checkpoint.pt")


def test_what_is_replaced_is_said_of_each_file(home: Path) -> None:
    invoke(*QUANTIZE)
    done = invoke(*QUANTIZE)
    for path in (FP32, INT8):
        had = f"{100 * card_of(path).accuracy.value:.2f} %"
        assert f"replaced {path}, which had {had}\n" in done.stdout


def test_another_calibration_says_no_more_than_minmax_does(home: Path) -> None:
    options = ("--max-drop", 100, "--calibration", "percentile", "--calibration-images", 8)
    done = invoke("export", "--int8", *options, "--json")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("{"), done.stdout[:200]
    made = json.loads(done.stdout)["files"][1]
    assert made["calibration"] == calibration_of(INT8)
    assert (made["calibration"]["method"], made["calibration"]["images"]) == (
        "percentile",
        8,
    )


# Reports.


def test_a_report_for_people(home: Path) -> None:
    Path("reports").mkdir()
    done = invoke(*QUANTIZE, "--report", "reports/int8.md")
    assert "\nwrote reports/int8.md\n" in done.stdout
    told = Path("reports/int8.md").read_text()
    assert "\nThe gate was passed.\n" in told
    assert sum(line.startswith("| `edge-xs") for line in told.splitlines()) == 3
    for path in (FP32, INT8):
        assert f"SHA-256 {sha256(path)}" in told
    value = f"{100 * card_of(INT8).accuracy.value:.2f} %"
    assert f"| {value} (" in told


def test_a_report_for_programs(home: Path) -> None:
    written = json.loads(invoke(*QUANTIZE, "--json", "--report", "int8.json").stdout)
    report = json.loads(Path("int8.json").read_text())
    assert report["verdict"] == "The gate was passed."
    for made, told in zip(report["files"], written["files"], strict=True):
        assert made == {key: told[key] for key in made} | {"file": Path(told["file"]).name}


def test_an_fp32_export_has_its_report_too(home: Path) -> None:
    assert invoke("export", "--report", "fp32.json").exit_code == 0
    (made,) = json.loads(Path("fp32.json").read_text())["files"]
    assert made["sha256"] == sha256(FP32)


@pytest.mark.parametrize("name", ["report.txt", "report", "report.JSON"])
def test_a_report_of_another_kind_is_refused_before_any_work(home: Path, name: str) -> None:
    message = f"--report writes .md or .json, and {name} is neither"
    assert_fails(invoke("export", "--report", name), message, code=2)
    assert not OUT.exists()
    assert not Path(name).exists()


# A network that loses too much.


@pytest.mark.parametrize("suffix", ["md", "json"])
def test_what_loses_too_much_leaves_the_folder_as_it_was(fragile: Path, suffix: str) -> None:
    assert invoke("export").exit_code == 0
    write_tiny_model(INT8, make_card(model="edge-xs", accuracy=Accuracy(1, 382)))
    before = contents()
    report = Path(f"why.{suffix}")
    done = invoke("export", "--int8", "--force", "--max-drop", 1, "--report", report)
    original = f"{100 * card_of(FP32).accuracy.value:.2f}%"
    assert_fails(
        done,
        rf"edge-xs-int8.onnx has (\d+\.\d\d)%, its original {original}: it lost \d+\.\d\d points"
        r".* --max-drop is 1.00. Nothing was written. Try --finetune-epochs 3",
    )
    assert contents() == before
    assert done.stdout == ""
    told = re.search(r"has (\d+\.\d\d)%", done.stderr)
    assert told
    assert float(told[1]) < 40 < 60 < 100 * card_of(FP32).accuracy.value
    if suffix == "md":
        assert "\nThe gate was not passed: edge-xs-int8.onnx has " in report.read_text()
        assert f"| {told[1]} % (" in report.read_text()
        return
    values = json.loads(report.read_text())
    assert values["verdict"].startswith("The gate was not passed: edge-xs-int8.onnx has ")
    assert f"{100 * values['files'][1]['accuracy']['value']:.2f}" == told[1]


def test_what_loses_too_much_writes_nothing_into_an_empty_place(fragile: Path) -> None:
    assert_fails(invoke("export", "--int8"), "--max-drop is 0.10")
    assert not OUT.exists()


def test_all_of_it_may_be_lost_where_that_is_asked_for(fragile: Path) -> None:
    assert invoke("export", "--int8", "--max-drop", 100).exit_code == 0
    assert card_of(INT8).accuracy.value < card_of(INT8).original_accuracy.value - 0.2


# All files or none.


@pytest.mark.usefixtures("home")
def test_a_better_fp32_file_is_found_before_int8_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which takes minutes where it is fine-tuned."""
    OUT.mkdir()
    write_tiny_model(FP32, make_card(accuracy=Accuracy(9999, 10000)))

    def never(*args: object) -> None:
        raise AssertionError("quantized before the better file was found")

    monkeypatch.setattr(pipeline, "int8_candidate", never)
    assert_fails(invoke(*QUANTIZE), r"edge-xs\.onnx is better \(99\.99%\) than this one .*--for")


def test_a_better_int8_file_keeps_the_fp32_file_in_place_too(home: Path) -> None:
    OUT.mkdir()
    write_tiny_model(FP32, make_card(accuracy=Accuracy(1, 10)))
    write_tiny_model(INT8, make_card(accuracy=Accuracy(9999, 10000), precision="int8"))
    before = contents()
    assert_fails(invoke(*QUANTIZE), r"edge-xs-int8.onnx is better \(99.99%\) than this one .*--for")
    assert contents() == before
    assert invoke(*QUANTIZE, "--force").exit_code == 0
    assert card_of(INT8).calibration is not None


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("at", ["calibrating", "measuring"])
def test_whatever_stops_it_leaves_the_folder_as_it_was(
    home: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], at: str
) -> None:
    invoke("export")
    before = contents()

    def stop(*args: object) -> None:
        raise error

    where: tuple[object, str] = (Quantizer, "quantize")
    if at == "measuring":
        where = (gate, "measure_portability")
    monkeypatch.setattr(*where, stop)
    if error is KeyboardInterrupt:
        done = invoke(*QUANTIZE, "--force")
        assert (done.exit_code, done.stdout, done.stderr) == (130, "", "stopped\n")
    else:
        with pytest.raises(RuntimeError):
            invoke(*QUANTIZE, "--force")
    assert contents() == before


def test_an_unreadable_manifest_stops_before_the_work(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    OUT.mkdir()
    MANIFEST.write_text("{")
    monkeypatch.setattr(inputs, "open_original", None)  # not to be called
    assert_fails(invoke(*QUANTIZE), "exported/manifest.json cannot be read: repair or delete it")
    assert list(contents()) == ["manifest.json"]


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_folder_in_the_way_of_the_second_file_keeps_the_first_away(
    home: Path, force: tuple[str, ...]
) -> None:
    INT8.mkdir(parents=True)
    assert_fails(invoke(*QUANTIZE, *force), "edge-xs-int8.onnx")
    assert list(OUT.iterdir()) == [INT8]


# Options.


@pytest.mark.parametrize(
    "option",
    [
        ("--max-drop", 0),
        ("--calibration", "minmax"),
        ("--calibration-images", 5),
        ("--finetune-epochs", 1),
        ("--keep-float", "Conv_2"),
        ("--diagnose",),
    ],
    ids=lambda option: option[0],
)
def test_an_option_about_int8_needs_it(home: Path, option: tuple[object, ...]) -> None:
    assert_fails(invoke("export", *option), f"{option[0]} is about int8: add --int8", 2)
    assert not OUT.exists()


@pytest.mark.parametrize(
    ("option", "message", "code"),
    [
        (
            ("--calibration", "kl"),
            "no calibration 'kl': choose one of minmax, entropy, percentile",
            2,
        ),
        (("--calibration-images", 1275), "digits has 1,274 images, fewer than the 1,275", 1),
        (("--max-drop", -1), "--max-drop is in percentage points, 0 to 100, not -1.0", 2),
        (("--max-drop", 101), "0 to 100, not 101.0", 2),
        (("--max-drop", "nan"), "not nan", 2),
        (("--keep-float", "Conv_99"), "no layer 'Conv_99' to keep in float: choose from Conv_", 1),
        (("--keep-float", ""), "no layer '' to keep in float: choose from Conv_", 1),
    ],
)
def test_an_option_that_makes_no_sense_is_told(
    home: Path, option: tuple[object, ...], message: str, code: int
) -> None:
    assert_fails(invoke(*QUANTIZE, *option), message, code)
    assert not OUT.exists()


@pytest.mark.parametrize("option", ["--calibration-images", "--finetune-epochs"])
def test_none_is_no_number_of_these(home: Path, option: str) -> None:
    done = invoke(*QUANTIZE, option, 0)
    assert done.exit_code == 2
    assert option in done.stderr
    assert not OUT.exists()


def test_all_training_images_may_calibrate(home: Path) -> None:
    assert invoke(*QUANTIZE, "--calibration-images", 1274).exit_code == 0
    assert calibration_of(INT8)["images"] == 1274


@pytest.mark.parametrize("together", [True, False])
def test_layers_are_kept_in_float(home: Path, together: bool) -> None:
    invoke(*QUANTIZE)
    plain, (first, second, *_) = INT8.stat().st_size, layers()
    options = [f"{first},{second}"] if together else [first, "--keep-float", second]
    done = invoke(*QUANTIZE, "--force", "--keep-float", *options)
    assert done.exit_code == 0, done.stderr
    assert calibration_of(INT8)["keep_float"] == [first, second]
    assert f"; {first}, {second} in float\n" in done.stdout
    assert INT8.stat().st_size > plain


def test_images_of_one_grey_are_told_in_one_line(empty: Path) -> None:
    place = empty / "night"
    for split in ("train", "test"):
        for name in ("a", "b"):
            (place / split / name).mkdir(parents=True)
            for at in range(10):
                Image.new("L", (28, 28), 0).save(place / split / name / f"{at}.png")
    make_run(RUN, load(f"folder:{place}"), dataset=f"folder:{place}")
    assert_fails(invoke("export", "--int8"), "the calibration images are all of one grey: .*images")
    assert not OUT.exists()


# Diagnosis.


def test_a_diagnosis_has_a_line_for_each_layer_and_writes_nothing(home: Path) -> None:
    done = invoke("export", "--int8", "--diagnose")
    assert (done.exit_code, done.stderr) == (0, "")
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["layer", "what", "weights", "output", "gain"]
    assert rows[-1] == "nothing was written"
    assert not OUT.exists()
    named = {row.split()[0] for row in rows}
    invoke(*QUANTIZE)
    assert set(layers()) <= named
    assert re.search(
        r"mean \|Δp\| against fp32 is \d\.\de-\d\d on 141 validation images", done.stdout
    )


def test_a_diagnosis_as_json(home: Path) -> None:
    values = json.loads(invoke("export", "--int8", "--diagnose", "--json").stdout)
    assert not OUT.exists()
    assert values["images"] == 141
    assert 0 < values["mean_probability_difference"] < 0.05
    invoke(*QUANTIZE)
    weighted = [layer for layer in values["layers"] if layer["weights_db"] is not None]
    assert [layer["name"] for layer in weighted] == layers()
    for layer in weighted:
        assert 20 < layer["weights_db"] < 60
        whole, alone = values["mean_probability_difference"], layer["mean_shift"]
        assert layer["gain"] == pytest.approx(1 - alone / whole)


def test_a_diagnosis_leaves_earlier_files_alone(home: Path) -> None:
    invoke("export")
    before = contents()
    assert invoke("export", FP32, "--int8", "--diagnose").exit_code == 0
    assert contents() == before


# Files.


def test_a_file_finds_its_original_by_its_hash(home: Path) -> None:
    invoke("export", "--out", "elsewhere")
    RUN.rename("runs/renamed")
    make_run(Path("runs/another"), load("digits"))
    source = Path("elsewhere/edge-xs.onnx")
    values = json.loads(invoke(*QUANTIZE, source, "--json").stdout)
    (made,) = values["files"]
    assert values["run"] == str(source)
    assert made["file"] == str(INT8)
    assert "against_original" in made
    assert sorted(contents()) == ["edge-xs-int8.md", "edge-xs-int8.onnx", "manifest.json"]
    card = card_of(INT8)
    assert card.source_sha256 == sha256(source)
    assert card.original_sha256 == sha256(Path("runs/renamed/checkpoint.pt"))


def test_from_a_file_or_from_its_run_comes_the_same(home: Path) -> None:
    invoke(*QUANTIZE)
    assert invoke(*QUANTIZE, FP32, "--out", "other").exit_code == 0
    assert Path("other/edge-xs-int8.onnx").read_bytes() == INT8.read_bytes()


def test_a_file_without_its_run_is_compared_with_itself(home: Path) -> None:
    invoke("export")
    before = FP32.read_bytes()
    shutil.rmtree("runs")
    done = invoke(*QUANTIZE, FP32)
    assert done.exit_code == 0, done.stderr
    assert "  against the fp32 file, on 382 test images: " in done.stdout
    assert "against the original" not in done.stdout
    assert FP32.read_bytes() == before
    entries = json.loads(MANIFEST.read_text())["files"]
    assert "against_original" not in entries["edge-xs-int8.onnx"]["gate"]
    assert entries["edge-xs-int8.onnx"]["gate"]["against_fp32"]["total"] == 382
    card = card_of(INT8)
    assert card.original_sha256 == card_of(FP32).source_sha256
    assert card.original_accuracy == card_of(FP32).original_accuracy


def test_a_file_that_is_int8_already_is_refused(home: Path) -> None:
    invoke(*QUANTIZE)
    before = contents()
    assert_fails(invoke(*QUANTIZE, INT8), "edge-xs-int8.onnx is quantized already: name the fp32")
    assert contents() == before


def test_a_file_without_int8_has_nothing_to_become(home: Path) -> None:
    invoke("export")
    message = f"{FP32} is a file already: add --int8 to quantize it, or name a run"
    assert_fails(invoke("export", FP32), message, code=2)


def test_a_foreign_file_is_refused(home: Path) -> None:
    Path("notes.onnx").write_text("mine")
    assert_fails(
        invoke(*QUANTIZE, "notes.onnx"), "notes.onnx is not an ONNX file, or a damaged one"
    )
    assert not OUT.exists()


def test_a_file_that_is_not_there_is_named(home: Path) -> None:
    assert_fails(invoke(*QUANTIZE, "gone.onnx"), r"there is no model file gone\.onnx")


def test_a_graph_that_the_lab_did_not_make_is_refused_in_one_line(home: Path) -> None:
    write_tiny_model(Path("tiny.onnx"))
    assert_fails(invoke(*QUANTIZE, "tiny.onnx"), "tiny.onnx")
    assert not OUT.exists()


def test_a_folders_file_needs_its_run_which_knows_the_way(home: Path) -> None:
    invoke("export")
    shutil.rmtree("runs")
    content = without_metadata(onnx.load(FP32))
    content = with_metadata(content, replace(card_of(FP32), dataset="folder:signs"))
    Path("signs.onnx").write_bytes(content)
    assert_fails(
        invoke(*QUANTIZE, "signs.onnx"),
        "signs.onnx was trained on folder:signs, and its run is not in runs/",
    )


# Fine-tuning.


def test_fine_tuning_goes_all_the_way(home: Path) -> None:
    invoke(*QUANTIZE, "--out", "plain")
    done = invoke("export", "--int8", "--max-drop", 5, "--finetune-epochs", 1)
    assert done.exit_code == 0, done.stderr
    assert "minmax on 512 training images; 1 epoch of fine-tuning on 1 thread\n" in done.stdout
    assert calibration_of(INT8)["finetune"]["epochs"] == 1
    assert {"lr", "batch_size", "seed"} <= set(calibration_of(INT8)["finetune"])
    assert card_of(INT8).source_sha256 == sha256(FP32)
    assert card_of(INT8).accuracy.value > 0.9
    # The fp32 file stays the trained network; the int8 file does not.
    assert FP32.read_bytes() == Path("plain/edge-xs.onnx").read_bytes()
    images = load("digits").test.images
    tuned, plain = (
        Classifier(path).logits(images) for path in (INT8, Path("plain/edge-xs-int8.onnx"))
    )
    assert np.abs(tuned - plain).max() > 1e-3


def test_fine_tuning_needs_the_run(home: Path) -> None:
    invoke("export")
    before = contents()
    shutil.rmtree("runs")
    assert_fails(
        invoke(*QUANTIZE, FP32, "--finetune-epochs", 1),
        "fine-tuning starts from the PyTorch network, whose run is not in runs/: train it again",
    )
    assert contents() == before


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--keep-float", "Conv_99"), "no layer 'Conv_99'"),
        (("--calibration-images", 5000), "fewer than the 5,000"),
    ],
)
def test_a_wrong_option_is_told_before_the_fine_tuning(
    home: Path, monkeypatch: pytest.MonkeyPatch, option: tuple[object, ...], message: str
) -> None:
    monkeypatch.setattr(pipeline, "finetune", None)  # not to be called
    assert_fails(invoke(*QUANTIZE, "--finetune-epochs", 1, *option), message)
