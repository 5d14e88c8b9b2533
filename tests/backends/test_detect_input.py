from pathlib import Path

import numpy as np
import pytest

from mnist_edge.backends import Examples, GuessVerdict
from mnist_edge.backends.base import answer
from mnist_edge.backends.detect_input import FEW, detect_input_format
from mnist_edge.backends.format_scores import MARGIN, FormatScore, choose_format
from mnist_edge.backends.input_format import GuessBasis, InputFormat, read
from mnist_edge.backends.model_info import ModelInfo
from mnist_edge.backends.onnxruntime import OnnxRuntime
from mnist_edge.backends.pixel_scaling import PerChannel
from mnist_edge.datasets import Dataset, Split, digits
from mnist_edge.errors import ModelError
from mnist_edge.model_file.reader import ModelFile
from tests.backends import nets
from tests.backends.foreign import Preparation, examples, greys, write

MNIST_12 = Path(__file__).parents[3] / "shared" / "peers" / "mnist-12.onnx"


def never() -> Examples:
    raise AssertionError("there was nothing to guess")


def prepared_as(input_format: InputFormat) -> Preparation:
    scale, mean = input_format.scale, input_format.mean
    assert isinstance(scale, float)
    assert isinstance(mean, float)
    return Preparation(scale, mean, input_format.invert)


@pytest.fixture(scope="module")
def digits_set() -> Dataset:
    return digits.load()


@pytest.mark.parametrize("net", nets.NETS, ids=lambda net: net.name)
def test_networks_of_known_form_are_guessed_rightly(
    tmp_path: Path, digits_set: Dataset, net: nets.Net
) -> None:
    path = nets.write(tmp_path, net, nets.train(net, digits_set.train))
    found = detect_input_format(path, read(path), lambda: Examples.of(digits_set.train, 10))
    assert prepared_as(found) == net.made_for
    assert found.guess is not None
    assert found.guess.verdict is (GuessVerdict.TIED if net.name == "paper" else GuessVerdict.APART)


def test_forms_that_a_network_reads_alike_are_said_to_be_so(
    tmp_path: Path, digits_set: Dataset
) -> None:
    """-0.5..0.5 is half of -1..1, and a network that is half as sure is as right."""
    net = nets.Net("half", Preparation(1 / 255, 127.5))
    path = nets.write(tmp_path, net, nets.train(net, digits_set.train))
    found = detect_input_format(path, read(path), lambda: Examples.of(digits_set.train, 10))
    assert found.tied
    assert found.guess is not None
    assert {found.form, found.guess.rival} == {"as -1..1", "as -0.5..0.5"}


@pytest.mark.parametrize("invert", [False, True])
def test_uint8_may_only_be_inverted(tmp_path: Path, invert: bool) -> None:
    made_for = Preparation(invert=invert)
    path = write(tmp_path / "foreign.onnx", dtype="uint8", made_for=made_for)
    assert prepared_as(detect_input_format(path, read(path), examples)) == made_for


@pytest.mark.parametrize(("scale", "mean"), [(0.5, None), (None, 3.0), (0.5, 3.0)])
def test_uint8_has_no_room_for_scale_and_mean(
    tmp_path: Path, scale: float | None, mean: float | None
) -> None:
    path = write(tmp_path / "foreign.onnx", dtype="uint8")
    with pytest.raises(ModelError, match=r"foreign\.onnx takes pixels as uint8: --input-scale"):
        detect_input_format(path, read(path), never, scale, mean)


def test_what_is_given_stays(tmp_path: Path) -> None:
    made_for = Preparation(scale=1 / 255, mean=0.0, invert=True)
    path = write(tmp_path / "foreign.onnx", made_for=made_for)
    assert prepared_as(detect_input_format(path, read(path), examples, invert=True)) == made_for
    assert not detect_input_format(path, read(path), examples, invert=False).invert
    for scale in (7.0, 1 / 255):
        assert detect_input_format(path, read(path), examples, scale=scale).scale == scale
    assert detect_input_format(path, read(path), examples, mean=33.0).mean == 33.0


def test_where_all_is_given_nothing_is_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "foreign.onnx")
    found = detect_input_format(path, read(path), never, 0.5, 2.0, True)
    assert prepared_as(found) == Preparation(0.5, 2.0, True)
    assert found.guess is None
    assert (found.shape, found.form) == ((-1, 1, 28, 28), "(pixel - 2) × 0.5, inverted")


