"""Several data sets as one: names, classes, splits, fingerprints, and small parts beside large."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnist_edge import dataset_names as names
from mnist_edge.datasets import (
    Dataset,
    Split,
    cifar10,
    compute_fingerprint,
    idx_datasets,
    load,
)
from mnist_edge.datasets.class_names import align_classes
from mnist_edge.datasets.concatenated import join, repeat_small_parts, repeats
from mnist_edge.errors import DataError
from mnist_edge.fingerprint import describe_changes
from mnist_edge.image_shape import Fit, ImageShape
from tests.helpers.cli import write_folder


def made(
    name: str, classes: str, train: int, test: int, shape: tuple[int, ...] = (28, 28)
) -> Dataset:
    """Images whose first pixel tells the letter of their class."""

    def split(count: int) -> Split:
        labels = np.arange(count, dtype=np.int64) % len(classes)
        images = np.zeros((count, *shape), np.uint8)
        images.reshape(count, -1)[:, 0] = [ord(classes[label]) for label in labels]
        return Split(images, labels)

    return Dataset(name, tuple(classes), split(train), split(test), f"/{name}")


def letters(data: Dataset, split: Split) -> bool:
    """Whether each image has the class that its first pixel tells."""
    found = [data.classes[label] for label in split.labels]
    return found == [chr(pixel) for pixel in split.images[:, 0, 0]]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("mnist", ("mnist",)),
        ("mnist+folder:mine", ("mnist", "folder:mine")),
        ("folder:/a+b/c+d", ("folder:/a+b/c+d",)),
        ("folder:a+b+folder:c+mnist+digits", ("folder:a+b", "folder:c", "mnist", "digits")),
        ("folder:a+mnist/", ("folder:a+mnist/",)),
        ("mnist+cifar", ("mnist", "cifar")),
    ],
)
def test_a_plus_parts_names_where_one_stands_behind_it(name: str, parts: tuple[str, ...]) -> None:
    assert names.parts_of(name) == parts
    assert names.join_names(parts) == name


def test_what_a_name_of_several_says() -> None:
    name = "mnist+folder:/home/me/mine"
    assert names.public_name(name) == "mnist+folder:mine"
    assert names.folders_of(name) == [Path("/home/me/mine")]
    assert names.folder_of(name) is None
    assert names.with_unknown_paths(name) == "mnist+folder:PATH"
    assert names.has_folder(name)
    assert not names.is_folder_dataset(name)
    assert names.is_folder_dataset("folder:a+folder:b")
    assert names.fit_of_version_1(name) is Fit.DIGIT
    # A folder whose own name would part stays one, as itself and as a file tells it.
    for path in ("x+mnist", "/home/x+digits"):
        assert len(names.parts_of(names.folder_dataset(path))) == 1
        assert len(names.parts_of(names.public_name(names.folder_dataset(path)))) == 1


def test_classes_meet_by_name_and_splits_stay() -> None:
    one, two = made("one", "abc", 60, 12), made("two", "cad", 30, 6)
    both = join([one, two])
    assert both.name == "one+two"
    assert both.classes == ("a", "b", "c", "d")
    for whole, parts in (
        (both.training, (one.training, two.training)),
        (both.validation, (one.validation, two.validation)),
        (both.test, (one.test, two.test)),
    ):
        assert len(whole) == sum(map(len, parts))
        assert letters(both, whole)
    assert [len(part.test) for part in both.parts] == [12, 6]
    for part, own in zip(both.parts, (one, two), strict=True):
        np.testing.assert_array_equal(part.validation_mask, own.validation_mask)
        assert letters(part, part.test)
        assert np.shares_memory(part.train.images, both.train.images)
    other = align_classes(both, ("d", "c", "b", "a"), "a file", "")
    assert letters(other, other.test)
    assert all(letters(part, part.training) for part in other.parts)


def test_shapes_have_to_meet() -> None:
    with pytest.raises(DataError, match="one has images of 28×28 grey, colour of 32×32 colour"):
        join([made("one", "ab", 20, 4), made("colour", "ab", 20, 4, (32, 32, 3))])
    with pytest.raises(DataError, match="one stands twice"):
        join([made("one", "ab", 20, 4), made("one", "ab", 20, 4)])


def test_a_fingerprint_knows_the_part_that_changed() -> None:
    one, two = made("one", "ab", 20, 4), made("two", "ab", 40, 8)
    assert join([one, two]).fingerprint is None  # as their names say it all
    before = join([one, replace(two, fingerprint=compute_fingerprint(two))])
    more = made("two", "ab", 44, 8)
    after = join([one, replace(more, fingerprint=compute_fingerprint(more))])
    assert before.fingerprint is not None
    assert before.fingerprint.training.images == len(before.training)
    told = describe_changes(before.fingerprint, after.fingerprint)
    assert told == "training 54 images then, 58 now"


@pytest.mark.parametrize(("share", "times"), [(0.1, (1, 2)), (0.5, (1, 7)), (0.01, (1, 1))])
def test_small_parts_are_repeated_whole(share: float, times: tuple[int, ...]) -> None:
    large, small = made("large", "ab", 200, 4), made("small", "bc", 14, 4)
    both = join([large, small])
    assert repeats(both, share) == times
    seen = repeat_small_parts(both, share)
    counts = [len(large.training), len(small.training)]
    assert len(seen) == sum(n * times for n, times in zip(counts, times, strict=True))
    assert letters(both, seen)
    assert repeat_small_parts(both, None) is both.training
    assert repeat_small_parts(large, share) is large.training


def test_a_folder_is_read_like_what_stands_beside_it(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "mine", "3", "star")
    both = load(f"digits+folder:{folder}")
    assert both.shape == ImageShape()
    assert both.fit is Fit.DIGIT
    assert both.classes == (*"0123456789", "star")
    first = load(f"folder:{folder}+digits")
    assert first.classes == ("3", "star", *"012456789")
    assert first.fit is Fit.DIGIT
    assert [part.name for part in first.parts] == ["folder:mine", "digits"]
    assert first.fingerprint is not None
    with pytest.raises(DataError, match="there is no data set 'cifar'"):
        load(f"digits+cifar+folder:{folder}")


@pytest.mark.parametrize("name", ["mnist+cifar10", "cifar10+folder:nowhere+mnist"])
def test_sets_whose_shapes_do_not_meet_are_refused_before_one_is_fetched(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idx_datasets, "find", None)  # a call would fail
    monkeypatch.setattr(cifar10, "load", None)
    with pytest.raises(DataError, match=r"of 32×32 colour.*: only sets of one shape can be"):
        load(name)
