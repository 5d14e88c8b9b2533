import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge.rejection import Rejection, count_rejected


def logits(*tops: float) -> NDArray[np.float32]:
    return np.array([[np.log(top / (1 - top)), 0] for top in tops], np.float32)


def test_what_is_below_the_threshold_is_counted() -> None:
    found = count_rejected(logits(0.6, 0.9, 0.7), logits(0.95, 0.99, 0.6, 0.97), 0.8)
    assert found == Rejection(rejected=2, outliers=3, unsure=1, images=4)


def test_there_is_none_without_images() -> None:
    assert count_rejected(logits(0.6)[:0], logits(0.9), 0.5) is None


@pytest.mark.parametrize("counts", [(3, 2, 0, 1), (-1, 2, 0, 1), (0, 0, 0, 1), (0, 1, 2, 1)])
def test_counts_are_parts_of_their_totals(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="no rejection"):
        Rejection(*counts)