def test_a_scale_alone_means_no_mean(tmp_path: Path) -> None:
    """Nobody trained with 1/255 and the mean of another form; the digits that people type count."""
    path = write(tmp_path / "foreign.onnx", made_for=Preparation(1 / 127.5, 127.5))
    found = detect_input_format(path, read(path), examples, scale=0.00392157)
    assert (found.scale, found.mean) == (0.00392157, 0.0)
    assert found.form.startswith("as 0..1")


def test_of_equally_good_ones_the_plainer_is_taken(tmp_path: Path) -> None:
    same = Split(np.zeros((20, 28, 28), np.uint8), np.zeros(20, np.int64))
    constant = Preparation(scale=0.0)  # its ten templates are one: it answers the same to all
    path = write(tmp_path / "foreign.onnx", made_for=constant)
    found = detect_input_format(path, read(path), lambda: Examples.of(same, 10))
    assert prepared_as(found) == Preparation()
    assert found.tied


def tried(
    name: str, losses: float, right: int, saturated: float = 0.0, count: int = 500
) -> FormatScore:
    """A form that reads the first so many of the examples right."""
    scale = {"a": 1.0, "b": 1 / 255, "c": 1 / 127.5}[name]
    input_format = InputFormat("in", "float32", (-1, 784), "out", 10, True, scale)
    each = np.random.default_rng(0).normal(losses, losses / 10, count)
    return FormatScore(input_format, each, np.arange(count) < right, saturated)


def chosen(*forms: FormatScore) -> tuple[PerChannel, GuessBasis, GuessVerdict]:
    found = choose_format(forms)
    assert found.guess is not None
    return found.scale, found.guess.basis, found.guess.verdict


def test_the_log_loss_decides_where_accuracies_tie() -> None:
    better, worse = tried("a", 0.1, 490), tried("b", 0.1 * MARGIN * 1.1, 495)
    assert chosen(worse, better) == (1.0, GuessBasis.LOG_LOSS, GuessVerdict.APART)
    near = tried("b", 0.1 * MARGIN / 1.1, 495)
    assert chosen(near, better) == (1.0, GuessBasis.LOG_LOSS, GuessVerdict.TIED)
    and_less_right = tried("b", 0.1 * MARGIN / 1.1, 450)
    assert chosen(and_less_right, better) == (1.0, GuessBasis.LOG_LOSS, GuessVerdict.APART)


def test_accuracy_decides_where_answers_are_saturated_or_mean_no_probabilities() -> None:
    sure, calmer = tried("a", 0.3, 490, saturated=0.9), tried("b", 0.1, 450)
    assert chosen(sure, calmer) == (1.0, GuessBasis.ACCURACY, GuessVerdict.APART)
    within_chance = tried("b", 0.1, 488, saturated=0.9)
    assert chosen(sure, within_chance) == (1 / 255, GuessBasis.ACCURACY, GuessVerdict.TIED)
    calm = tried("b", 0.1, 488)
    assert chosen(sure, calm) == (1 / 255, GuessBasis.LOG_LOSS, GuessVerdict.APART)
    template = tried("a", 2.2, 490)
    assert chosen(template, tried("b", 0.8, 400)) == (1.0, GuessBasis.ACCURACY, GuessVerdict.APART)


def test_what_few_images_cannot_decide_is_asked_of_more(tmp_path: Path) -> None:
    images = Split(greys(2 * FEW).images, np.zeros(2 * FEW, np.int64))
    constant = write(tmp_path / "constant.onnx", made_for=Preparation(scale=0.0))
    found = detect_input_format(constant, read(constant), lambda: Examples.of(images, 10))
    assert found.guess is not None
    assert found.guess.examples == 2 * FEW


def test_a_guess_that_reads_little_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "foreign.onnx")
    wrong = Split(greys().images, (greys().labels + 5) % 10)
    found = detect_input_format(path, read(path), lambda: Examples.of(wrong, 10))
    assert found.guess is not None
    assert found.guess.verdict is GuessVerdict.POOR


@pytest.mark.skipif(not MNIST_12.is_file(), reason="the model zoo's mnist-12.onnx is not here")
def test_mnist_12_of_the_model_zoo_is_understood(mnist: Dataset) -> None:
    input_format = detect_input_format(
        MNIST_12, read(MNIST_12), lambda: Examples.of(mnist.train, 10)
    )
    info = ModelInfo.of_foreign(MNIST_12, "mnist", 10)
    runner = OnnxRuntime(ModelFile.read(MNIST_12), info, input_format).load(1)
    right = answer(runner, mnist.test.images).argmax(axis=1) == mnist.test.labels
    assert right.mean() == pytest.approx(0.989, abs=0.0005)
    assert input_format.form == "as 0..1"  # as its page in the zoo prepares them
