import numpy as np

from mnist_edge.class_recall import recalls, worst_classes
from mnist_edge.metrics import Accuracy


def test_recalls_and_the_classes_that_are_worst() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 3, 3], np.int64)
    answers = np.array([0, 0, 1, 3, 1, 0, 3, 3], np.int64)
    found = recalls(answers, labels, 4)
    assert found == (Accuracy(2, 4), Accuracy(1, 2), None, Accuracy(2, 2))
    assert worst_classes(found) == (0, 1)
    assert worst_classes(found[1:]) == (0,)
    assert worst_classes(found[:2]) == worst_classes([None]) == ()
