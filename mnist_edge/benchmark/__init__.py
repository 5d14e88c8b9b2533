"""Contenders × data × stopwatch -> one Benchmark record."""

from mnist_edge.benchmark.record import Benchmark, Data, Entry, Plan, Score
from mnist_edge.benchmark.runner import run
from mnist_edge.benchmark.scored_data import TimingImages, load_examples, match_data

__all__ = [
    "Benchmark",
    "Data",
    "Entry",
    "Plan",
    "Score",
    "TimingImages",
    "load_examples",
    "match_data",
    "run",
]
