import numpy as np
import pytest

from mnist_edge.lab.training.class_weights import class_weights, imbalance


def labels_of(*counts: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.repeat(np.arange(len(counts)), counts).astype(np.int64)


def test_imbalance_is_of_the_largest_class_to_the_smallest() -> None:
    assert imbalance(labels_of(10, 30, 20), 3) == 3
    assert imbalance(labels_of(7, 7), 2) == 1
    assert imbalance(labels_of(5, 7), 3) == 7  # a class without any


@pytest.mark.parametrize("counts", [(20, 80, 40), (5000, 500, 5000), (3, 1000, 400)])
def test_rarer_classes_weigh_more_and_the_mean_image_weighs_one(counts: tuple[int, ...]) -> None:
    weights = np.array(class_weights(labels_of(*counts), len(counts)))
    order = np.argsort(counts, kind="stable")
    assert (np.diff(weights[order]) <= 0).all()
    assert np.average(weights, weights=counts) == pytest.approx(1, abs=1e-3)
    effective = [(1 - 0.999**count) / 0.001 for count in counts]  # as the paper writes it
    wanted = np.minimum(max(effective) / np.array(effective), 20)
    np.testing.assert_allclose(weights / weights.min(), wanted, rtol=1e-3)


def test_tens_of_images_weigh_by_the_inverse_of_their_number_thousands_by_less() -> None:
    few, many = class_weights(labels_of(20, 80), 2), class_weights(labels_of(5000, 500), 2)
    assert few[0] / few[1] == pytest.approx(4, rel=0.05)
    assert 2 < many[1] / many[0] < 3


def test_the_ratio_of_weights_is_capped_and_no_class_is_left_out() -> None:
    weights = class_weights(labels_of(1, 5000, 0), 3)
    assert max(weights) / min(weights) == pytest.approx(20, rel=1e-3)
    assert weights[0] == weights[2]


def test_classes_of_one_size_weigh_alike() -> None:
    assert class_weights(labels_of(50, 50, 50), 3) == (1.0, 1.0, 1.0)
