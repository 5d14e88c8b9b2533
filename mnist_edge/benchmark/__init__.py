"""Contenders × data × stopwatch -> one Benchmark record."""

from mnist_edge.benchmark.record import Benchmark, Data, Entry, Plan, Score
from mnist_edge.benchmark.runner import run
from mnist_edge.benchmark.scored_data import examples, find_data, images_to_time, with_data

__all__ = [
    "Benchmark",
    "Data",
    "Entry",
    "Plan",
    "Score",
    "examples",
    "find_data",
    "images_to_time",
    "run",
    "with_data",
]
