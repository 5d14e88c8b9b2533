"""Files of one model and of several, made by hand, to choose from."""

from dataclasses import replace
from typing import Any

from mnist_edge.benchmark import Entry
from mnist_edge.benchmark.kernels import Deviation
from mnist_edge.metrics import Accuracy, Agreement
from tests.report.records import FINDINGS, INT8_FINDINGS, entry, file

SLIGHTLY_WORSE = Agreement(changed=6, better=1, worse=5, total=10_000)
CLEARLY_WORSE = Agreement(changed=30, better=2, worse=25, total=10_000)
WRONG = {
    False: replace(FINDINGS, deviation=Deviation(500, 500, float("nan"), 0.09)),
    True: replace(INT8_FINDINGS, deviation=Deviation(500, 41, 9.7, 0.09)),
}
# Scores made by hand nest: all that one reads wrong, another that reads more wrong does too.
# So of n answers that differ, all are better or all worse, and chance explains five at most.
BEST, AS_GOOD, WORSE = (Accuracy(correct, 10_000) for correct in (9_967, 9_963, 9_942))


def fp32(center_us: float = 60.0, batch_us: float = 2400.0, **others: Any) -> Entry:
    return entry(file("exported/edge.onnx"), center_us=center_us, batch_us=batch_us, **others)


def int8(center_us: float, batch_us: float = 2400.0, **others: Any) -> Entry:
    values: dict[str, Any] = {"change": SLIGHTLY_WORSE, "size_bytes": 98_000} | others
    contender = file("exported/edge-int8.onnx", precision="int8")
    return entry(contender, center_us=center_us, batch_us=batch_us, **values)


def model(name: str, accuracy: Accuracy = BEST, **others: Any) -> Entry:
    """A model of its own, in one file."""
    values: dict[str, Any] = {"accuracy": accuracy} | others
    info = {key: values.pop(key) for key in ("dataset", "precision") if key in values}
    return entry(file(f"{name}.onnx", family=name, **info), **values)
