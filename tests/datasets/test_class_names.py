"""Class names decide whether a model and a data set belong together."""

import unicodedata

import numpy as np
import pytest

from mnist_edge.datasets import Dataset, Split
from mnist_edge.datasets.class_names import align_classes, match_names
from mnist_edge.errors import DataError


def dataset(*classes: str) -> Dataset:
    """Two images of each class; all pixels of an image are its class's first letter."""
    labels = np.arange(2 * len(classes), dtype=np.int64) % len(classes)
    letters = np.array([ord(classes[label][0]) for label in labels], np.uint8)
    split = Split(np.broadcast_to(letters[:, None, None], (len(labels), 28, 28)).copy(), labels)
    return Dataset("folder:shapes", classes, split, split[labels > 0], "here")


def test_other_order_is_mapped_by_name() -> None:
    wanted = ("square", "circle", "triangle")

    found = align_classes(dataset("circle", "square", "triangle"), wanted, "edge.onnx", "retrain")

    assert found.classes == wanted
    for split in (found.train, found.test):
        letters = [ord(wanted[label][0]) for label in split.labels]
        assert split.images[:, 0, 0].tolist() == letters
        assert split.labels.dtype == np.int64


def test_other_numbers_choose_no_other_images() -> None:
    data = dataset(*"abcdefghijklmnopqrst")

    found = align_classes(data, tuple("tsrqponmlkjihgfedcba"), "edge.onnx", "retrain")

    for before, after in ((data.validation, found.validation), (data.training, found.training)):
        np.testing.assert_array_equal(before.images, after.images)


def test_positions_are_those_of_the_names() -> None:
    found = match_names(("b", "c", "a"), ("a", "b", "c"))

    assert found is not None
    assert found.tolist() == [1, 2, 0]


def test_composed_and_decomposed_letters_are_one() -> None:
    name = "caf\u00e9"

    assert match_names((unicodedata.normalize("NFD", name), "tea"), ("tea", name)) is not None


@pytest.mark.parametrize(
    ("have", "wanted"),
    [
        (("a", "b"), ("a", "b", "c")),
        (("a", "b", "c"), ("a", "b")),
        (("a", "b"), ("a", "B")),
        (("a", "b"), ("a", "a")),
        (("a", "a"), ("a", "b")),
        ((), ("a",)),
    ],
)
def test_other_names_have_no_positions(have: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    assert match_names(have, wanted) is None


def test_other_names_are_refused_and_both_lists_said() -> None:
    with pytest.raises(DataError) as caught:
        align_classes(
            dataset("square", "zcircle"), ("circle", "square"), "edge.onnx", "name its set"
        )

    assert str(caught.value) == (
        "folder:shapes has the classes square, zcircle; edge.onnx tells circle, square apart: "
        "name its set"
    )


def test_of_many_names_those_that_differ_are_said() -> None:
    many = tuple(f"c{number:02}" for number in range(40))

    with pytest.raises(DataError) as caught:
        align_classes(dataset(*many, "zebra"), (*many, "yak"), "edge.onnx", "name its set")

    assert str(caught.value) == (
        "folder:shapes and edge.onnx have other classes: zebra in the one alone, yak in the "
        "other: name its set"
    )
