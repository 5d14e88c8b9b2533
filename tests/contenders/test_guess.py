from itertools import product
from pathlib import Path

import numpy as np
import pytest

from mnist_edge.contenders import Guess
from mnist_edge.contenders.base import answer
from mnist_edge.contenders.guess import guess
from mnist_edge.contenders.intake import USUAL, Intake, read
from mnist_edge.contenders.onnxruntime import OnnxRuntime
from mnist_edge.contenders.subjects import of_foreign
from mnist_edge.datasets import Dataset, Split, stratified
from mnist_edge.errors import ModelError
from mnist_edge.opening.model_file import ModelFile
from tests.contenders.foreign import Preparation, greys, write

MNIST_12 = Path(__file__).parents[3] / "shared" / "peers" / "mnist-12.onnx"
FORMS = [Preparation(*form, invert) for form, invert in product(USUAL, (False, True))]


def never() -> Split:
    raise AssertionError("there was nothing to guess")


def prepared_as(intake: Intake) -> Preparation:
    return Preparation(intake.scale, intake.mean, intake.invert)


@pytest.mark.parametrize("made_for", FORMS)
def test_the_usual_preparations_are_found_out(tmp_path: Path, made_for: Preparation) -> None:
    path = write(tmp_path / "foreign.onnx", made_for=made_for)
    found = guess(path, read(path), greys)
    assert prepared_as(found) == made_for
    assert found.guess is not None
    assert (found.guess.examples, found.guess.accuracy) == (60, 1.0)
    assert found.guess.next_best < 1


@pytest.mark.parametrize("invert", [False, True])
def test_uint8_may_only_be_inverted(tmp_path: Path, invert: bool) -> None:
    made_for = Preparation(invert=invert)
    path = write(tmp_path / "foreign.onnx", dtype="uint8", made_for=made_for)
    assert prepared_as(guess(path, read(path), greys)) == made_for


@pytest.mark.parametrize(("scale", "mean"), [(0.5, None), (None, 3.0), (0.5, 3.0)])
def test_uint8_has_no_room_for_scale_and_mean(
    tmp_path: Path, scale: float | None, mean: float | None
) -> None:
    path = write(tmp_path / "foreign.onnx", dtype="uint8")
    with pytest.raises(ModelError, match=r"foreign\.onnx takes pixels as uint8: --input-scale"):
        guess(path, read(path), never, scale, mean)


def test_what_is_given_stays(tmp_path: Path) -> None:
    made_for = Preparation(scale=1 / 255, mean=0.0, invert=True)
    path = write(tmp_path / "foreign.onnx", made_for=made_for)
    assert prepared_as(guess(path, read(path), greys, invert=True)) == made_for
    assert not guess(path, read(path), greys, invert=False).invert
    for scale in (7.0, 1 / 255):
        assert guess(path, read(path), greys, scale=scale).scale == scale
    assert guess(path, read(path), greys, mean=33.0).mean == 33.0


def test_where_all_is_given_nothing_is_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "foreign.onnx")
    found = guess(path, read(path), never, 0.5, 2.0, True)
    assert prepared_as(found) == Preparation(0.5, 2.0, True)
    assert not found.guessed
    described = found.described()
    assert described == "input float32 (N, 1, 28, 28), pixels (pixel - 2) × 0.5, inverted"


def test_of_equally_good_ones_the_plainer_is_taken(tmp_path: Path) -> None:
    same = Split(np.zeros((20, 28, 28), np.uint8), np.zeros(20, np.int64))
    constant = Preparation(scale=0.0)  # its ten templates are one: it always answers the first
    path = write(tmp_path / "foreign.onnx", made_for=constant)
    found = guess(path, read(path), lambda: same)
    assert prepared_as(found) == Preparation()
    assert found.guess == Guess(20, 1.0, 1.0)


def test_a_guess_is_shown_with_what_it_rests_on(tmp_path: Path) -> None:
    intake = read(write(tmp_path / "foreign.onnx", (1, 784), output=(1, 10)))
    found = guess(tmp_path / "foreign.onnx", intake, lambda: greys(50))
    assert found.guess is not None
    assert found.described() == (
        "input float32 (1, 784), pixels 0..255 as they are (guessed on 50 labelled images: "
        f"100.0 %; next best {100 * found.guess.next_best:.1f} %)"
    )


def test_a_guess_that_reads_little_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "foreign.onnx")
    wrong = Split(greys().images, (greys().labels + 5) % 10)
    found = guess(path, read(path), lambda: wrong)
    assert found.guess is not None
    assert found.guess.accuracy < 0.5
    assert found.described().endswith(
        "none of the usual forms fits, state --input-scale, --input-mean and --invert"
    )


@pytest.mark.skipif(not MNIST_12.is_file(), reason="the model zoo's mnist-12.onnx is not here")
def test_mnist_12_of_the_model_zoo_is_understood(mnist: Dataset) -> None:
    training = mnist.train[stratified(mnist.train.labels, 500, seed=0)]
    intake = guess(MNIST_12, read(MNIST_12), lambda: training)
    subject = of_foreign(MNIST_12, "mnist", 10)
    runner = OnnxRuntime(ModelFile.read(MNIST_12), subject, intake).load(1)
    right = answer(runner, mnist.test.images).argmax(axis=1) == mnist.test.labels
    assert right.mean() == pytest.approx(0.989, abs=0.0005)
    assert "pixels 0..255 as they are (guessed on 500" in intake.described()
