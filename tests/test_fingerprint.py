"""What travels with a model of the images that it was trained and measured on."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mnist_edge.datasets import Dataset, Split, compute_fingerprint
from mnist_edge.fingerprint import Fingerprint, SplitDigest, describe_changes


def dataset(labels: list[int], classes: tuple[str, ...] = ("a", "b"), seed: int = 0) -> Dataset:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (len(labels), 28, 28), np.uint8)
    split = Split(images, np.array(labels, np.int64))
    return Dataset("made", classes, split, split[slice(0, 4)], "here")


def test_order_of_images_and_classes_does_not_count() -> None:
    data = dataset([0, 1, 0, 1, 1, 1, 0, 0, 1, 0])
    order = np.random.default_rng(1).permutation(10)
    held_out = np.arange(10) == 3
    turned = Split(data.train.images, 1 - data.train.labels)
    same = replace(
        data,
        classes=("b", "a"),
        train=turned[order],
        test=Split(data.test.images, 1 - data.test.labels),
        held_out=held_out[order],
    )

    assert compute_fingerprint(replace(data, held_out=held_out)) == compute_fingerprint(same)


def test_a_changed_pixel_or_label_counts() -> None:
    data = dataset([0, 1] * 5)
    images, labels = data.test.images.copy(), data.test.labels.copy()
    images[2, 5, 5] ^= 1
    labels[1] = 0

    before = compute_fingerprint(data)
    for test in (Split(images, data.test.labels), Split(data.test.images, labels)):
        after = compute_fingerprint(replace(data, test=test))
        assert describe_changes(before, after) == "test 4 images then as now, but others"


def test_changes_are_told_by_their_counts() -> None:
    before, after = (
        compute_fingerprint(dataset([0, 1] * 5)),
        compute_fingerprint(dataset([0, 1] * 50, seed=1)),
    )

    assert describe_changes(before, after) == (
        "training 9 images then, 90 now, validation 1 images then, 10 now, "
        "test 4 images then as now, but others"
    )
    assert describe_changes(before, before) is None
    assert describe_changes(None, after) is None
    assert describe_changes(before, None) is None


def test_it_comes_back_from_its_values() -> None:
    found = replace(compute_fingerprint(dataset([0, 1] * 5)), coloured=7)

    assert Fingerprint.from_dict(found.as_dict()) == found


PART = {"images": 3, "sha256": "0" * 64}
VALUES: dict[str, Any] = {"training": PART, "validation": PART, "test": PART, "coloured": 0}


@pytest.mark.parametrize(
    "values",
    [
        *({}, [], None, "x", 3),
        VALUES | {"test": None},
        VALUES | {"test": {"images": 3}},
        VALUES | {"test": PART | {"more": 1}},
        VALUES | {"test": PART | {"images": -1}},
        VALUES | {"test": PART | {"images": True}},
        VALUES | {"test": PART | {"images": 10**12}},
        VALUES | {"test": PART | {"sha256": "x" * 64}},
        VALUES | {"test": PART | {"sha256": 0}},
        VALUES | {"test": PART | {"sha256": "0" * 63}},
        *(VALUES | {"coloured": value} for value in (-1, None, "1", 1.0, True)),
    ],
)
def test_foreign_values_are_refused(values: Any) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        Fingerprint.from_dict(values)


def test_a_part_counts_images() -> None:
    assert SplitDigest(3, "0" * 64).images == 3


def test_images_of_no_class_may_be_left_out_unless_they_are_needed() -> None:
    digest = SplitDigest(4, "0" * 64)
    without = Fingerprint(digest, digest, digest)
    before = replace(without, outliers=digest)
    after = replace(without, outliers=SplitDigest(5, "1" * 64))

    assert describe_changes(before, after) == "of no class 4 images then, 5 now"
    for one, other in ((before, without), (without, before), (without, without)):
        assert describe_changes(one, other) is None
    needed = {
        pair: describe_changes(*pair, outliers_needed=True)
        for pair in ((before, without), (without, after), (without, without), (before, before))
    }
    assert list(needed.values()) == [
        "of no class 4 images then, 0 now",
        "of no class 0 images then, 5 now",
        None,
        None,
    ]
