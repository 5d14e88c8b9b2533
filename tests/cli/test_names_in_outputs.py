"""Names of strangers in every output: classes, files, folders and data sets that hold escape
sequences, marks that turn the order of letters, line ends, formulas and markup. All outputs are
walked: nothing in them but text."""

import csv
import io
import json
import os
import sys
import unicodedata
import xml.etree.ElementTree
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_edge.errors import EdgeError
from mnist_edge.image_shape import Fit
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file.card_files import FileFacts
from mnist_edge.model_file.contract import Card
from mnist_edge.report import model_card
from tests.conftest import make_card, write_tiny_model
from tests.helpers.cli import invoke, write_digit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="takes any name for a file")

EVIL = "=a\x1b]0;t\x07\x9b31m\u202e\u2066$\\frac{$\n\u2028<b>|`x"
CLASSES = tuple(f"{EVIL}{at}" for at in range(3))
UNSHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def assert_only_text(text: str, ends: str = "\n") -> None:
    found = {one for one in text if unicodedata.category(one) in UNSHOWN} - set(ends)
    assert not found, f"{found} in {text[:2000]!r}"


def assert_speaks_plainly(result: Any, code: int = 0, ends: str = "\n") -> None:
    assert result.exit_code == code, result.stderr
    assert_only_text(result.stdout, ends)
    assert_only_text(result.stderr)
    for line in result.stderr.splitlines():
        assert line.startswith(("error: ", "note: ", "warning: ", "model: ")), line


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of classes, all of evil names."""
    root = tmp_path_factory.mktemp("images") / EVIL
    random = np.random.default_rng(0)
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for at in range(30):
            image = random.integers(0, 256, (28, 28), np.uint8)
            Image.fromarray(image).save(root / name / f"{at}.png")
    return root


def own_card(images: Path, **changes: object) -> Card:
    evil = make_card(classes=CLASSES, dataset=f"folder:{images.name}", licence=EVIL, model=EVIL)
    return replace(evil, precision=EVIL, trained={EVIL: EVIL}, **changes)  # type: ignore[arg-type]


@pytest.fixture
def model(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exported").mkdir()
    return write_tiny_model(tmp_path / "exported" / f"{EVIL}.onnx", own_card(images))


@pytest.fixture
def model_of_digits(images: Path, model: Path) -> Path:
    """One whose pictures may be cut into digits."""
    card = own_card(images, classes=tuple("0123456789"), dataset="mnist", fit=Fit.DIGIT)
    return write_tiny_model(model.with_name(f"digits{EVIL}.onnx"), card)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return write_digit(tmp_path / f"{EVIL}.png")


@pytest.mark.parametrize("options", [("--line",), ("--grid",)])
def test_predict_several(
    model: Path, model_of_digits: Path, picture: Path, options: tuple[str, ...]
) -> None:
    assert_speaks_plainly(invoke("predict", picture, "--model", model_of_digits, *options))
    result = invoke("predict", picture, "--model", model_of_digits, "--json", *options)
    assert_speaks_plainly(result)
    assert json.loads(result.stdout)["file"] == str(picture)
    assert_speaks_plainly(invoke("predict", picture, "--model", model, *options), 2)


@pytest.mark.parametrize("options", [(), ("--show",), ("--check",)])
def test_predict(model: Path, picture: Path, options: tuple[str, ...]) -> None:
    code = int("--check" in options)  # it has no golden answers
    lost = picture.with_name(f"lost{picture.name}")
    result = invoke("predict", picture, "--model", model, *options)
    assert_speaks_plainly(result, code)
    assert_speaks_plainly(invoke("predict", picture, lost, "--model", model, *options), 1)


def test_predict_for_programs(model: Path, picture: Path) -> None:
    result = invoke("predict", picture, "--model", model, "--json")
    assert_speaks_plainly(result)
    found = json.loads(result.stdout)
    assert found["file"] == str(picture)
    assert tuple(found["probabilities"]) == CLASSES

    result = invoke("predict", picture.name, "--model", model, "--csv", "--threshold", 0)
    assert_speaks_plainly(result, ends="\r\n")
    (row,) = csv.DictReader(io.StringIO(result.stdout, newline=""))
    assert row["label"].startswith("'=a\\x1b]0;")
    assert row["file"].startswith("'=a\\x1b]0;")


def test_predict_with_names_that_are_no_text(tmp_path: Path, picture: Path) -> None:
    classes = tuple(f"\ud800{at}" for at in range(10))
    model = write_tiny_model(tmp_path / "a.onnx", make_card(classes=classes))
    name = os.fsdecode(b"\xff\x9b.png")
    picture = picture.rename(picture.with_name(name))
    for options in ((), ("--show",), ("--line",)):
        assert_speaks_plainly(invoke("predict", picture, "--model", model, *options))
    assert_speaks_plainly(invoke("predict", picture, "--model", model, "--csv"), ends="\r\n")
    result = invoke("predict", picture, "--model", model, "--json")
    assert_speaks_plainly(result)
    found = json.loads(result.stdout)
    assert (found["file"], tuple(found["probabilities"])) == (str(picture), classes)
    saving = ("--save-input", tmp_path / "saved")
    assert_speaks_plainly(invoke("predict", picture, "--model", model, *saving))


def test_eval(model: Path, images: Path, tmp_path: Path) -> None:
    args = ("eval", model, "--dataset", f"folder:{images}")
    assert_speaks_plainly(invoke(*args, "--errors", tmp_path / "errors.png"))
    Image.open(tmp_path / "errors.png").load()
    result = invoke(*args, "--json")
    assert_speaks_plainly(result)
    assert set(json.loads(result.stdout)["classes"]) == set(CLASSES)


def test_bench(model: Path, images: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    names = {"--json": "a.json", "--markdown": "a.md", "--html": "a.html", "--plot": "a.svg"}
    places = [part for pair in names.items() for part in pair]
    quick = ("--duration", 0, "--batch", 1, "--dataset", f"folder:{images}")
    assert_speaks_plainly(invoke("bench", model, *quick, *places))

    written = {name: (tmp_path / name).read_text() for name in names.values()}
    for text in written.values():
        assert_only_text(text)
    assert json.loads(written["a.json"])["contenders"][0]["file"] == model.name
    assert "<b>" not in written["a.html"]
    assert "<b>" not in written["a.md"].replace("\\<b\\>", "")
    xml.etree.ElementTree.fromstring(written["a.svg"])
    assert r"$\frac{$" in written["a.svg"]  # as it stands, and no formula


def test_data(images: Path, tmp_path: Path) -> None:
    args = ("data", f"folder:{images}")
    assert_speaks_plainly(invoke(*args, "--preview", tmp_path / "a.png"))
    result = invoke(*args, "--json")
    assert_speaks_plainly(result)
    assert json.loads(result.stdout)["classes"] == list(CLASSES)


def errors(folder: Path, model: Path) -> Iterator[tuple[object, ...]]:
    """Commands that name what they refuse."""
    lost = folder / f"{EVIL}/{EVIL}"
    yield ("eval", lost)
    yield ("eval", model)  # whose data set is nowhere
    yield ("bench", lost)
    yield ("bench", model, "--json", lost)
    yield ("bench", model, "--compare", lost)
    yield ("predict", "1.png", "--model", lost)
    yield ("export", lost)
    yield ("export", model, "--int8", "--data-dir", lost)
    yield ("data", f"folder:{lost}")
    yield ("data", EVIL)
    yield ("data", "mnist", "--data-dir", lost)
    yield ("train", "--dataset", f"folder:{lost}")
    yield ("train", "--resume", "--out", lost)
    yield ("train", "--teacher", lost, "--dataset", "digits")
    yield ("models", EVIL)


def test_errors(model: Path, tmp_path: Path) -> None:
    for args in errors(tmp_path, model):
        result = invoke(*args)
        assert_speaks_plainly(result, result.exit_code)
        assert result.exit_code in (1, 2), args
        assert result.stderr.count("\n") == 1, args


def test_what_a_file_of_another_tool_calls_its_parts(tmp_path: Path) -> None:
    import onnx

    proto = onnx.load(write_tiny_model(tmp_path / "tiny.onnx"))
    for change in ("input", "op_type", "domain"):
        evil = onnx.ModelProto()
        evil.CopyFrom(proto)
        if change == "input":
            evil.graph.input[0].name = evil.graph.node[0].input[0] = EVIL
        else:
            setattr(evil.graph.node[0], change, EVIL)
        onnx.save(evil, tmp_path / "evil.onnx")
        for args in (("eval",), ("bench", "--dataset", "digits", "--duration", "0")):
            result = invoke(args[0], tmp_path / "evil.onnx", *args[1:])
            assert_speaks_plainly(result, result.exit_code)


def test_doctor_and_the_page(model: Path) -> None:
    from mnist_edge.web import site_json

    assert_speaks_plainly(invoke("doctor"))
    result = invoke("doctor", "--json")
    assert_speaks_plainly(result)
    json.loads(result.stdout)
    told = site_json.describe_model(model, own_card(Path(EVIL)))
    for name in (told["name"], told["model"], told["precision"], *told["classes"]):
        assert name.isprintable()


def test_model_cards(images: Path, tmp_path: Path) -> None:
    counts = ((50, 2, 1), (3, 20, 2), (1, 1, 20))
    evil = own_card(images, confusion=counts, accuracy=Accuracy(90, 100))
    text = model_card.render(evil, FileFacts(f"{EVIL}.onnx", 1000, "0" * 64, None))
    assert_only_text(text)
    assert "<b>" not in text.replace("\\<b\\>", "").replace('<b>|`x.onnx")', "")


def test_reports_of_the_gate() -> None:
    from mnist_edge.cli import gate_report
    from mnist_edge.model_file.reader import ModelFile
    from tests.helpers.exports import fp32_candidate, int8_candidate

    evil: Any = {"model": EVIL, "dataset": f"folder:{EVIL}", "classes": CLASSES}
    file = ModelFile(Path(f"{EVIL}.onnx"), b"")
    candidates = [
        replace(one, file=file) for one in (fp32_candidate(**evil), int8_candidate(**evil))
    ]
    text = gate_report.markdown(candidates, f"The gate was not passed: {EVIL}.")
    assert_only_text(text)
    assert "<b>" not in text.replace("\\<b\\>", "")


def test_the_progress_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which has escape sequences of its own, and none of others."""
    from rich.console import Console

    from mnist_edge.cli import console

    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=200, markup=False)
    monkeypatch.setattr(console, "error_console", lambda: terminal)
    with console.progress_bar() as tell:
        tell(EVIL, 1, 2)
    assert r"=a\x1b]0;t\x07\x9b31m\u202e" in shown.getvalue()
    assert not {"\x07", "\x9b", "\u202e", "\u2066", "\u2028"} & set(shown.getvalue())
    assert "\x1b]0;" not in shown.getvalue()


def test_curves() -> None:
    from mnist_edge.report import training_curves

    epoch = {"epoch": 1, "loss": 1.0, "validation_correct": 1, "validation_total": 2}
    drawn = training_curves.plot_run([epoch], f"edge on {EVIL}")
    Image.open(io.BytesIO(drawn)).load()


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ("a" * 201, *"bcdefghij")},
        {"classes": tuple(map(str, range(10_001)))},
        {"model": "m" * 5000},
        {"dataset": "d" * 5000},
        {"licence": "l" * 5000},
    ],
)
def test_a_card_is_bounded(changes: dict[str, Any]) -> None:
    with pytest.raises(EdgeError, match="cannot be read"):
        Card.from_metadata(make_card(**changes).to_metadata())


def test_long_names_are_cut_where_they_are_said() -> None:
    result = invoke("models", "x" * 100_000)
    assert len(result.stderr) < 10_000
