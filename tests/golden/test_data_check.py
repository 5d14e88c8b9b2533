"""What is said of a check: one golden text, and the same as values."""

import numpy as np

from mnist_edge.datasets import Split
from mnist_edge.datasets.check_results import CurvePoint, DataCheck, LabelError, LearningCurve
from mnist_edge.datasets.duplicates import Duplicate
from mnist_edge.datasets.odd_sizes import SizeFindings
from mnist_edge.metrics import Accuracy, Agreement
from mnist_edge.report import data_check
from tests import golden

CLASSES = ("cat", "dog")
LABELS = np.array([0] * 30 + [1] * 12, np.int64)
CHECK = DataCheck(
    data=Split(np.zeros((42, 28, 28), np.uint8), LABELS),
    splits=np.repeat(["training", "validation", "test"], [30, 4, 8]),
    names=tuple(f"{CLASSES[label]}/{at:02}.png" for at, label in enumerate(LABELS)),
    duplicates=(Duplicate(0, 1, 1.0), Duplicate(2, 40, 0.991), Duplicate(3, 31, 0.985)),
    blank=(7,),
    sizes=SizeFindings(
        np.array([(9, 12)] + [(60, 50)] * 39 + [(400, 40)] * 2, np.int64), {0: 28 / 12}, (40, 41)
    ),
    few={"dog": 12},
    label_errors=tuple(LabelError(at, 0, 1, at / 1000, 0.9) for at in range(12)),
    curve=LearningCurve(
        tuple(CurvePoint(count, Accuracy(right, 42)) for count, right in ((8, 34), (16, 38))),
        Agreement(changed=14, better=12, worse=2, total=42),
    ),
)
UNTRAINED = DataCheck(
    data=CHECK.data,
    splits=CHECK.splits,
    names=CHECK.names,
    duplicates=(),
    blank=(),
    sizes=SizeFindings(np.full((42, 2), 12, np.int64), dict.fromkeys(range(42), 28 / 12), ()),
    few={},
    label_errors=None,
    curve=None,
)


def test_what_is_said() -> None:
    told = [*data_check.lines(CHECK, CLASSES), "", *data_check.lines(UNTRAINED, CLASSES)]
    golden.check("texts/data-check.txt", "\n".join(told) + "\n")


def test_the_values_are_all_there() -> None:
    found = data_check.as_json(CHECK, CLASSES)
    golden.check_keys("json/data-check.txt", found, names=["few"])
    assert len(found["label_errors"]) == 12
    leak = found["duplicates"][1]
    assert (leak["splits"], leak["labels"]) == (["training", "test"], ["cat", "dog"])
    assert found["learning_curve"]["still_rises"] is True
    assert found["learning_curve"]["at_twice"] > 38 / 42
    assert found["sizes"]["tiny"] == [
        {"picture": "cat/00.png", "size": [9, 12], "enlarged": 28 / 12}
    ]
    empty = data_check.as_json(UNTRAINED, CLASSES)
    assert empty["label_errors"] is empty["learning_curve"] is None


def test_leaks_and_contradictions_are_the_pairs_of_two_splits_and_of_two_classes() -> None:
    assert CHECK.leaks == CHECK.duplicates[1:]
    assert CHECK.contradictions == CHECK.duplicates[1:]
