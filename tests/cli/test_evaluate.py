import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import binomtest
from sklearn.metrics import (
    classification_report,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)

from mnist_edge.classifier import Classifier
from mnist_edge.datasets import Dataset, Split, digits, load
from mnist_edge.metrics import expected_calibration_error
from tests.conftest import Cli, make_card, write_golden_model, write_tiny_model
from tests.helpers.cli import assert_fails, invoke, write_digit, write_folder

THREE = ("a", "b", "c")


@pytest.fixture
def test_split() -> Split:
    return digits.load().test


@pytest.fixture
def answers(tiny_model: Path, test_split: Split) -> NDArray[np.int64]:
    return Classifier(tiny_model).predict(test_split.images).labels


def letters_model(folder: Path, **changes: object) -> Path:
    card = make_card(**{"classes": THREE, "dataset": "folder:letters", **changes})
    return write_tiny_model(folder / "letters.onnx", card)


# eval


def test_the_json_of_eval_is_what_sklearn_says(
    tiny_model: Path, test_split: Split, answers: NDArray[np.int64]
) -> None:
    result = invoke("eval", tiny_model, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    found, labels = json.loads(result.stdout), test_split.labels
    correct = int((answers == labels).sum())
    wilson = binomtest(correct, len(labels)).proportion_ci(0.95, "wilson")
    assert found["file"] == str(tiny_model)
    assert found["dataset"] == "digits"
    assert (found["accuracy"]["correct"], found["accuracy"]["total"]) == (correct, len(labels))
    assert found["accuracy"]["value"] == pytest.approx(correct / len(labels))
    assert found["accuracy"]["interval95"] == pytest.approx([wilson.low, wilson.high])
    assert found["confusion"] == confusion_matrix(labels, answers, labels=range(10)).tolist()
    assert found["macro_f1"] == pytest.approx(
        f1_score(labels, answers, labels=range(10), average="macro", zero_division=0)
    )
    for average in ("macro", "weighted"):
        mean = found[f"{average}_avg"]
        assert [mean["precision"], mean["recall"], mean["f1"]] == pytest.approx(
            precision_recall_fscore_support(
                labels, answers, labels=range(10), average=average, zero_division=0
            )[:3]
        )
    expected = precision_recall_fscore_support(labels, answers, labels=range(10), zero_division=0)
    for at, name in enumerate("0123456789"):
        figures = found["classes"][name]
        assert [figures[key] for key in ("precision", "recall", "f1", "support")] == pytest.approx(
            [column[at] for column in expected]
        )
    probabilities = Classifier(tiny_model).predict(test_split.images).probabilities
    assert found["expected_calibration_error"] == pytest.approx(
        expected_calibration_error(probabilities, labels)
    )


def test_eval_says_the_same_to_a_person(
    tiny_model: Path, test_split: Split, answers: NDArray[np.int64]
) -> None:
    result = invoke("eval", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    correct, total = int((answers == test_split.labels).sum()), len(test_split)
    first = result.stdout.splitlines()[0]
    assert first.startswith(f"{tiny_model} on the test split of digits: {correct / total:.2%}"[:-1])
    assert first.endswith(f"; {correct:,} of {total:,})")
    assert re.search(r"macro F1 0\.\d{4}, expected calibration error 0\.\d{4}", result.stdout)
    report = classification_report(test_split.labels, answers, digits=3, zero_division=0)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert all(line.split() in lines for line in report.splitlines()[1:])
    assert "label \\ answer" in result.stdout
    assert max(map(len, result.stdout.splitlines()[1:])) <= 100


@pytest.mark.parametrize("as_json", [False, True])
def test_errors_are_drawn_into_a_png(
    tiny_model: Path, tmp_path: Path, test_split: Split, answers: NDArray[np.int64], as_json: bool
) -> None:
    path = tmp_path / "errors.png"
    result = invoke("eval", tiny_model, "--errors", path, *["--json"] * as_json)
    assert result.exit_code == 0
    if as_json:
        json.loads(result.stdout)
    else:
        assert result.stdout.endswith(f"\nwrote {path}\n")
    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
        picture = np.asarray(sheet)
    confidence = Classifier(tiny_model).predict(test_split.images).probabilities.max(1)
    wrong = np.flatnonzero(answers != test_split.labels)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][0]
    large = test_split.images[surest].repeat(3, axis=0).repeat(3, axis=1)
    np.testing.assert_array_equal(picture[10 : 10 + 84, 10 : 10 + 84], large)


def test_a_file_without_errors_draws_an_empty_sheet(
    monkeypatch: pytest.MonkeyPatch, tiny_model: Path, tmp_path: Path, random_split: Split
) -> None:
    right = Split(random_split.images, Classifier(tiny_model).predict(random_split.images).labels)
    faultless = Dataset("digits", tuple("0123456789"), right, right, "made here")
    monkeypatch.setattr("mnist_edge.datasets.load", lambda *args, **options: faultless)
    result = invoke("eval", tiny_model, "--errors", tmp_path / "errors.png")
    assert result.exit_code == 0
    assert "100.00 %" in result.stdout
    with Image.open(tmp_path / "errors.png") as sheet:
        assert np.ptp(np.asarray(sheet)) == 0


def test_threads_change_nothing_but_the_speed(tiny_model: Path) -> None:
    one, two = (invoke("eval", tiny_model, "--threads", count, "--json") for count in (1, 2))
    assert json.loads(one.stdout)["confusion"] == json.loads(two.stdout)["confusion"]


def test_a_folder_set_is_measured_where_it_is_named(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "letters", *THREE)
    result = invoke("eval", letters_model(tmp_path), "--dataset", f"folder:{root}", "--json")
    found = json.loads(result.stdout)
    assert found["dataset"] == "folder:letters"
    assert list(found["classes"]) == list(THREE)
    assert found["accuracy"]["total"] == len(load(f"folder:{root}").test)


def test_eval_of_a_folders_file_asks_where_the_folder_is(tmp_path: Path) -> None:
    result = invoke("eval", letters_model(tmp_path))
    assert_fails(result, r"trained on folder:letters: say where it is, --dataset folder:PATH$")


def test_eval_on_a_set_with_other_classes_says_both(tmp_path: Path) -> None:
    path = letters_model(tmp_path)
    result = invoke("eval", path, "--dataset", "digits")
    assert_fails(
        result, rf"digits has the classes 0, .*9; {path} tells a, b, c apart: .*--dataset$"
    )


def test_eval_on_a_set_with_a_renamed_class_is_refused(tmp_path: Path) -> None:
    path, root = letters_model(tmp_path), write_folder(tmp_path / "letters", "b", "c", "za")
    result = invoke("eval", path, "--dataset", f"folder:{root}")
    assert_fails(result, rf"letters has the classes b, c, za; {path} tells a, b, c apart: name ")


def test_eval_maps_classes_in_another_order_by_name(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "letters", *THREE)
    path = letters_model(tmp_path, classes=("c", "a", "b"))
    test = load(f"folder:{root}").test
    answers = [("c", "a", "b")[at] for at in Classifier(path).predict(test.images).labels]
    truth = [THREE[label] for label in test.labels]
    expected = confusion_matrix(truth, answers, labels=["c", "a", "b"])

    found = json.loads(invoke("eval", path, "--dataset", f"folder:{root}", "--json").stdout)

    assert list(found["classes"]) == ["c", "a", "b"]
    assert found["confusion"] == expected.tolist()


def test_eval_on_an_unknown_set_lists_the_known(tiny_model: Path) -> None:
    result = invoke("eval", tiny_model, "--dataset", "mnits")
    assert_fails(result, r"no data set 'mnits': choose one of mnist, .*folder:PATH$", 2)


def test_eval_says_when_the_files_own_set_is_unknown(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "odd.onnx", make_card(dataset="their own"))
    assert_fails(invoke("eval", path), "no data set 'their own'", 2)


def test_errors_that_cannot_be_written_are_an_error(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "errors.png"
    assert_fails(invoke("eval", tiny_model, "--errors", path), f"cannot write {path}, --errors: ")
    before = tiny_model.read_bytes()
    result = invoke("eval", tiny_model, "--errors", tiny_model)
    assert_fails(result, "--errors would be written over .*, which is read", 2)
    assert tiny_model.read_bytes() == before


def test_a_data_folder_without_the_set_is_named(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "m.onnx", make_card(dataset="mnist"))
    result = invoke("eval", path, "--data-dir", tmp_path)
    assert_fails(result, f"{tmp_path} does not hold train-images-idx3-ubyte.gz: ")


def test_eval_measures_all_of_mnist(tmp_path: Path, mnist: Dataset) -> None:
    path = write_tiny_model(tmp_path / "m.onnx", make_card(dataset="mnist"))
    found = json.loads(invoke("eval", path, "--json").stdout)
    own = Classifier(path).predict(mnist.test.images).labels
    assert found["accuracy"]["total"] == 10_000
    assert found["accuracy"]["correct"] == int((own == mnist.test.labels).sum())


# Golden answers


def test_eval_says_that_the_golden_answers_hold(tmp_path: Path) -> None:
    model = write_golden_model(tmp_path / "a.onnx")
    assert (
        "\ngolden answers: 8 of 8 as where it was made (max |Δlogit| 0,"
        in invoke("eval", model).stdout
    )
    found = json.loads(invoke("eval", model, "--json").stdout)["golden"]
    assert (found["images"], found["changed"], found["max_logit_difference"]) == (8, 0, 0)


def test_eval_says_where_there_are_none(tiny_model: Path) -> None:
    assert "golden answers: none in this file" in invoke("eval", tiny_model).stdout
    assert json.loads(invoke("eval", tiny_model, "--json").stdout)["golden"] is None


@pytest.mark.parametrize("command", [["eval"], ["predict", "--check", "--model"]])
def test_golden_answers_that_fail_are_an_error_and_nothing_else(
    tmp_path: Path, command: list[str]
) -> None:
    result = invoke(*command, write_golden_model(tmp_path / "a.onnx", off_by=1.0))
    assert_fails(result, r"a\.onnx does not compute here what .*: 1 of 8 golden answers changed")
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["eval", "predict"])
def test_without_any_exported_model_both_say_how_to_make_one(empty: Path, command: str) -> None:
    args = [write_digit(empty / "1.png")] if command == "predict" else []
    assert_fails(invoke(command, *args), r"no exported model: name a file, .*'mnist-edge export'$")


# the model file, for both


def text(path: Path) -> None:
    path.write_text("not a model")


def foreign(path: Path) -> None:
    write_tiny_model(path)
    path.write_bytes(path.read_bytes().replace(b"mnist_edge.version", b"other_tool.version"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no model file {path}: name a path, or one of edge, "),
        (Path.mkdir, "{path} is a folder: it holds no .onnx file$"),
        (text, "{path} is not an ONNX file, or a damaged one: "),
        (foreign, r"{path} is not a file of mnist-edge: its metadata lacks mnist_edge\.version$"),
    ],
)
@pytest.mark.parametrize("command", ["eval", "predict"])
def test_a_model_that_is_none_is_one_line(
    tmp_path: Path, command: str, make: Callable[[Path], Any], message: str
) -> None:
    path = tmp_path / "model.onnx"
    make(path)
    args = [write_digit(tmp_path / "1.png"), "--model", path] if command == "predict" else [path]
    assert_fails(invoke(command, *args), message.format(path=path))


# for real, in a process of its own


def test_a_real_process_fails_alike(cli: Cli) -> None:
    assert_fails(cli("eval", "no.onnx"), r"no model file no\.onnx: name a path, or one of edge")
