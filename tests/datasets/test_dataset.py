"""Splits and names: what mnist_edge.datasets itself promises."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from mnist_edge.catalogue import DATASETS
from mnist_edge.datasets import Dataset, Split, load, load_if_here, stratified_mask
from mnist_edge.datasets.published import SOURCES
from mnist_edge.errors import DataError


def numbered(labels: list[int]) -> Split:
    """Images that each say in two pixels which they are."""
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(len(labels)), 256)
    return Split(images, np.array(labels, np.int64))


def numbers(split: Split) -> list[int]:
    return [int(image[0, 0]) * 256 + int(image[0, 1]) for image in split.images]


def cut(train: Split) -> tuple[Split, Split]:
    """What a data set without splits of its own trains and validates on."""
    data = made(train)
    return data.training, data.validation


def made(train: Split) -> Dataset:
    return Dataset("made", tuple("0123456789"), train, train[:1], "here")


# Names


@pytest.mark.parametrize("name", ["cifar100", "MNIST", "", "folder"])
def test_unknown_name_lists_the_known(name: str) -> None:
    with pytest.raises(DataError) as caught:
        load(name)

    assert str(caught.value) == (
        f"there is no data set '{name}': choose one of {', '.join(DATASETS)}, folder:PATH"
    )


def test_the_catalogue_has_what_is_published_and_what_is_made_here() -> None:
    assert [name for name, one in DATASETS.items() if not one.module] == list(SOURCES)
    for name, one in DATASETS.items():
        if one.module and name != "cifar10":  # which is nowhere until it is downloaded
            assert load(name).name == name
            found = load_if_here(name)
            assert found is not None
            assert found.name == name


# Split


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (np.zeros((2, 28, 28), np.float32), np.zeros(2, np.int64), "not float32 (2, 28, 28)"),
        (np.zeros((2, 8, 32), np.uint8), np.zeros(2, np.int64), "not uint8 (2, 8, 32)"),
        (np.zeros((2, 32, 32, 1), np.uint8), np.zeros(2, np.int64), "not uint8 (2, 32, 32, 1)"),
        (np.zeros((2, 28, 28), np.uint8), np.zeros(2, np.uint8), "int64 (2,), not uint8 (2,)"),
        (np.zeros((2, 28, 28), np.uint8), np.zeros(3, np.int64), "int64 (2,), not int64 (3,)"),
    ],
)
def test_split_refuses_other_forms(images: np.ndarray, labels: np.ndarray, words: str) -> None:
    with pytest.raises(DataError) as caught:
        Split(images, labels)

    assert words in str(caught.value)


def test_split_is_indexed_like_its_arrays() -> None:
    split = numbered([5, 6, 7, 8])

    assert len(split) == 4
    assert split[1:3].labels.tolist() == [6, 7]
    assert numbers(split[np.array([3, 0])]) == [3, 0]
    assert numbers(split[np.array([False, True, False, True])]) == [1, 3]


# The validation split


@pytest.mark.parametrize("size", [10, 99, 1234, 49_999, 50_000, 60_000])
def test_validation_is_a_tenth_and_5000_at_most(size: int) -> None:
    labels = np.random.default_rng(0).integers(0, 10, size)
    images = np.zeros((size, 28, 28), np.uint8)

    training, validation = cut(Split(images, labels))

    assert len(validation) == min(5000, size // 10)
    assert len(training) + len(validation) == size


@pytest.mark.parametrize("size", [2, 9])
def test_smallest_sets_still_validate_on_one_image(size: int) -> None:
    training, validation = cut(numbered([0] * size))

    assert (len(training), len(validation)) == (size - 1, 1)


def test_validation_and_training_share_no_image() -> None:
    split = numbered([at % 7 for at in range(3000)])

    training, validation = cut(split)

    assert sorted(numbers(training) + numbers(validation)) == list(range(3000))
    assert [at % 7 for at in numbers(validation)] == validation.labels.tolist()


def test_validation_is_the_same_every_time() -> None:
    split = numbered([at % 10 for at in range(2000)])

    first, second = (numbers(cut(split)[1]) for _ in range(2))

    assert first == second
    # Drawn at random over the whole set, not cut off one end.
    assert min(first) < 200
    assert max(first) > 1800


def test_validation_of_mnist_is_stratified(mnist: Dataset) -> None:
    training, validation = mnist.training, mnist.validation

    assert (len(training), len(validation)) == (55_000, 5000)
    shares = np.bincount(mnist.train.labels) * 5000 / 60_000
    assert np.abs(np.bincount(validation.labels) - shares).max() < 1
    seen = {image.tobytes() for image in training.images}
    doubles = sum(image.tobytes() in seen for image in validation.images)
    assert doubles == 0  # MNIST holds no image twice


def test_splits_are_cut_once(mnist: Dataset) -> None:
    assert mnist.training is mnist.training
    assert mnist.validation is mnist.validation


def test_held_out_images_are_those_that_a_set_names() -> None:
    held_out = np.arange(10) % 3 == 0
    data = replace(made(numbered([0] * 10)), held_out=held_out)

    assert numbers(data.validation) == [0, 3, 6, 9]
    assert numbers(data.training) == [1, 2, 4, 5, 7, 8]


# stratified


@pytest.mark.parametrize("seed", range(20))
def test_quotas_are_proportional_and_add_up(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.choice(random.integers(0, 50, 8), random.integers(1, 400)).astype(np.int64)
    size = int(random.integers(0, len(labels) + 1))

    mask = stratified_mask(labels, size, seed)

    assert mask.sum() == size
    chosen, all_of_them = Counter(labels[mask].tolist()), Counter(labels.tolist())
    for label, count in all_of_them.items():
        assert abs(chosen[label] - count * size / len(labels)) < 1


def test_what_rounding_leaves_goes_to_the_largest_remainders() -> None:
    labels = np.repeat(np.arange(3, dtype=np.int64), (10, 19, 11))

    mask = stratified_mask(labels, 10, seed=0)  # shares of 2.5, 4.75 and 2.75

    assert np.bincount(labels[mask]).tolist() == [2, 5, 3]


def test_other_seeds_choose_other_images() -> None:
    labels = np.repeat(np.arange(5, dtype=np.int64), 40)

    masks = [stratified_mask(labels, 50, seed) for seed in (0, 0, 1)]

    assert (masks[0] == masks[1]).all()
    assert (masks[0] != masks[2]).any()


def test_every_image_is_about_equally_likely() -> None:
    labels = np.repeat(np.arange(4, dtype=np.int64), 25)

    times = np.sum([stratified_mask(labels, 20, seed) for seed in range(1000)], axis=0)

    # Binomial(1000, 0.2) has a deviation of 12.6; seeds are fixed, so this never flickers.
    assert times.min() > 200 - 5 * 12.6
    assert times.max() < 200 + 5 * 12.6


def test_nothing_can_be_drawn_from_nothing() -> None:
    assert stratified_mask(np.zeros(0, np.int64), 0, 0).shape == (0,)
