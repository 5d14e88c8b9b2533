"""Contenders × data × stopwatch -> one Benchmark record."""

from mnist_edge.benchmark.record import Benchmark, Data, Entry, Plan, Score
from mnist_edge.benchmark.runner import run
from mnist_edge.benchmark.scored_data import load_examples, match_data, timing_images

__all__ = [
    "Benchmark",
    "Data",
    "Entry",
    "Plan",
    "Score",
    "load_examples",
    "match_data",
    "run",
    "timing_images",
]
