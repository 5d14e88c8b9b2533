"""Pictures, by the thousand, read by a network: sources -> readings, in order, as they come."""

from mnist_edge.reading.answers import UNSURE, Digit, Guess, Reading
from mnist_edge.reading.looks import grid, line, single
from mnist_edge.reading.reader import Look, read
from mnist_edge.reading.sources import STDIN, Source, count, find

__all__ = [
    "STDIN",
    "UNSURE",
    "Digit",
    "Guess",
    "Look",
    "Reading",
    "Source",
    "count",
    "find",
    "grid",
    "line",
    "read",
    "single",
]
