"""What holds for every contender, whatever its runtime."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from mnist_edge.backends import (
    Backend,
    Contender,
    ContenderKind,
    OnnxRuntime,
    PyTorch,
    TorchCompile,
    answer,
    load_backend,
)
from mnist_edge.catalogue import BACKENDS, EXTRAS
from mnist_edge.datasets import Split, digits
from tests.backends.conftest import answered_elsewhere

pytestmark = pytest.mark.usefixtures("threads_as_before")

Make = Callable[[OnnxRuntime, PyTorch], Contender]


def of(backend: Backend, file: OnnxRuntime, original: PyTorch) -> Contender:
    """The trained network in a backend; the test is skipped where that is not installed."""
    if reason := backend.unavailable_reason():
        pytest.skip(reason)
    return backend.of(file if backend.kind.is_file else original)


def traced(file: OnnxRuntime, original: PyTorch) -> Contender:
    """Not compiled to machine code, which takes half a minute; all else is as in earnest."""
    return TorchCompile(original.path, original.info, original.temperature, backend="aot_eager")


FAST = [
    pytest.param(partial(of, load_backend(name)), id=name)
    for name in BACKENDS
    if load_backend(name).kind != ContenderKind.COMPILED
]
EVERY = [*FAST, traced]  # which takes seconds for each load and each batch size


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_is_called_as_the_catalogue_calls_it(name: str) -> None:
    kind: Any = load_backend(name)
    assert kind.runtime == name
    assert BACKENDS[name].extra in ("", *(extra.name for extra in EXTRAS))


@pytest.fixture(scope="module")
def images() -> Split:
    return digits.load().test


@pytest.mark.parametrize("make", EVERY)
def test_all_runtimes_compute_the_same(
    make: Make, file: OnnxRuntime, original: PyTorch, images: Split
) -> None:
    expected = answer(file.load(1), images.images)
    runner = make(file, original).load(1)
    for size in (1, 3, len(images)):
        found = answer(runner, images.images[:size])
        assert found.dtype == np.float32
        assert found.shape == (size, 10)
        np.testing.assert_allclose(found, expected[:size], atol=1e-3)
    np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))


@pytest.mark.parametrize("make", EVERY)
def test_an_answer_stays_when_the_next_is_given(
    make: Make, file: OnnxRuntime, original: PyTorch, images: Split
) -> None:
    runner = make(file, original).load(1)
    prepared = [runner.prepare(images.images[at : at + 1]) for at in range(2)]
    first = runner.run(prepared[0])
    kept = first.copy()
    second = runner.run(prepared[1])
    np.testing.assert_array_equal(first, kept)
    assert np.abs(first - second).max() > 0.01
    np.testing.assert_array_equal(runner.run(prepared[0]), kept)


@pytest.mark.parametrize("make", FAST)
def test_runners_do_not_disturb_each_other_or_the_images(
    make: Make, file: OnnxRuntime, original: PyTorch, images: Split
) -> None:
    some = images.images[:4].copy()
    contender = make(file, original)
    one, other = contender.load(1), contender.load(2)
    before = answer(one, some)
    np.testing.assert_allclose(answer(other, some[::-1].copy())[::-1], before, atol=1e-4)
    np.testing.assert_array_equal(answer(one, some), before)
    np.testing.assert_array_equal(some, images.images[:4])


@pytest.mark.parametrize("make", FAST)
def test_a_contender_can_be_sent_to_a_fresh_process(
    make: Make, file: OnnxRuntime, original: PyTorch, images: Split
) -> None:
    contender = make(file, original)
    found = answered_elsewhere(contender, images.images[:3])
    np.testing.assert_allclose(found, answer(contender.load(1), images.images[:3]), atol=1e-4)


@pytest.mark.parametrize("make", EVERY)
def test_files_in_other_runtimes_are_the_same_subject(
    make: Make, file: OnnxRuntime, original: PyTorch
) -> None:
    contender = make(file, original)
    assert contender.info.family == file.info.family
    assert contender.path.is_file()
    if contender.path == file.path:
        assert contender.info == file.info
