"""Pictures, by the thousand, read by a network: sources -> readings, in order, as they come."""

from mnist_edge.predict.detectors import (
    Detector,
    MultiDigit,
    SingleDigit,
    WholePicture,
    detector_of,
)
from mnist_edge.predict.reader import read
from mnist_edge.predict.results import UNSURE, ClassProbability, Digit, Failure, Reading
from mnist_edge.predict.sources import STDIN, Source, count, find

__all__ = [
    "STDIN",
    "UNSURE",
    "ClassProbability",
    "Detector",
    "Digit",
    "Failure",
    "MultiDigit",
    "Reading",
    "SingleDigit",
    "Source",
    "WholePicture",
    "count",
    "detector_of",
    "find",
    "read",
]
