"""Files whose answers depend on other things than the image."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from mnist_edge.backends import OnnxRuntime
from mnist_edge.benchmark.inspection import check_batches
from mnist_edge.classifier import Classifier
from mnist_edge.errors import GoldenError, ModelError
from mnist_edge.model_file import golden
from mnist_edge.model_file.consistency import Dependence, find_inconsistency
from mnist_edge.model_file.reader import ModelFile
from tests.conftest import Cli, make_card, write_tiny_model
from tests.helpers.cli import assert_fails, write_digit
from tests.model_file import bombs

Logits = NDArray[np.float32]
IMAGES = np.random.default_rng(0).integers(0, 256, (500, 28, 28), dtype=np.uint8)
SHIPPED = sorted((Path(__file__).parents[2] / "exported").glob("*.onnx"))


def rows(images: NDArray[np.uint8]) -> Logits:
    """An honest model: the means of ten rows."""
    means: Logits = images[:, 5:15].mean(axis=2).astype(np.float32)
    return means


@pytest.mark.parametrize("size", [2, 9, 200, 501])
def test_answers_that_change_with_the_number_of_images_are_found(size: int) -> None:
    """Whatever the number at which they change: 500 are those that are scored."""

    def cheat(images: NDArray[np.uint8]) -> Logits:
        return rows(images) * (len(images) >= size)

    found = find_inconsistency(cheat, IMAGES, (1, 8, 64), exact=True)
    if size > 500:
        assert found is None  # the same to every image: another check's
        return
    assert found is not None
    assert found.dependence is Dependence.COMPANY
    assert found.size == 1
    assert str(found).startswith("its answers depend on the other images of a call")


def test_answers_that_depend_on_the_other_images_are_found() -> None:
    def centred(images: NDArray[np.uint8]) -> Logits:
        less: Logits = rows(images) - rows(images).mean(axis=0)
        return less

    found = find_inconsistency(centred, IMAGES, (64,), exact=True)
    assert found is not None
    assert (found.dependence, found.size) == (Dependence.COMPANY, 64)


@pytest.mark.parametrize(("noise", "named"), [(5.0, True), (1e-4, False)])
def test_answers_that_depend_on_chance_are_found(noise: float, named: bool) -> None:
    dice = np.random.default_rng(0)

    def thrown(images: NDArray[np.uint8]) -> Logits:
        found = rows(images)
        return found + noise * dice.normal(size=found.shape).astype(np.float32)

    found = find_inconsistency(thrown, IMAGES, (1,), exact=True)
    assert (found is not None) is named
    if found is not None:
        assert found.dependence is Dependence.CHANCE


def test_an_honest_model_passes_with_its_infinities() -> None:
    def logarithms(images: NDArray[np.uint8]) -> Logits:
        with np.errstate(divide="ignore"):
            logits: Logits = np.log(rows(images) * (images[:, :10, 0] > 99))
            return logits

    assert np.isinf(logarithms(IMAGES)).any()
    assert find_inconsistency(logarithms, IMAGES, (1, 8, 64), exact=True) is None


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_ships_is_consistent(path: Path) -> None:
    model = Classifier(path)
    assert find_inconsistency(model.logits, IMAGES[:100], (1, 8, 64), exact=False) is None


def cheat() -> onnx.ModelProto:
    """Zeros for fewer than eight images, without a branch."""
    return bombs._model(
        [
            helper.make_node("Shape", ["image"], ["sizes"]),
            helper.make_node("Gather", ["sizes", "at"], ["count"]),
            helper.make_node("Less", ["count", "eight"], ["few"]),
            helper.make_node("Where", ["few", "zero", "grey"], ["one"]),
        ],
        at=[0],
        eight=[8],
        zero=[0.0],
    )


def centred() -> onnx.ModelProto:
    """Less the mean of all images of the call."""
    return bombs._model(
        [
            helper.make_node("ReduceMean", ["grey"], ["mean"], axes=[0]),
            helper.make_node("Sub", ["grey", "mean"], ["one"]),
        ]
    )


@pytest.mark.parametrize("make", [cheat, centred])
def test_bench_measures_no_such_file(make: Callable[[], onnx.ModelProto], tmp_path: Path) -> None:
    path = bombs.write(tmp_path / "odd.onnx", make(), make_card())
    contender = OnnxRuntime.open(path)
    with pytest.raises(ModelError, match=r"odd\.onnx in onnxruntime cannot be measured: its ans"):
        check_batches(contender, contender.load(1), IMAGES, (64,))


def test_bench_names_the_batch_that_fits(tmp_path: Path) -> None:
    model = bombs._model(
        [
            helper.make_node("Expand", ["grey", "size"], ["wide"]),
            helper.make_node("ReduceMax", ["wide"], ["one"], axes=[1], keepdims=1),
        ],
        size=[1, 1_000_000],
    )
    contender = OnnxRuntime.open(bombs.write(tmp_path / "large.onnx", model, make_card()))
    runner = contender.load(1)
    with pytest.raises(ModelError, match=r"256 MB for 100 images a call: .* --batch \d"):
        check_batches(contender, runner, IMAGES, (1, 100))
    check_batches(contender, runner, IMAGES, (1, contender.most_images))
    assert 20 < contender.most_images < 100


def test_golden_answers_are_given_one_by_one_too(tmp_path: Path) -> None:
    own = golden.compute(rows, int8=False)
    assert golden.check(own, rows).passed

    def eight(images: NDArray[np.uint8]) -> Logits:
        return rows(images) * (len(images) >= 8)

    def single(images: NDArray[np.uint8]) -> Logits:
        return rows(images) * (len(images) < 8)

    assert not golden.check(own, eight).passed
    assert not golden.check(own, single).passed


@pytest.mark.parametrize("tolerance", [1e300, 1.0, -1e-9])
def test_golden_answers_allow_no_more_than_rounding(tolerance: float) -> None:
    own = golden.compute(lambda images: rows(images) / np.float32(255), int8=False)
    text = own.to_json().replace(f'"tolerance":{own.tolerance!r}', f'"tolerance":{tolerance!r}')
    assert text != own.to_json()
    with pytest.raises(ValueError, match="rounding does not explain"):
        golden.Golden.from_json(text)


def test_golden_answers_beyond_float32_are_none() -> None:
    own = golden.compute(rows, int8=False)
    values = [[1e39] * 10] * 8
    with pytest.raises(ValueError, match="finite logits"):
        golden.Golden(own.generator, own.sha256, 0.0, tuple(map(tuple, values)))


def no_number() -> onnx.ModelProto:
    return bombs._model([helper.make_node("Mul", ["grey", "nan"], ["one"])], nan=[float("nan")])


def test_what_is_no_number_is_no_warning_and_no_golden_answer(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = bombs.write(tmp_path / "nan.onnx", no_number(), make_card())
    assert np.isnan(Classifier(path).predict(IMAGES[:2]).probabilities).all()
    card = make_card(golden=golden.compute(rows, int8=False))
    with pytest.raises(GoldenError):
        Classifier(bombs.write(tmp_path / "golden.onnx", no_number(), card)).check()
    assert recwarn.list == []


def test_a_model_file_that_is_honest_is_measured(tmp_path: Path) -> None:
    contender = OnnxRuntime.open(write_tiny_model(tmp_path / "tiny.onnx"))
    check_batches(contender, contender.load(1), IMAGES, (1, 8, 64))
    assert ModelFile.read(contender.path).graph.inputs[0].dtype == TensorProto.UINT8


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("eval", "nan.onnx", "--dataset", "digits"), "nan.onnx answers with what is no number"),
        (("predict", "1.png", "--model", "nan.onnx"), "the model answers with what is no number"),
    ],
)
def test_what_is_no_number_is_one_line(
    args: tuple[str, ...], said: str, cli: Cli, tmp_path: Path
) -> None:
    bombs.write(tmp_path / "nan.onnx", no_number(), make_card())
    write_digit(tmp_path / "1.png", 1)
    assert_fails(cli(*args), said)


def test_json_of_what_is_no_number_is_json(cli: Cli, tmp_path: Path) -> None:
    bombs.write(tmp_path / "nan.onnx", no_number(), make_card())
    write_digit(tmp_path / "1.png", 1)
    done = cli("predict", "1.png", "--model", "nan.onnx", "--json")
    assert done.returncode == 1

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = json.loads(done.stdout, parse_constant=refuse)
    assert found["error"] == "the model answers with what is no number"
    assert found["probabilities"] is None
