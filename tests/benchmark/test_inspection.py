from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge.backends import Examples, ForeignOptions, OnnxRuntime, Runner, find_contenders
from mnist_edge.benchmark.inspection import Inspection, inspect
from mnist_edge.errors import GoldenError
from mnist_edge.image_shape import ImageShape
from mnist_edge.model_file.contract import INPUT
from mnist_edge.model_file.session import open_session
from mnist_edge.preprocess import render_digits
from mnist_edge.types import Images
from tests.backends import foreign
from tests.conftest import make_card, write_tiny_model
from tests.helpers.fakes import Known, table_of, with_golden, write_absorbing_model

IMAGES = render_digits(640)


def look_into(contender: OnnxRuntime, runner: Runner | None = None, threads: int = 1) -> Inspection:
    found = inspect(contender, runner or contender.load(threads), IMAGES, threads)
    assert found is not None
    return found


def test_other_runtimes_are_not_looked_into() -> None:
    contender = Known(table_of(np.zeros(640, np.int64)), runtime="openvino")
    assert inspect(contender, contender.runner, IMAGES, 1) is None


@pytest.mark.parametrize("threads", [1, 2])
def test_a_float_file_computes_what_its_graph_says(tiny_model: Path, threads: int) -> None:
    found = look_into(OnnxRuntime.open(tiny_model), threads=threads)
    assert not found.saturates
    assert (found.deviation.images, found.deviation.changed) == (500, 0)
    assert (found.kernels.convolutions, found.kernels.products) == (0, 1)
    assert not found.kernels.any_int8


def test_a_file_that_runs_otherwise_than_it_is_written_is_found(tmp_path: Path) -> None:
    path = write_absorbing_model(tmp_path / "absorbing.onnx", make_card())
    found = look_into(OnnxRuntime.open(path))
    as_written, as_it_runs = (
        open_session(path, 1, optimize).run(None, {INPUT: IMAGES[:500]})[0]
        for optimize in (False, True)
    )
    changed = int((as_written.argmax(axis=1) != as_it_runs.argmax(axis=1)).sum())
    assert found.saturates
    assert found.deviation.changed == changed > 400
    assert found.deviation.max_logit_difference == np.abs(as_written - as_it_runs).max()


@dataclass
class Saturating:
    """A runner in which large sums stop growing, as 16-bit sums do on some CPUs."""

    inner: Runner
    limit: float

    def prepare(self, images: Images) -> Any:
        return self.inner.prepare(images)

    def run(self, prepared: Any) -> NDArray[np.float32]:
        return self.inner.run(prepared).clip(-self.limit, self.limit)


@pytest.mark.parametrize(("limit", "saturates"), [(1e9, False), (1.0, True)])
def test_what_is_compared_is_the_runner_that_is_timed(
    tiny_model: Path, limit: float, saturates: bool
) -> None:
    contender = OnnxRuntime.open(tiny_model)
    assert look_into(contender, Saturating(contender.load(1), limit)).saturates is saturates


def test_without_golden_answers_there_are_none_to_check(tiny_model: Path) -> None:
    assert look_into(OnnxRuntime.open(tiny_model)).golden is None


def test_golden_answers_are_checked(tmp_path: Path) -> None:
    found = look_into(OnnxRuntime.open(with_golden(tmp_path / "a.onnx", make_card()))).golden
    assert found is not None
    assert found.passed
    assert found.images == 8
    assert found.max_logit_difference <= found.tolerance


def test_golden_answers_that_fail_are_an_error(tmp_path: Path) -> None:
    path = with_golden(tmp_path / "a.onnx", make_card(), off=0.5)
    with pytest.raises(GoldenError, match=r"a\.onnx does not compute here .* 1 of 8 golden"):
        look_into(OnnxRuntime.open(path))


@pytest.mark.parametrize("shape", [("N", 1, 28, 28), (8, 784), (1, 28, 28)])
def test_a_file_of_others_is_looked_into_in_its_own_form(
    tmp_path: Path, shape: foreign.Shape
) -> None:
    """Some take a fixed number of images."""
    count = shape[0] if isinstance(shape[0], int) else "N"
    path = foreign.write(tmp_path / "foreign.onnx", shape, output=(count, 10))
    options = ForeignOptions(examples=_never, scale=1.0, mean=0.0, invert=False)
    (contender,) = find_contenders([path], tmp_path, ["onnxruntime"], options).contenders
    assert isinstance(contender, OnnxRuntime)
    found = look_into(contender)
    assert (found.golden, found.saturates, found.kernels.products) == (None, False, 1)


def _never(shape: ImageShape | None) -> Examples:
    raise AssertionError("there was nothing to guess")


def test_one_image_is_enough_to_look_at(tmp_path: Path) -> None:
    contender = OnnxRuntime.open(write_tiny_model(tmp_path / "tiny.onnx"))
    found = inspect(contender, contender.load(1), IMAGES[:1], 1)
    assert found is not None
    assert found.deviation.images == 1
