"""Arrays of pictures in place of pictures: exactly what is in them, or one line."""

import csv
import io
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_edge.classifier import Classifier
from mnist_edge.predict import arrays
from mnist_edge.predict.results import Failure
from mnist_edge.predict.sources import find
from tests.conftest import write_tiny_model
from tests.helpers.cli import assert_fails, invoke

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 28, 28), np.uint8)


def saved(path: Path, values: Any) -> str:
    np.save(path, values, allow_pickle=True)
    return str(path)


def test_each_picture_is_a_source_with_its_number(tmp_path: Path) -> None:
    path = saved(tmp_path / "DIGITS.NPY", IMAGES) + ".npy"  # numpy.save adds it
    Path(path).rename(path := path.removesuffix(".npy"))
    found = list(find([path]))
    assert [one.name for one in found] == [f"{path}[{at}]" for at in range(30)]
    for one, image in zip(found, IMAGES, strict=True):
        np.testing.assert_array_equal(one.image, image)


@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_are_those_that_were_saved(tmp_path: Path, order: Any) -> None:
    path = saved(tmp_path / "a.npy", np.array(IMAGES, order=order))
    np.testing.assert_array_equal(arrays.read(path), IMAGES)
    path = saved(tmp_path / "b.npy", IMAGES[3])
    np.testing.assert_array_equal(arrays.read(path), IMAGES[3])
    assert [one.name for one in find([path])] == [path]


@pytest.mark.parametrize("processes", [1, 2])
def test_predict_answers_as_the_classifier_does(tmp_path: Path, processes: int) -> None:
    """Whatever they show: noise has no form that could be brought into another."""
    model = write_tiny_model(tmp_path / "tiny.onnx")
    path = saved(tmp_path / "a.npy", IMAGES)
    args = ("--model", model, "--workers", processes, "--threshold", 0, "--csv")
    result = invoke("predict", path, *args)
    assert (result.exit_code, result.stderr.count("error")) == (0, 0)
    rows = list(csv.DictReader(io.StringIO(result.stdout, newline="")))
    expected = Classifier(model).predict(IMAGES)
    assert [int(row["label"]) for row in rows] == expected.labels.tolist()
    found = [float(row["probability"]) for row in rows]
    np.testing.assert_allclose(found, expected.probabilities.max(axis=1), atol=1e-5)


def test_inputs_are_saved_by_their_numbers(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "tiny.onnx")
    path = saved(tmp_path / "a.npy", IMAGES[:11])
    args = ("--model", model, "--save-input", tmp_path / "saved")
    assert invoke("predict", path, *args).exit_code == 0
    for at, image in enumerate(IMAGES[:11]):
        (found,) = (tmp_path / "saved").glob(f"*a-{at}.28x28.png")
        np.testing.assert_array_equal(np.asarray(Image.open(found)), image)


class Evil:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (IMAGES / 255, r"is an array of float64, .*: save \(255 \* x\)\.round\(\)\.astype"),
        (IMAGES.astype(np.int64), r"is an array of int64, and uint8 is read: save x\.astype"),
        (
            IMAGES[..., None],
            r"of the shape \(30, 28, 28, 1\), .* or \(28, 28\) is read: reshape it",
        ),
        (IMAGES.reshape(30, 784), r"of the shape \(30, 784\)"),
        (IMAGES[:0], "is an array without pictures"),
        (np.uint8(3), r"of the shape \(\)"),
        (np.array([Evil()]), "is an array of Python objects"),
    ],
)
def test_another_array_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: Any, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path / "a.npy", values)
    model = write_tiny_model(tmp_path / "tiny.onnx")
    assert_fails(
        invoke("predict", path, "--model", model, "--json"), rf"a\.npy: (is an array )?{said}"
    )
    assert not Path("ran").exists()


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


SHAPE = "{{'descr': '|u1', 'fortran_order': False, 'shape': ({}, 28, 28)}}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        pickle.dumps(Evil()),
        b"PK\x03\x04",
        b"\x93NUMPY\x09\x00" + bytes(100),
        header("(" * 9000),
        header(SHAPE.format(10**15)) + bytes(784),
        header(SHAPE.format(2**58)) + bytes(784),
        header(SHAPE.format(-1)) + bytes(784),
        header(SHAPE.format(2)) + bytes(784),
        header(SHAPE.format(1)) + bytes(785),
        header("{'descr': '|u1', 'fortran_order': False, 'shape': (1.0, 28, 28)}") + bytes(784),
    ],
)
def test_hostile_files_are_one_line_and_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.npy").write_bytes(content)
    start = time.perf_counter()
    found = arrays.read("a.npy")
    assert isinstance(found, Failure)
    assert str(found).startswith("a.npy: is ")
    assert time.perf_counter() - start < 5
    assert not Path("ran").exists()


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "_MOST_BYTES", 1000)
    found = arrays.read(saved(tmp_path / "a.npy", IMAGES))
    assert isinstance(found, Failure)
    assert "holds more than" in str(found)
    gone = arrays.read(str(tmp_path / "gone.npy"))
    assert isinstance(gone, Failure)
    assert "there is no such file" in str(gone)
